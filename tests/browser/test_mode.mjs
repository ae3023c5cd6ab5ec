// TEST_MODE in Chromium, against a real program: node test_mode.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { finish } from './harness.mjs';
import { child, folder, look, page, quiet, ready } from './program.mjs';

const start = async (seconds) => {
  await page.fill('#seconds', seconds);
  await page.click('#go');
  await page.click('dialog button.primary');
};

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
