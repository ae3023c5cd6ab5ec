// Backtests and sweeps in Chromium, against a real program: node runs.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { axe, browser, check, finish, openBrowser, report as tbot, shot } from './harness.mjs';

const USER = { username: 'ada', email: 'ada@example.com', password: 'correct horse battery staple' };
const folder = mkdtempSync(join(tmpdir(), 'tbot-runs-'));
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
const expected = [/status of (404|422)/];
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

await quiet('a backtest is started from the form, which says what is wrong', async () => {
  await page.goto('/backtest');
  await ready();
  await page.click('text=New backtest');
  await page.selectOption('[name="data"]', 'wiki_daily');
  await page.selectOption('[name="strategy"]', 'sma_cross');
  await page.waitForSelector('text=1d bars of AAPL');
  await page.fill('[name="from"]', '2000-01-03');
  await page.fill('[name="to"]', '2003-12-31');
  await page.fill('[name="param.fast"]', 'many');
  await look('backtest-form');
  await page.click('text=Start the backtest');
  await page.waitForSelector('[aria-invalid="true"]');
  assert.equal(await page.getAttribute('[aria-invalid="true"]', 'name'), 'param.fast');
  await page.fill('[name="param.fast"]', '5');
  await page.fill('[name="param.slow"]', '30');
  await page.click('text=Start the backtest');
  await page.waitForSelector('text=Taken:');
  await page.waitForSelector('table >> text=finished', { timeout: 60_000 });
  await look('backtest-list');
});

await quiet('the result shows figures, account, prices and trades', async () => {
  await page.click('tbody a');
  await page.waitForURL('**/backtest/*');
  await page.waitForSelector('canvas[aria-label*="equity"]', { timeout: 30_000 });
  await page.waitForSelector('canvas[aria-label*="candle"]', { timeout: 30_000 });
  await page.waitForSelector('[aria-label="Trades"] tbody tr');
  assert.equal(await page.locator('h1').count(), 1);
  await look('backtest-result');
  await page.click('text=Result');
  await page.waitForSelector('th[aria-sort="ascending"] >> text=Result');
  await page.locator('[aria-label="Trades"] button:has-text("Show")').first().click();
  await page.waitForSelector('text=around the trade of');
});

await quiet('a sweep is started, followed and read', async () => {
  await page.goto('/sweep');
  await ready();
  await page.click('text=New sweep');
  await page.selectOption('[name="data"]', 'wiki_daily');
  await page.selectOption('[name="strategy"]', 'sma_cross');
  await page.fill('[name="from"]', '2000-01-03');
  await page.fill('[name="to"]', '2003-12-31');
  await page.selectOption('[name="method"]', 'grid');
  await page.fill('[name="space.fast"]', '5..20:5');
  await page.fill('[name="space.slow"]', '30..90:20');
  await look('sweep-form');
  await page.click('text=Start the sweep');
  await page.waitForSelector('text=Taken:');
  await page.waitForSelector('table >> text=finished', { timeout: 120_000 });
  await page.click('tbody a');
  await page.waitForURL('**/sweep/*');
  await page.waitForSelector('[aria-label*="heat map"] .cell', { state: 'attached', timeout: 30_000 });
  await page.waitForSelector('[aria-label="Trials"] tbody tr');
  await look('sweep-result');
  await page.fill('#filter', 'fast>=15');
  await page.waitForSelector('text=8 of 16 trials');
  await page.locator('[aria-label="Trials"] button:has-text("Backtest")').first().click();
  await page.waitForSelector('text=Taken:');
});

await quiet('two runs are compared', async () => {
  await page.goto('/backtest');
  await ready();
  await page.waitForFunction(() => document.querySelectorAll('tbody input[type="checkbox"]:not([disabled])').length === 2, null, { timeout: 60_000 });
  for (const box of await page.locator('tbody input[type="checkbox"]').all()) await box.check();
  await page.click('text=Compare 2 to 5');
  await page.waitForSelector('canvas[aria-label*="equity"]');
  await look('backtest-comparison');
});

child.kill('SIGTERM');
await new Promise((resolve) => { child.on('exit', resolve); });
rmSync(folder, { recursive: true, force: true });
await finish();
