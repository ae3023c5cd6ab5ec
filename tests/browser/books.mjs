// The ledger and the chart of accounts in Chromium, against a real program: node books.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { axe, finish, shot } from './harness.mjs';
import { USER, child, folder, logIn, look, page, quiet, ready, visit } from './program.mjs';

const VIEWER = { username: 'vic', email: 'vic@example.com', password: 'viewers only look around' };
const confirm = (target = page) => target.click('dialog button.primary');
const gone = () => page.waitForSelector('dialog', { state: 'detached' });

await quiet('an empty ledger says so', async () => {
  await page.goto('/ledger');
  await ready();
  assert.match(await page.innerText('#content'), /There is no entry yet/);
  await look('ledger-empty');
});

await quiet('the form of an entry tells the difference while it is filled in, and what the server refuses', async () => {
  await page.click('#add');
  await page.waitForSelector('dialog[open]');
  await page.fill('#entry-memo', '<b>Capital</b> of the owner');
  await page.selectOption('#line-0-account', '1100');
  await page.fill('#line-0-debit', '10000');
  assert.match(await page.innerText('#difference'), /10,000\.00 more debit/);
  await page.selectOption('#line-1-account', '3100');
  await page.fill('#line-1-credit', '9,999');
  assert.match(await page.innerText('#difference'), /no number/);
  await page.fill('#line-1-credit', '9999.99');
  assert.equal(await page.innerText('#difference'), 'Difference: 0.01 more debit.');
  await look('ledger-form');
  await confirm();
  await page.waitForSelector('dialog .summary:not([hidden])');
  assert.match(await page.innerText('dialog .summary'), /Debits of 10000 are not credits of 9999\.99/);
  await page.selectOption('#line-1-account', '');
  await page.fill('#line-1-credit', '10000');
  assert.match(await page.innerText('#difference'), /Balanced: 10,000\.00/);
  await confirm();
  await page.waitForSelector('#line-1-account[aria-invalid="true"]');
  await axe(page, 'entry with a fault');
  await shot(page, 'ledger-form-fault');
  await page.selectOption('#line-1-account', '3100');
  await confirm();
  await gone();
  await page.waitForSelector('#said.good');
  assert.match(await page.innerText('#content'), /<b>Capital<\/b>/, 'text is text');
});

await quiet('an entry is edited; its history tells what it was', async () => {
  await page.click('[aria-label="Edit entry 1"]');
  await page.fill('#entry-memo', 'Capital of the owner');
  await page.fill('#entry-flags', 'checked');
  await confirm();
  await gone();
  await page.click('[aria-label$="history of entry 1"]');
  await page.waitForSelector('dialog[open]');
  const text = await page.innerText('dialog');
  assert.match(text, /Version 2[\s\S]*Capital of the owner[\s\S]*Version 1[\s\S]*<b>Capital<\/b>/);
  await axe(page, 'history');
  await shot(page, 'ledger-history');
  await confirm();
  await gone();
});

