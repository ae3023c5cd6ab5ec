// Checks report.html in Chromium: node report.mjs REPORT [SCREENSHOT_DIR]
// The browser is $CHROMIUM, by default /usr/bin/chromium. Exit code 0 when everything holds.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { axe, browser, check, finish, open, openBrowser, shot, shots, url } from './harness.mjs';

await openBrowser();

const canvasOf = (page, id) => page.evaluate((host) => document.querySelector(`#${host} canvas`).toDataURL(), id);
const readoutOf = (page, id) => page.locator(`#${id} .chart-readout`).innerText();

// ---------------------------------------------------------------- chart mathematics

await check('mathematics of the charts', async () => {
  const { page, close } = await open();
  const results = await page.evaluate(() => {
    const { niceTicks, axisTicks, roundStep, upperBound, columns, timeTicks } = TbotCharts.math;
    const out = {};
    out.steps = [0.7, 1, 1.1, 3, 7, 0.013].map(roundStep);
    out.ticks = niceTicks(-3, 12, 5);
    out.zero = niceTicks(-0.3, 0.3, 6).values.some((v) => Object.is(v, -0));
    out.low = axisTicks(0, 0.42, 56).values.length;
    out.constant = niceTicks(5, 5, 4).values;
    out.bounds = [upperBound([1, 2, 2, 3], 2), upperBound([1, 2], 0), upperBound([], 1)];
    const n = 100000;
    const x = Float64Array.from({ length: n }, (_, i) => i);
    const y = Float64Array.from({ length: n }, (_, i) => Math.sin(i / 50) * 10);
    y[31234] = 999;
    y[77777] = -999;
    const kept = columns(x, y, 0, n, (v) => v / n * 800);
    out.kept = { count: kept.length, first: kept[0], last: kept[kept.length - 1], high: kept.includes(31234), low: kept.includes(77777), ascending: kept.every((k, i) => i === 0 || k > kept[i - 1]) };
    out.few = columns([0, 1, 2], [5, 6, 7], 0, 3, (v) => v * 100);
    out.none = columns([], [], 0, 0, (v) => v);
    // One point a minute from 14:30 to 21:00 UTC on three days; New York is five hours behind.
    const zone = TbotCharts.zoneOf('ET', [[0, -18000]]);
    const start = Date.UTC(2024, 1, 5, 14, 30) / 1000;
    const times = [];
    for (let day = 0; day < 3; day++) for (let m = 0; m < 390; m++) times.push(start + day * 86400 + m * 60);
    out.days = timeTicks(times, 0, times.length, zone, 4);
    out.hours = timeTicks(times, 0, 390, zone, 8);
    out.text = TbotCharts.timeText(start, zone);
    out.summer = TbotCharts.zoneOf('ET', [[0, -18000], [1000, -14400]]).offset(1000);
    return out;
  });
  assert.deepEqual(results.steps, [1, 1, 2, 5, 10, 0.02]);
  assert.deepEqual(results.ticks, { step: 5, values: [0, 5, 10] });
  assert.equal(results.zero, false, 'no negative zero');
  assert.ok(results.low >= 2, 'a low pane has two labels at least');
  assert.deepEqual(results.constant, [5]);
  assert.deepEqual(results.bounds, [3, 0, 0]);
  assert.ok(results.kept.count <= 3200 && results.kept.ascending, 'four points a column, ascending');
  assert.deepEqual({ ...results.kept, count: 0 }, { count: 0, first: 0, last: 99999, high: true, low: true, ascending: true });
  assert.deepEqual(results.few, [0, 1, 2]);
  assert.deepEqual(results.none, []);
  assert.deepEqual(results.days, [{ index: 390, text: '6 Feb' }, { index: 780, text: '7 Feb' }]);
  assert.deepEqual(results.hours.map((t) => t.text), ['10:00', '11:00', '12:00', '13:00', '14:00', '15:00']);
  assert.equal(results.text, '2024-02-05 09:30 ET (14:30 UTC)');
  assert.equal(results.summer, -14400);
  await close();
});

