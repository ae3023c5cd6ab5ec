// TEST_MODE in Chromium, against a real program: node test_mode.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { axe, browser, check, finish, openBrowser, report as tbot, shot } from './harness.mjs';

const USER = { username: 'ada', email: 'ada@example.com', password: 'correct horse battery staple' };
const folder = mkdtempSync(join(tmpdir(), 'tbot-test-mode-'));
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => { const { port: free } = server.address(); server.close(() => resolve(free)); });
});
const child = spawn(tbot, ['run', '--data-dir', folder, '--bind', `127.0.0.1:${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
process.on('exit', () => { child.kill('SIGTERM'); });
await new Promise((resolve) => { createInterface({ input: child.stdout }).on('line', (line) => { if (line.startsWith('READY')) resolve(); }); });
const origin = `http://127.0.0.1:${port}`;

await openBrowser();
const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1280, height: 900 }, baseURL: origin });
const page = await context.newPage();
const faults = [];
const expected = [/status of (404|409|422)/];
page.on('console', (message) => { if (['error', 'warning'].includes(message.type()) && !expected.some((pattern) => pattern.test(message.text()))) faults.push(`console: ${message.text()}`); });
page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
context.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) faults.push(`request: ${request.url()}`); });
const ready = () => page.waitForSelector('html[data-ready="1"]', { state: 'attached', timeout: 30_000 });

/** Both themes and a phone: no violation, no sideways scroll, a picture of each. */
async function look(name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(150);
    await shot(page, `${name}-${colorScheme}`, { fullPage: true });
    await axe(page, `${name}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(300);
  await shot(page, `${name}-phone`, { fullPage: true });
  await axe(page, `${name}, phone`);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await page.setViewportSize({ width: 1280, height: 900 });
  assert.equal(over, 0, `${name} scrolls sideways by ${over} px`);
}

async function quiet(name, body) {
  await check(name, async () => {
    await body();
    assert.deepEqual(faults.splice(0), []);
  });
}

const start = async (seconds) => {
  await page.fill('#seconds', seconds);
  await page.click('#go');
  await page.click('dialog button.primary');
};

await quiet('somebody sets the bot up and logs in', async () => {
  await page.goto('/configuration');
  await page.click('#preset-sim');
  await page.click('button.primary');
  await page.waitForURL('**/register', { timeout: 60_000 });
  for (const [id, value] of Object.entries({ username: USER.username, email: USER.email, password: USER.password, password_confirm: USER.password })) await page.fill(`#${id}`, value);
  await page.click('button.primary');
  await page.waitForURL('**/login');
  await page.fill('#username', USER.username);
  await page.fill('#password', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/main**');
});

await quiet('the page says what can be tested, and what is wrong with a wish', async () => {
  await page.goto('/test');
  await ready();
  await page.waitForSelector('text=bars of 27 symbols');
  assert.equal(await page.inputValue('#date'), '2024-12-02');
  await look('test-empty');
  await start('4000');
  await page.waitForSelector('#seconds[aria-invalid="true"]');
});

await quiet('a test is confirmed, followed with progress, stages, log and equity, and stopped', async () => {
  await start('40');
  await page.waitForSelector('#running [role="progressbar"][aria-valuenow]');
  assert(existsSync(join(folder, 'control/test_mode.flag')));
  assert(await page.isDisabled('#go'));
  await page.waitForFunction(() => Number(document.querySelector('#running progress').getAttribute('aria-valuenow')) >= 15, null, { timeout: 60_000 });
  await page.waitForSelector('#running [role="log"] .line');
  await page.waitForSelector('#running canvas[aria-label*="quity"]');
  const steps = await page.$$eval('.steps li', (items) => items.map((item) => item.textContent));
  assert.deepEqual(steps.map((text) => text.slice(0, 3)), ['OPE', 'MID', 'CLO']);
  assert.match(steps[2], /waiting/);
  await look('test-running');
  await page.goto('/settings');
  await page.waitForSelector('#test-mode >> text=TEST_MODE is on');
  const refused = await page.evaluate(async () => {
    const { csrf_token: token } = await (await fetch('/api/v1/session')).json();
    const answer = await fetch('/api/v1/control/start', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: '{"mode":"paper"}' });
    return [answer.status, (await answer.json()).error.code];
  });
  assert.deepEqual(refused, [409, 'test_mode']);
  await page.goto('/test');
  await ready();
  await page.waitForSelector('#running [role="log"] .line');
  await page.click('text=Stop the test');
  await page.waitForSelector('[aria-label="Results of tests"] >> text=cancelled');
  assert(!existsSync(join(folder, 'control/test_mode.flag')));
  assert(await page.isEnabled('#go'));
});

await quiet('a test comes to its end and its day is read', async () => {
  await start('2');
  await page.waitForSelector('[aria-label="Results of tests"] >> text=finished', { timeout: 60_000 });
  const steps = await page.$$eval('.steps li', (items) => items.map((item) => item.textContent));
  assert(steps.every((text) => text.includes('over')), steps.join());
  await page.click('[aria-label="Results of tests"] button:has-text("Show")');
  await page.waitForSelector('canvas[aria-label*="equity"]');
  await page.waitForSelector('canvas[aria-label*="candle"]');
  await page.waitForSelector('[aria-label="Trades of the test"] tbody tr');
  const signs = await page.$$eval('[aria-label="Trades of the test"] .up, [aria-label="Trades of the test"] .down', (cells) => cells.map((cell) => cell.textContent));
  assert(signs.length > 5 && signs.every((text) => /^[+-]/.test(text)), signs.join());
  await look('test-result');
  await page.goto('/settings');
  await page.waitForSelector('#test-mode >> text=TEST_MODE is off');
});

await quiet('results are removed after they were asked for', async () => {
  await page.goto('/test');
  await ready();
  await page.click('text=Remove all results');
  await page.click('dialog button.danger');
  await page.waitForSelector('text=No test has ended yet');
});

child.kill('SIGTERM');
await new Promise((resolve) => { child.on('exit', resolve); });
rmSync(folder, { recursive: true, force: true });
await finish();