async function compare(csv) {
  await page.click('#upload');
  await page.setInputFiles('#statement', { name: 'trades.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await confirm();
}

await quiet("a broker's file is compared, what the ledger lacks is booked, and differences are resolved", async () => {
  await compare('nonsense');
  await page.waitForSelector('dialog [aria-invalid="true"], dialog .summary:not([hidden])');
  await shot(page, 'ledger-upload-refused');
  await axe(page, 'upload refused');
  await page.click('dialog button[type="button"]');
  await gone();
  const header = 'Trade Date,Symbol,Side,Quantity,Price,Fees,Exec ID\n';
  await compare(`${header}2026-03-02,AAPL,BOT,100,10.5,1,e1\n2026-03-02,AAPL,SLD,100,11,1.02,e2\n2026-03-02,AAPL,hold,1,1,1,e3\n`);
  await gone();
  await page.waitForSelector('#summary');
  assert.match(await page.innerText('#summary'), /2 executions, 0 agree, 2 differ.*line 4/);
  await look('ledger-review');
  for (const left of [1, 0]) {
    // The first execution is booked first.
    await page.locator('[aria-label^="Resolve difference"]').last().click();
    await page.selectOption('dialog select', 'book');
    await page.getByLabel('Why').fill('the core was away');
    if (left) await axe(page, 'resolve');
    if (left) await shot(page, 'ledger-resolve');
    await confirm();
    await gone();
    await page.waitForFunction((n) => document.querySelectorAll('[aria-label^="Resolve difference"]').length === n, left);
  }
  await compare(`${header}2026-03-02,AAPL,BOT,100,10.6,1,e1\n2026-03-02,AAPL,SLD,100,11,1.02,e2\n`);
  await gone();
  await page.waitForSelector('#summary');
  assert.match(await page.innerText('#summary'), /1 agree, 1 differ/);
  assert.match(await page.innerText('#review'), /price: broker 10\.6, ledger 10\.5/);
  await page.click('[aria-label^="Resolve difference"]');
  assert.equal(await page.locator('dialog option[value="book"]').count(), 0, 'nothing is missing');
  await page.selectOption('dialog select', 'keep_ledger');
  await page.getByLabel('Why').fill('a typing error');
  await confirm();
  await gone();
  await page.waitForSelector('#review', { state: 'hidden' });
});

await quiet('entries are filtered by account, with a running balance', async () => {
  await page.selectOption('#account', '1100');
  await page.waitForSelector('th:has-text("Balance")');
  const balances = await page.locator('tbody tr td:nth-child(6)').allInnerTexts();
  // 10000, less 1050 and a dollar, with 1100 less 1.02.
  assert.ok(balances.some((text) => /^47\.98$|10,047\.98/.test(text)), balances.join(' | '));
  await look('ledger');
  await page.fill('#from', '2030-01-01');
  await page.locator('#from').dispatchEvent('change');
  await page.waitForSelector('.empty');
  await page.click('#clear');
  await page.waitForSelector('tbody tr');
});

await quiet('an automatic entry keeps its figures', async () => {
  await page.click('[aria-label="Edit entry 2"]');
  assert.ok(await page.locator('#line-0-debit').isDisabled());
  await shot(page, 'ledger-automatic');
  await page.fill('#entry-flags', 'reconciled, looked at');
  await page.click('dialog button[type="button"]:has-text("Cancel")');
  await gone();
});

await quiet('ledger, chart and reports are downloaded', async () => {
  const downloads = async (selector) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), 'utf8') };
  };
  await page.fill('#year', '2026');
  for (const [selector, name, content] of [
    ['#exports a:has-text("CSV")', /^ledger_\w+Z\.csv$/, /Realised gains/],
    ['#exports a:has-text("OFX")', /^ledger_\w+Z\.ofx$/, /<OFX>/],
    ['#reports a:has-text("Gains, CSV")', /^tax_2026_\w+Z\.csv$/, /AAPL,share,long,100,2026-03-02,2026-03-02,1098\.98,1051\.00,47\.98,short/],
  ]) {
    const file = await downloads(selector);
    assert.match(file.name, name);
    assert.match(file.text, content);
  }
  await page.goto('/coa');
  await ready();
  const chart = await downloads('a:has-text("Markdown")');
  assert.match(chart.name, /^coa_\w+Z\.md$/);
  assert.match(chart.text, /# Chart of accounts/);
});

await quiet('the chart is a tree that is walked with keys', async () => {
  const rows = page.locator('[role="treegrid"] tbody tr');
  const all = await rows.count();
  assert.ok(all > 20);
  await look('coa');
  await rows.first().focus();
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.code), '1100');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.evaluate(() => document.activeElement.dataset.code), '1000');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await page.getAttribute('tr[data-code="1000"]', 'aria-expanded'), 'false');
  assert.ok(await rows.count() < all);
  await page.keyboard.press('ArrowRight');
  assert.equal(await rows.count(), all);
  assert.equal(await page.getAttribute('tr[data-code="1210"]', 'aria-level'), '3');
});