// ---------------------------------------------------------------- the page as it is seen

for (const [name, options] of [
  ['light', {}],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }],
  ['phone-dark', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, colorScheme: 'dark' }],
]) {
  await check(`page, ${name}`, async () => {
    const { page, faults, close } = await open(options);
    assert.equal(await page.locator('h1').count(), 1);
    const scroll = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(scroll, 0, 'sideways scroll');
    const empty = await page.evaluate(() => [...document.querySelectorAll('canvas')].filter((c) => {
      const pixels = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      return !pixels.some((v) => v !== 0);
    }).length);
    assert.equal(empty, 0, 'every chart has drawn something');
    assert.equal(await page.locator('.failed').count(), 0);
    if (name === 'light') await shot(page, 'top'); // docs/report.png
    await shot(page, name, { fullPage: true });
    await axe(page, name);
    assert.deepEqual(faults, []);
    await close();
  });
}

await check('the content security policy lets the page work', async () => {
  const { page, faults, close } = await open({ bypassCSP: false });
  await page.locator('#theme').click();
  assert.deepEqual(faults, []);
  await close();
});

await check('without a script the figures and tables stand', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(url);
  assert.equal(await page.locator('.tile').count(), 10);
  assert.ok(await page.locator('.no-script').first().isVisible());
  await context.close();
});

// ---------------------------------------------------------------- charts under mouse and keys

await check('equity: cursor, zoom, pan, keys', async () => {
  const { page, faults, close } = await open();
  const plot = page.locator('#chart-equity .chart-plot');
  const box = await plot.boundingBox();
  const whole = await canvasOf(page, 'chart-equity');
  const last = await readoutOf(page, 'chart-equity');
  await page.mouse.move(box.x + box.width / 2, box.y + 100);
  await page.waitForTimeout(60);
  const middle = await readoutOf(page, 'chart-equity');
  assert.notEqual(middle, last, 'the read-out follows the pointer');
  assert.match(middle, /ET \(\d\d:\d\d UTC\)/);
  assert.match(middle, /Equity .*Drawdown .*Exposure/s);
  await page.mouse.wheel(0, -300);
  await page.waitForTimeout(60);
  assert.notEqual(await page.evaluate(() => document.activeElement.className), 'chart-plot');
  await page.evaluate(() => scrollTo(0, 0));
  await plot.focus();
  const at = await plot.boundingBox();
  await page.mouse.move(at.x + at.width / 2, at.y + 100);
  const scrolled = await page.evaluate(() => scrollY);
  await page.mouse.wheel(0, -300);
  await page.waitForTimeout(60);
  const zoomed = await canvasOf(page, 'chart-equity');
  assert.notEqual(zoomed, whole, 'the wheel zooms a focused chart');
  assert.equal(await page.evaluate(() => scrollY), scrolled, 'and the page stays');
  await page.mouse.down();
  await page.mouse.move(at.x + at.width / 2 + 150, at.y + 100, { steps: 4 });
  await page.mouse.up();
  await page.waitForTimeout(60);
  assert.notEqual(await canvasOf(page, 'chart-equity'), zoomed, 'dragging pans');
  await plot.press('Home');
  await plot.press('Escape');
  await page.mouse.move(2, 2);
  await page.waitForTimeout(60);
  assert.equal(await canvasOf(page, 'chart-equity'), whole, 'Home shows everything again');
  await plot.press('ArrowRight');
  await page.waitForTimeout(60);
  const first = await readoutOf(page, 'chart-equity');
  await plot.press('ArrowRight');
  await page.waitForTimeout(60);
  assert.notEqual(await readoutOf(page, 'chart-equity'), first, 'arrows move the cursor');
  await plot.press('+');
  await page.waitForTimeout(60);
  assert.notEqual(await canvasOf(page, 'chart-equity'), whole, '+ zooms');
  assert.deepEqual(faults, []);
  await close();
});

