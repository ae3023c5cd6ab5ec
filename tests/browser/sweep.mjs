// Checks report.html of a sweep in Chromium: node sweep.mjs REPORT [SCREENSHOT_DIR]
// The sweep must have two parameters with several values each and at least one failed trial.

import assert from 'node:assert/strict';
import { axe, check, finish, open, openBrowser, shot } from './harness.mjs';

await openBrowser();

await check('the page in both themes, without console errors, requests or violations', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const { page, faults, close } = await open({ colorScheme });
    await axe(page, colorScheme);
    await shot(page, `sweep-${colorScheme}`, { fullPage: true });
    assert.deepEqual(faults, []);
    assert.equal(await page.locator('.failed').count(), 0, 'every figure is drawn');
    await close();
  }
});

await check('the heat map follows its choices and its keys', async () => {
  const { page, close } = await open();
  const frame = page.locator('#chart-heat .figure');
  assert.match(await frame.getAttribute('aria-label'), /heat map/);
  const colours = () => page.evaluate(() => [...document.querySelectorAll('#chart-heat .cell')].map((c) => c.getAttribute('fill')).join());
  const before = await colours();
  assert.ok(new Set(before.split(',')).size > 5, 'cells differ');
  await page.selectOption('#heat-stat', 'best');
  const readout = page.locator('#chart-heat .readout');
  await page.locator('#chart-heat .figure').focus();
  await page.keyboard.press('ArrowRight');
  const first = await readout.innerText();
  await page.keyboard.press('ArrowUp');
  assert.notEqual(await readout.innerText(), first);
  assert.match(first, /trial/);
  await close();
});

await check('slices, parallel coordinates and history answer to keys', async () => {
  const { page, close } = await open();
  for (const id of ['chart-slices', 'chart-parallel', 'chart-history']) {
    await page.locator(`#${id} .figure`).first().focus();
    await page.keyboard.press('ArrowRight');
    assert.match(await page.locator(`#${id} .readout`).first().innerText(), /^trial \d+/, id);
  }
  const lines = () => page.locator('#chart-parallel path.top, #chart-parallel path.winner').count();
  const tenth = await lines();
  await page.selectOption('#parallel-share', '1');
  assert.ok((await lines()) > tenth);
  await close();
});

await check('what is chosen on an axis is what the table has', async () => {
  const { page, faults, close } = await open();
  const all = await page.locator('#trial-count').innerText();
  await page.fill('.choose input >> nth=1', '12');
  await page.click('.choose button');
  assert.notEqual(await page.locator('#trial-count').innerText(), all);
  assert.ok(await page.locator('path.trial.out').count() > 0);
  await axe(page, 'with a choice');
  await page.locator('.choices button').click();
  assert.equal(await page.locator('#trial-count').innerText(), all);
  assert.equal(await page.locator('path.trial.out').count(), 0);
  assert.deepEqual(faults, []);
  await close();
});

await check('the table of trials sorts and filters', async () => {
  const { page, close } = await open();
  const first = () => page.locator('#trial-table tbody tr').first().innerText();
  const sorted = () => page.locator('#trial-table th[aria-sort="ascending"], #trial-table th[aria-sort="descending"]').count();
  assert.equal(await sorted(), 1);
  const best = await first();
  await page.locator('#trial-table thead button').first().click();
  assert.notEqual(await first(), best);
  assert.equal(await sorted(), 1);
  await page.fill('#trial-filter', 'failed');
  const rows = await page.locator('#trial-table tbody tr').allInnerTexts();
  assert.ok(rows.length > 0 && rows.every((row) => row.includes('failed')), `${rows.length} rows`);
  await close();
});

await check('trials without a value and the picture of halves are drawn', async () => {
  const { page, close } = await open();
  assert.ok(await page.locator('#chart-slices path.mark.cross').count() > 0, 'failed trials have marks');
  const figure = page.locator('#chart-halves .figure');
  await figure.focus();
  await page.keyboard.press('ArrowRight');
  assert.match(await page.locator('#chart-halves .readout').innerText(), /^in sample -?[\d.]+, out of sample -?[\d.]+$/);
  assert.equal(await page.locator('#chart-logits canvas').count(), 1);
  await close();
});

await check('figures follow the width and keep their letters readable', async () => {
  const { page, faults, close } = await open();
  const heat = () => page.locator('#chart-heat svg').evaluate((node) => ({ drawn: node.viewBox.baseVal.width, shown: node.clientWidth }));
  const wide = await heat();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(200);
  const narrow = await heat();
  assert.ok(narrow.drawn < wide.drawn, 'drawn anew');
  for (const { drawn, shown } of [wide, narrow]) assert.ok(shown / drawn > 0.9, `${shown} px for ${drawn}`);
  assert.deepEqual(faults, []);
  await close();
});

await check('a phone shows it without sideways scroll', async () => {
  const { page, faults, close } = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 390, `${wide} px wide`);
  await axe(page, 'phone');
  await shot(page, 'sweep-phone', { fullPage: true });
  assert.deepEqual(faults, []);
  await close();
});

await finish();