await quiet('the chart is edited in place; the change is shown, refused with reasons, and saved as a version', async () => {
  await page.click('[aria-label="Edit 5900"]');
  await page.fill('[aria-label="name of 5900"]', 'Data fees');
  assert.match(await page.innerText('#changes'), /5900\s+name\s+Other fees\s+Data fees/);
  await page.click('#add');
  await page.getByLabel('Code').fill('5910');
  await page.getByLabel('Name', { exact: true }).fill('Quotes | <i>live</i>');
  await axe(page, 'dialog of an account');
  await shot(page, 'coa-add');
  await confirm();
  await gone();
  assert.match(await page.innerText('#count'), /2 accounts would change, from version 1/);
  await look('coa-edit');
  await page.click('#save');
  await page.waitForSelector('#refused:not([hidden])');
  assert.match(await page.innerText('#refused'), /reason/);
  await page.fill('#reason', 'year end');
  await page.click('#save');
  await page.waitForSelector('#said.good');
  assert.match(await page.innerText('#about'), /Version 2/);
  assert.match(await page.innerText('#history'), /Version 2: year end by ada/);
  await page.click('#history summary >> nth=0');
  assert.match(await page.innerText('#history'), /Quotes \| <i>live<\/i>/);
  await look('coa-history');
  const log = JSON.parse(readFileSync(join(folder, 'logs/web/coa_edit.log'), 'utf8').trim());
  assert.deepEqual([log.coa_version, log.reason, log.diff.added[0].code], ['2', 'year end', '5910']);
});

await quiet('two who edit the chart at once: the second is told and keeps what was entered', async () => {
  const other = await visit();
  await logIn(other, USER);
  await other.goto('/coa');
  await ready(other);
  await other.click('[aria-label="Edit 5200"]');
  await other.fill('[aria-label="name of 5200"]', 'Fees of regulators');
  await page.click('[aria-label="Remove 5910"]');
  await page.fill('#reason', 'not needed');
  await page.click('#save');
  await page.waitForSelector('#about:has-text("Version 3")');
  await other.fill('#reason', 'wording');
  await other.click('#save');
  await other.waitForSelector('#refused:not([hidden])');
  assert.match(await other.innerText('#changes'), /5200\s+name\s+Regulatory fees\s+Fees of regulators/);
  await shot(other, 'coa-conflict', { fullPage: true });
  await axe(other, 'conflict');
  await other.click('#save');
  await other.waitForSelector('#about:has-text("Version 4")');
  await other.context().close();
});

await quiet('a viewer reads the books and finds nothing to change', async () => {
  await page.evaluate(async ([viewer, password]) => {
    const token = document.querySelector('meta[name="csrf-token"]').content;
    const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': token };
    const made = await fetch('/api/v1/users', { method: 'POST', headers, body: JSON.stringify({ ...viewer, role: 'viewer', current_password: password }) });
    if (made.status !== 201) throw new Error(await made.text());
  }, [VIEWER, USER.password]);
  const viewer = await visit();
  await logIn(viewer, VIEWER);
  for (const name of ['ledger', 'coa']) {
    await viewer.goto(`/${name}`);
    await ready(viewer);
    await viewer.waitForSelector('tbody tr');
    const buttons = await viewer.locator('main button').allInnerTexts();
    assert.ok(!buttons.some((text) => /add|edit|upload|compare|save|resolve|remove/i.test(text)), buttons.join(', '));
    await look(`viewer-${name}`, viewer);
  }
  await viewer.context().close();
});

const ended = new Promise((resolve) => { child.on('exit', resolve); });
child.kill('SIGTERM');
await ended;
rmSync(folder, { recursive: true, force: true });
await finish();