await check('a finger reads, pans and scrolls the page', async () => {
  const { page, faults, close } = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const plot = page.locator('#chart-equity .chart-plot');
  await plot.scrollIntoViewIfNeeded();
  const last = await readoutOf(page, 'chart-equity');
  const box = await plot.boundingBox();
  await page.touchscreen.tap(box.x + box.width / 2, box.y + 60);
  await page.waitForTimeout(80);
  assert.notEqual(await readoutOf(page, 'chart-equity'), last, 'what was tapped stays in the read-out');
  assert.equal(await plot.evaluate((p) => getComputedStyle(p).touchAction), 'pan-y');
  assert.deepEqual(faults, []);
  await close();
});

await check('prices: symbol, day, marks, the way from a table', async () => {
  const { page, faults, close } = await open();
  if (await page.locator('#price-symbol').count() === 0) return close();
  const first = await canvasOf(page, 'chart-prices');
  await page.locator('#price-symbol').selectOption({ index: 1 });
  await page.waitForTimeout(60);
  assert.notEqual(await canvasOf(page, 'chart-prices'), first);
  const days = await page.locator('#price-span option').count();
  if (days > 1) {
    await page.locator('#price-span').selectOption({ index: 1 });
    await page.waitForTimeout(60);
    await page.locator('#prices').screenshot(shots ? { path: join(shots, 'prices-day.png') } : {});
    const plot = page.locator('#chart-prices .chart-plot');
    await plot.focus();
    await plot.press('Home');
    let seen = '';
    for (let k = 0; k < 400 && !/Exit/.test(seen); k++) {
      await plot.press('ArrowRight');
      await page.evaluate(() => new Promise(requestAnimationFrame));
      seen += await readoutOf(page, 'chart-prices');
    }
    assert.match(seen, /Entry (long|short)[\s\S]*Exit (long|short)/, 'the cursor reads entries and exits');
  }
  const button = page.locator('button[data-symbol]').first();
  const symbol = await button.getAttribute('data-symbol');
  await button.click();
  await page.waitForTimeout(60);
  const chosen = await page.locator('#price-symbol').evaluate((s) => s.selectedOptions[0].textContent);
  assert.ok(chosen.startsWith(symbol), chosen);
  assert.deepEqual(faults, []);
  await close();
});

await check('every chart shows its table and comes back', async () => {
  const { page, faults, close } = await open();
  for (const host of await page.locator('.chart').all()) {
    const button = host.getByRole('button', { name: 'Show as table' });
    await button.click();
    assert.ok(await host.locator('.chart-table tbody tr').count() > 0);
    assert.equal(await host.locator('.chart-plot').isVisible(), false);
    await host.getByRole('button', { name: 'Show as chart' }).click();
    assert.equal(await host.locator('.chart-plot').isVisible(), true);
  }
  assert.deepEqual(faults, []);
  await close();
});

await check('tables are accessible too', async () => {
  const { page, close } = await open();
  await page.evaluate(() => {
    for (const button of document.querySelectorAll('.chart-buttons button')) if (button.textContent === 'Show as table') button.click();
  });
  await axe(page, 'tables');
  await close();
});

await check('theme button, resizing, printing', async () => {
  const { page, faults, close } = await open();
  const light = await canvasOf(page, 'chart-equity');
  await page.locator('#theme').click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  assert.notEqual(await canvasOf(page, 'chart-equity'), light, 'the canvas takes the colours of the theme');
  await page.reload();
  await page.waitForSelector('html[data-ready="1"]');
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'the choice is kept');
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForTimeout(120);
  const wide = await page.evaluate(() => document.querySelector('#chart-equity canvas').clientWidth);
  assert.ok(wide < 700, `canvas ${wide} px wide`);
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light');
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  if (shots) await page.pdf({ path: join(shots, 'print.pdf'), format: 'A4' });
  assert.deepEqual(faults, []);
  await close();
});

await finish();
