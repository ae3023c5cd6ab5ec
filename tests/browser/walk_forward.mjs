// Checks report.html of a walk-forward analysis in Chromium: node walk_forward.mjs REPORT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { axe, check, finish, open, openBrowser, shot } from './harness.mjs';

await openBrowser();

await check('the page on a screen and on a phone, in both themes', async () => {
  for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }]]) {
    const { page, faults, close } = await open(options);
    await axe(page, name);
    await shot(page, `walk-forward-${name}`, { fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} px too wide`);
    assert.equal(await page.locator('#chart-equity canvas').count(), 1);
    assert.equal(await page.locator('#chart-windows canvas').count(), 1);
    await page.locator('#chart-windows .chart-plot').focus();
    await page.keyboard.press('Home');
    await page.waitForTimeout(60);
    assert.match(await page.locator('#chart-windows .chart-readout').innerText(), /^0 in: (n\/a|-?[\d.,]+ %)$/);
    assert.deepEqual(faults, []);
    await close();
  }
});

await finish();
