// A real program with its pages, for checks of the web interface: what they start, how they look at a page.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { axe, browser, check, openBrowser, report as tbot, shot } from './harness.mjs';

export const USER = { username: 'ada', email: 'ada@example.com', password: 'correct horse battery staple' };
export const folder = mkdtempSync(join(tmpdir(), 'tbot-pages-'));
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => { const { port: free } = server.address(); server.close(() => resolve(free)); });
});
export const child = spawn(tbot, ['run', '--data-dir', folder, '--bind', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => { child.kill('SIGTERM'); });
await new Promise((resolve) => { createInterface({ input: child.stdout }).on('line', (line) => { if (line.startsWith('READY')) resolve(); }); });
export const origin = `http://127.0.0.1:${port}`;

await openBrowser();
const faults = [];
// What a page asks for and is refused is shown by the browser as an error, too.
const expected = [/status of (404|409|422)/];

/** A page of a browser of its own; what goes wrong in it is noted. */
export async function visit() {
  const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1280, height: 900 }, baseURL: origin });
  context.setDefaultTimeout(30_000);
  const opened = await context.newPage();
  opened.on('console', (message) => { if (['error', 'warning'].includes(message.type()) && !expected.some((pattern) => pattern.test(message.text()))) faults.push(`console: ${message.text()}`); });
  opened.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  context.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) faults.push(`request: ${request.url()}`); });
  return opened;
}

export const page = await visit();
export const ready = (target = page) => target.waitForSelector('html[data-ready="1"]', { state: 'attached', timeout: 30_000 });

/** Both themes and a phone: no violation, no sideways scroll, a picture of each. */
export async function look(name, target = page) {
  for (const colorScheme of ['light', 'dark']) {
    await target.emulateMedia({ colorScheme });
    await target.waitForTimeout(150);
    await shot(target, `${name}-${colorScheme}`, { fullPage: true });
    await axe(target, `${name}, ${colorScheme}`);
  }
  await target.emulateMedia({ colorScheme: 'light' });
  await target.setViewportSize({ width: 390, height: 844 });
  await target.waitForTimeout(300);
  await shot(target, `${name}-phone`, { fullPage: true });
  await axe(target, `${name}, phone`);
  const over = await target.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await target.setViewportSize({ width: 1280, height: 900 });
  assert.equal(over, 0, `${name} scrolls sideways by ${over} px`);
}

/** A check in which nothing goes wrong beside what it checks. */
export async function quiet(name, body) {
  await check(name, async () => {
    await body();
    assert.deepEqual(faults.splice(0), []);
  });
}

export async function logIn(target, { username, password }) {
  await target.goto('/login');
  await target.fill('#username', username);
  await target.fill('#password', password);
  await target.click('button.primary');
  await target.waitForURL('**/main**');
}

await quiet('somebody sets the bot up and logs in', async () => {
  await page.goto('/configuration');
  await page.click('#preset-sim');
  await page.click('button.primary');
  await page.waitForURL('**/register', { timeout: 60_000 });
  for (const [id, value] of Object.entries({ ...USER, password_confirm: USER.password })) await page.fill(`#${id}`, value);
  await page.click('button.primary');
  await page.waitForURL('**/login');
  await logIn(page, USER);
});
