// Backtests and sweeps in Chromium, against a real program: node runs.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { finish } from './harness.mjs';
import { child, folder, look, page, quiet, ready } from './program.mjs';

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
  await page.waitForSelector('text=Nothing is searched yet');
  await page.fill('[name="space.fast"]', '5..20:5');
  await page.waitForSelector('text=4 combinations; 4 trials will run.');
  await page.fill('[name="space.slow"]', '30..90:');
  await page.waitForSelector('[name="space.slow"][aria-invalid="true"]');
  await page.fill('[name="space.slow"]', '30..90:20');
  await page.waitForSelector('text=16 combinations; 16 trials will run.');
  await page.fill('[name="where"]', 'fast + slow < 80');
  // 5, 10, 15 and 20 with each of 30 and 50, and 5 with 70.
  await page.waitForSelector('text=9 combinations; 9 trials will run.');
  await page.fill('[name="where"]', '');
  await page.fill('[name="trials"]', '7');
  await page.waitForSelector('text=16 combinations; 7 trials will run.');
  await page.fill('[name="trials"]', '');
  await page.waitForSelector('text=16 combinations; 16 trials');
  assert.equal(await page.locator('[aria-invalid="true"]').count(), 0);
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

await quiet('what is chosen on an axis is what the table shows, by the pointer and by keys', async () => {
  await page.fill('#filter', 'status=ok');
  await page.waitForSelector('text=16 of 16 trials');
  const grip = page.locator('.grip').first();
  await grip.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await grip.boundingBox();
  // The upper half of the first axis: 15 and 20 of fast.
  await page.mouse.move(x + width / 2, y + 2);
  await page.mouse.down();
  await page.mouse.move(x + width / 2, y + height / 4, { steps: 3 });
  await page.mouse.move(x + width / 2, y + height / 2, { steps: 3 });
  await page.mouse.up();
  await page.waitForSelector('text=8 of 16 trials');
  assert.equal(await page.inputValue('#filter'), 'status=ok, fast>=13, fast<=20');
  const raised = () => page.locator('path.trial.top, path.trial.winner').count();
  assert.equal(await raised(), 8);
  assert.equal(await page.locator('path.trial.out').count(), 8);
  await look('sweep-chosen');
  await page.selectOption('.choose select', { label: 'slow' });
  await page.fill('.choose input >> nth=0', '50');
  await page.fill('.choose input >> nth=1', '70');
  await page.keyboard.press('Enter');
  await page.waitForSelector('text=4 of 16 trials');
  await page.waitForSelector('text=4 of 16 lines');
  assert.equal(await raised(), 4);
  await page.locator('.choices button').first().click();
  await page.waitForSelector('text=8 of 16 trials');
  // A click on the axis chooses all of it again.
  const second = await page.locator('.grip').nth(1).boundingBox();
  await page.mouse.click(second.x + second.width / 2, second.y + second.height / 2);
  await page.waitForSelector('text=16 of 16 trials');
  assert.equal(await page.inputValue('#filter'), 'status=ok');
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
