// The first run and every panel in Chromium, against a real program: node first_run.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { axe, browser, check, finish, openBrowser, report as tbot, shot } from './harness.mjs';

const USER = { username: 'ada', email: 'ada@example.com', password: 'correct horse battery staple' };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const PANELS = ['status', 'logs', 'backtests', 'sweeps', 'test', 'ledger', 'coa', 'settings', 'configuration', 'account', 'keys', 'backups', 'audit'];

// ---------------------------------------------------------------- the program

/** A port that is free now. */
const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** `tbot run` on an empty folder, or again on one. */
async function start(folder = mkdtempSync(join(tmpdir(), 'tbot-first-run-'))) {
  const child = spawn(tbot, ['run', '--data-dir', folder, '--bind', `127.0.0.1:${await freePort()}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  process.on('exit', () => child.kill('SIGTERM'));
  let said = '';
  child.stderr.on('data', (text) => { said += text; });
  const origin = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^READY (http:\/\/\S+)$/.exec(line);
      if (found) resolve(found[1]);
    });
    child.on('exit', (code) => reject(new Error(`tbot run ended with ${code}: ${said}`)));
  });
  const stop = async ({ keep = false } = {}) => {
    const ended = new Promise((resolve) => { child.on('exit', resolve); });
    child.kill('SIGTERM');
    await ended;
    if (!keep) rmSync(folder, { recursive: true, force: true });
  };
  return { origin, folder, pid: child.pid, stop };
}

// ---------------------------------------------------------------- a browser that notes what goes wrong

/** Opens a browser. `expected`: patterns of console messages that belong to the check, such as a refusal. */
async function visit(origin, options = {}, expected = []) {
  const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1280, height: 800 }, baseURL: origin, ...options });
  const faults = [];
  const page = await context.newPage();
  const note = (text) => { if (!expected.some((pattern) => pattern.test(text))) faults.push(text); };
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) note(`console: ${message.text()}`); });
  page.on('pageerror', (error) => note(`error: ${error.message}`));
  context.on('request', (request) => { if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== origin) note(`request: ${request.url()}`); });
  return { context, page, faults, close: () => context.close() };
}

const ready = (target) => target.waitForSelector('html[data-ready="1"]', { state: 'attached', timeout: 20_000 });

async function sideways(target, name) {
  const over = await target.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `${name} scrolls sideways by ${over} px`);
}

/** A page in both themes and on a phone: no violation, no sideways scroll, a picture of each. */
async function look(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await axe(page, `${name}, ${colorScheme}`);
    await shot(page, `${name}-${colorScheme}`, { fullPage: true });
  }
  const before = page.viewportSize();
  await page.setViewportSize(PHONE.viewport);
  await page.emulateMedia({ colorScheme: 'light' });
  await sideways(page, `${name} on a phone`);
  await axe(page, `${name}, phone`);
  await shot(page, `${name}-phone`, { fullPage: true });
  await page.setViewportSize(before);
}

async function logIn(page) {
  await page.goto('/login');
  await page.fill('#username', USER.username);
  await page.fill('#password', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/main**');
  await ready(page);
}

async function panelOf(page, name) {
  await page.evaluate((hash) => { location.hash = hash; }, name);
  const handle = await page.waitForSelector(`#panel-${name}:not([hidden])`);
  const frame = await handle.contentFrame();
  await frame.waitForURL((url) => url.href !== 'about:blank');
  await ready(frame);
  return frame;
}

await openBrowser();
const bot = await start();

// ---------------------------------------------------------------- the first run

await check('the configuration form says what is wrong, keeps what was entered, and adapts to the broker', async () => {
  const { page, faults, close } = await visit(bot.origin, {}, [/status of 422/]);
  await page.goto('/');
  assert.equal(new URL(page.url()).pathname, '/configuration');
  await ready(page);
  assert.equal(await page.locator('h1').count(), 1);
  await look(page, 'configuration');
  await page.selectOption('#broker_code', 'ALPACA');
  assert.ok(await page.locator('#broker_api_key').isVisible());
  await shot(page, 'configuration-alpaca', { fullPage: true });
  await page.selectOption('#broker_code', 'IBKR');
  assert.ok(!await page.locator('#broker_secret_key').isVisible());
  await page.selectOption('#broker_code', 'SIM');
  assert.ok(!await page.locator('#broker_url').isVisible());
  // The browser itself finds what is missing.
  await page.click('button.primary');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'entity_code');
  assert.equal(await page.getAttribute('#entity_code', 'aria-invalid'), 'true');
  // The server finds the rest.
  await page.click('#preset-sim');
  await page.fill('#entity_code', 'NO SPACES');
  await page.click('button.primary');
  await page.waitForSelector('#faults');
  await ready(page);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'faults', 'the summary takes the focus');
  const described = await page.getAttribute('#entity_code', 'aria-describedby');
  assert.ok(described.includes('entity_code-error') && await page.locator('#entity_code-error').isVisible());
  assert.equal(await page.inputValue('#bot_id'), 'BOT1');
  await axe(page, 'configuration with faults');
  await shot(page, 'configuration-faults', { fullPage: true });
  assert.deepEqual(faults, []);
  await close();
});

const first = await visit(bot.origin, {}, [/status of (422|404)/]);

await check('the preset for the simulated broker leads through the provisioning to the registration', async () => {
  const { page, faults } = first;
  await page.goto('/configuration');
  await ready(page);
  await page.click('#preset-sim');
  await page.click('button.primary');
  await page.waitForURL(/\/(wait|register)$/);
  if (page.url().endsWith('/wait')) {
    const bar = page.locator('[role="progressbar"]');
    assert.match(await bar.getAttribute('aria-valuenow') ?? '0', /^[0-6]$/);
    await shot(page, 'wait');
  }
  await page.waitForURL('**/register', { timeout: 60_000 });
  await ready(page);
  assert.deepEqual(faults, []);
});

await check('the registration counts the password and explains a refusal', async () => {
  const { page, faults } = first;
  await look(page, 'register');
  await page.fill('#username', USER.username);
  await page.fill('#email', USER.email);
  await page.fill('#password', 'too short');
  assert.equal(await page.innerText('#password-count'), '9 of at least 12 characters');
  await page.fill('#password', USER.password);
  assert.match(await page.innerText('#password-count'), /long enough/);
  await page.fill('#password_confirm', 'something else');
  assert.equal(await page.innerText('#confirm-state'), 'Not the same yet');
  await page.click('button.primary');
  await page.waitForSelector('#faults');
  await ready(page);
  assert.equal(await page.inputValue('#username'), USER.username);
  assert.equal(await page.inputValue('#password'), '', 'a password is not sent back');
  await axe(page, 'register with faults');
  await shot(page, 'register-faults', { fullPage: true });
  await page.fill('#password', USER.password);
  await page.fill('#password_confirm', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/login');
  assert.deepEqual(faults, []);
});

await check('the login explains a failure and leads to the dashboard', async () => {
  const { page, faults, close } = await visit(bot.origin, {}, [/status of 401/]);
  await page.goto('/');
  await ready(page);
  await look(page, 'login');
  await page.fill('#username', USER.username);
  await page.fill('#password', 'not my password');
  await page.click('button.primary');
  await page.waitForSelector('#faults');
  assert.equal(await page.inputValue('#username'), USER.username);
  await shot(page, 'login-failed');
  await axe(page, 'login with a failure');
  await page.fill('#password', USER.password);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/main**');
  assert.deepEqual(faults, []);
  await close();
});
await first.close();

// ---------------------------------------------------------------- the dashboard

for (const [theme, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['phone', PHONE]]) {
  await check(`every panel of the dashboard, ${theme}`, async () => {
    const { page, faults, close } = await visit(bot.origin, options);
    await logIn(page);
    const titles = await page.locator('iframe').evaluateAll((frames) => frames.map((frame) => frame.title));
    assert.ok(titles.length === PANELS.length && titles.every(Boolean));
    for (const name of PANELS) {
      const frame = await panelOf(page, name);
      await page.waitForTimeout(150);
      assert.equal(await frame.locator('h1').count(), 1, name);
      assert.equal(await frame.locator('.failure').count(), 0, `${name}: ${await frame.locator('.failure').allInnerTexts()}`);
      await sideways(frame, name);
      await axe(frame, `${name}, ${theme}`);
      await shot(page, `main-${name}-${theme}`);
    }
    await sideways(page, 'the dashboard');
    await axe(page, `dashboard, ${theme}`);
    if (theme === 'phone') {
      await page.click('#menu summary');
      await shot(page, 'main-menu-phone');
      await axe(page, 'menu, phone');
    }
    assert.deepEqual(faults, []);
    await close();
  });
}

await check('scripts are small, and nothing jumps while a panel is filled', async () => {
  const { page, context, faults, close } = await visit(bot.origin);
  await context.addInitScript(() => {
    window.shifted = 0;
    new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.shifted += entry.value; }).observe({ type: 'layout-shift', buffered: true });
  });
  await logIn(page);
  for (const name of PANELS) {
    const frame = await panelOf(page, name);
    await page.waitForTimeout(150);
    const shifted = await frame.evaluate(() => window.shifted);
    assert.ok(shifted < 0.05, `${name} jumps by ${shifted}`);
    const modules = await frame.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name).filter((url) => url.endsWith('.js')));
    let size = 0;
    for (const url of modules) size += gzipSync(await (await context.request.get(url)).body()).length;
    assert.ok(modules.length > 0 && size <= 40 * 1024, `${name} loads ${size} bytes of scripts`);
  }
  assert.deepEqual(faults, []);
  await close();
});

await check('the chosen theme is kept and served without a flash, also in frames', async () => {
  const { page, context, faults, close } = await visit(bot.origin);
  await logIn(page);
  const frame = await panelOf(page, 'status');
  await page.click('#theme');
  await frame.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
  const html = await (await context.request.get('/main')).text();
  assert.match(html, /<html[^>]* data-theme="dark"/);
  assert.deepEqual(faults, []);
  await close();
});

await check('keys: go to a panel, filter, list of keys, switched off', async () => {
  const { page, faults, close } = await visit(bot.origin);
  await logIn(page);
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await page.waitForSelector('#panel-settings:not([hidden])');
  const frame = await panelOf(page, 'settings');
  await frame.locator('#main').focus();
  await page.keyboard.press('/');
  assert.equal(await frame.evaluate(() => document.activeElement.id), 'filter');
  await page.keyboard.type('slippage');
  const shown = await frame.locator('.setting:visible').count();
  assert.ok(shown > 0 && shown < 12, `${shown} settings`);
  await frame.locator('#main').focus();
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await axe(page, 'list of keys');
  await shot(page, 'keys-help');
  await page.check('#keys-off');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  await page.locator('#main').focus();
  await page.keyboard.press('?');
  assert.equal(await page.locator('dialog').count(), 0);
  // The skip link comes first.
  await page.reload();
  await ready(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  assert.deepEqual(faults, []);
  await close();
});

// ---------------------------------------------------------------- deeds

await check('a setting is checked while typed, shown before and after, and saved as a new version', async () => {
  const { page, faults, close } = await visit(bot.origin, {}, [/status of 422/]);
  await logIn(page);
  const frame = await panelOf(page, 'settings');
  const before = await frame.innerText('#version');
  await frame.fill('#MAX_TRADES', '1000');
  await frame.waitForSelector('#MAX_TRADES[aria-invalid="true"]');
  await axe(frame, 'settings with a fault');
  await shot(page, 'settings-fault');
  assert.ok(await frame.locator('#review').isDisabled());
  await frame.fill('#MAX_TRADES', '3');
  await frame.waitForSelector('#review:enabled');
  assert.equal(await frame.getAttribute('#MAX_TRADES', 'aria-invalid'), null);
  await frame.click('#review');
  await frame.waitForSelector('dialog[open]');
  assert.match(await frame.innerText('dialog'), /MAX_TRADES\s+4\s+3/);
  await axe(frame, 'diff of settings');
  await shot(page, 'settings-diff');
  await frame.click('dialog button.primary');
  await frame.waitForFunction((old) => document.getElementById('version').textContent !== old, before);
  assert.equal(await frame.inputValue('#MAX_TRADES'), '3');
  assert.deepEqual(faults, []);
  await close();
});

await check('two who change settings at once: the second is told and keeps what was entered', async () => {
  const [one, two] = [await visit(bot.origin), await visit(bot.origin, {}, [/status of 409/])];
  await logIn(one.page);
  await logIn(two.page);
  const [early, late] = [await panelOf(one.page, 'settings'), await panelOf(two.page, 'settings')];
  await late.fill('#MAX_OPEN_POSITIONS', '7');
  await late.waitForSelector('#review:enabled');
  await early.fill('#API_RETRY_LIMIT', '4');
  await early.click('#review:enabled');
  await early.click('dialog button.primary');
  await early.waitForSelector('#about.good');
  await late.click('#review');
  await late.click('dialog button.primary');
  await late.waitForSelector('#check.bad');
  assert.equal(await late.inputValue('#MAX_OPEN_POSITIONS'), '7');
  assert.equal(await late.inputValue('#API_RETRY_LIMIT'), '4');
  await shot(two.page, 'settings-conflict');
  await late.click('#review');
  await late.click('dialog button.primary');
  await late.waitForSelector('#about.good');
  assert.deepEqual([...one.faults, ...two.faults], []);
  await one.close();
  await two.close();
});

await check('a key is rotated after the password, and a wrong password is said in the dialog', async () => {
  const { page, faults, close } = await visit(bot.origin, {}, [/status of (403|422)/]);
  await logIn(page);
  const frame = await panelOf(page, 'keys');
  const fingerprint = () => frame.locator('tr', { hasText: 'smtp' }).locator('.mono').innerText();
  const before = await fingerprint();
  await frame.click('button[aria-label="Rotate the key smtp"]');
  await frame.waitForSelector('dialog[open]');
  await frame.fill('dialog input[type="password"]', 'not my password');
  await frame.click('dialog button.primary');
  await frame.waitForSelector('dialog [role="alert"]:not([hidden]), dialog [aria-invalid="true"]');
  await axe(frame, 'dialog with a fault');
  await shot(page, 'keys-dialog');
  await frame.fill('dialog input[type="password"]', USER.password);
  await frame.click('dialog button.primary');
  await frame.waitForSelector('#said.good');
  assert.notEqual(await fingerprint(), before);
  assert.deepEqual(faults, []);
  await close();
});

await check('a backup is made, and the audit log has what was done and is whole', async () => {
  const { page, faults, close } = await visit(bot.origin);
  await logIn(page);
  const backups = await panelOf(page, 'backups');
  await backups.click('#make-full');
  await backups.click('dialog button.primary');
  await backups.waitForSelector('tbody tr');
  const [download] = await Promise.all([page.waitForEvent('download'), backups.click('a[download]')]);
  assert.match(download.suggestedFilename(), /^backup_v\d+_\d{8}T\d{6}Z_full\.enc$/);
  await shot(page, 'backups-one');
  const audit = await panelOf(page, 'audit');
  await audit.waitForSelector('#verified.good');
  assert.match(await audit.innerText('tbody'), /backup\.create/);
  await audit.fill('#filter', 'login.ok');
  await audit.waitForFunction(() => [...document.querySelectorAll('tbody tr')].every((row) => row.innerText.includes('login.ok')));
  assert.ok(await audit.locator('tbody tr').count() > 0);
  assert.deepEqual(faults, []);
  await close();
});

await check('a viewer reads and finds nothing to change', async () => {
  const admin = await visit(bot.origin);
  await logIn(admin.page);
  const account = await panelOf(admin.page, 'account');
  await account.click('#add-user');
  const dialog = account.locator('dialog');
  await dialog.getByLabel('User name').fill('vic');
  await dialog.getByLabel('E-mail').fill('vic@example.com');
  await dialog.getByLabel('Password of the user').fill('viewers only look around');
  await dialog.getByLabel('Your password').fill(USER.password);
  await axe(account, 'dialog of a new user');
  await shot(admin.page, 'account-add');
  await dialog.locator('button.primary').click();
  await account.waitForSelector('#users-said.good');
  await shot(admin.page, 'account-users');
  await admin.close();
  const { page, faults, close } = await visit(bot.origin);
  await page.goto('/login');
  await page.fill('#username', 'vic');
  await page.fill('#password', 'viewers only look around');
  await page.click('button.primary');
  await page.waitForURL('**/main**');
  await ready(page);
  assert.equal(await page.locator('#kill').count(), 0);
  assert.equal(await page.locator('[data-panel="keys"]').count(), 0);
  const settings = await panelOf(page, 'settings');
  assert.equal(await settings.locator('input:enabled, select:enabled').evaluateAll((all) => all.filter((one) => one.form).length), 0);
  await axe(settings, 'settings of a viewer');
  await shot(page, 'viewer-settings');
  assert.deepEqual(faults, []);
  await close();
});

await check('the kill switch asks once, and what it stopped goes on when it is acknowledged', async () => {
  const { page, faults, close } = await visit(bot.origin, {}, [/status of (404|409)/]);
  await logIn(page);
  await page.click('#kill');
  await page.waitForSelector('dialog[open]');
  await axe(page, 'kill dialog');
  await shot(page, 'kill-dialog');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', { state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.id), 'kill', 'the focus comes back');
  await page.click('#kill');
  await page.click('dialog button.primary');
  await page.waitForURL('**/error');
  await ready(page);
  assert.match(await page.innerText('#bot-state'), /shutdown/);
  await shot(page, 'error-shutdown', { fullPage: true });
  await page.click('#acknowledge');
  await page.waitForURL('**/main**');
  assert.deepEqual(faults, []);
  await close();
});

await check('a log is followed, filtered, paused, and read back to its beginning', async () => {
  const file = join(bot.folder, 'logs/open.log');
  const line = (k, level = 'info') => `${JSON.stringify({ utc: '2026-11-30T14:30:00Z', level, strategy: 'open', event: 'signal', message: `line ${k} <b>`, detail: { symbol: 'SIM01' } })}\n`;
  writeFileSync(file, Array.from({ length: 700 }, (_, k) => line(k, k % 10 === 0 ? 'warn' : 'info')).join(''), { mode: 0o600 });
  const { page, faults, close } = await visit(bot.origin);
  await logIn(page);
  const frame = await panelOf(page, 'logs');
  const last = () => frame.locator('.line').last().innerText();
  const first = () => frame.locator('.line').first().innerText();
  await frame.waitForFunction(() => document.querySelectorAll('.line').length === 200);
  assert.match(await last(), /line 699 <b>/, 'text is text');
  appendFileSync(file, line(700, 'error'));
  await frame.waitForFunction(() => document.getElementById('log').lastElementChild.innerText.includes('line 700'));
  await shot(page, 'logs-lines');
  await axe(frame, 'logs with lines');
  await frame.selectOption('#level', 'warn');
  assert.match(await frame.innerText('#note'), /filtered out/);
  assert.ok(await frame.locator('.line:visible').evaluateAll((lines) => lines.every((one) => one.dataset.level !== 'info')));
  await frame.selectOption('#level', 'debug');
  await frame.click('#pause');
  appendFileSync(file, line(701));
  await frame.waitForFunction(() => document.getElementById('note').textContent.includes('1 waiting'));
  await frame.click('#pause');
  assert.match(await last(), /line 701/);
  for (let k = 0; k < 4 && await frame.locator('#older').isEnabled(); k++) {
    const before = await first();
    await frame.click('#older');
    await frame.waitForFunction((old) => document.querySelector('.line').innerText !== old, before);
  }
  assert.match(await first(), /line 0 /);
  assert.equal(await frame.locator('.line').count(), 500, 'no more than 500 lines in the page');
  assert.deepEqual(faults, []);
  await close();
});

await check('when the web is killed the page says how old it is, and recovers', async () => {
  const { page, close } = await visit(bot.origin);
  await logIn(page);
  const frame = await panelOf(page, 'status');
  const children = readFileSync(`/proc/${bot.pid}/task/${bot.pid}/children`, 'utf8').trim().split(' ');
  const web = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] === 'web');
  process.kill(Number(web), 'SIGKILL');
  await page.waitForSelector('#stale:not([hidden])');
  await frame.waitForSelector('html[data-stale]', { state: 'attached' });
  await shot(page, 'stale');
  await page.waitForSelector('#stale', { state: 'hidden', timeout: 60_000 });
  await frame.waitForSelector('html:not([data-stale])', { state: 'attached' });
  await close();
});

await check('when the session ends, the whole window goes to the login', async () => {
  const { page, close } = await visit(bot.origin);
  await logIn(page);
  await panelOf(page, 'status');
  await page.click('form[action="/logout"] button');
  await page.waitForURL('**/login');
  await close();
});

await bot.stop({ keep: true });

// ---------------------------------------------------------------- halted

await check('a key that was exchanged halts the bot: the error page says what is wrong and repairs it', async () => {
  const key = join(bot.folder, 'storage/keys/smtp.key');
  writeFileSync(key, readFileSync(join(bot.folder, 'storage/keys/alert.key')));
  const halted = await start(bot.folder);
  const { page, faults, close } = await visit(halted.origin, {}, [/status of (409|422)/]);
  await page.goto('/');
  assert.equal(new URL(page.url()).pathname, '/error');
  await ready(page);
  await look(page, 'error-anonymous');
  await page.goto('/login');
  await page.fill('#username', USER.username);
  await page.fill('#password', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/error');
  await ready(page);
  assert.match(await page.innerText('[role="alert"]'), /smtp/);
  await look(page, 'error');
  await page.click('#acknowledge');
  await page.waitForSelector('#outcome.summary');
  await axe(page, 'error page after a refusal');
  await shot(page, 'error-refused', { fullPage: true });
  for (const name of ['status', 'logs', 'audit']) {
    await page.goto(`/${name}`);
    await ready(page);
    await sideways(page, name);
    await axe(page, `${name}, halted`);
    await shot(page, `alone-${name}`);
  }
  await page.goto('/error');
  await ready(page);
  await page.selectOption('#rotate-category', 'smtp');
  await page.click('#rotate button');
  await page.fill('dialog input[type="password"]', USER.password);
  await Promise.all([page.waitForEvent('load'), page.click('dialog button.primary')]);
  await ready(page);
  // What only the old key could read is entered again.
  await page.click('summary:has-text("E-mail")');
  await page.fill('#smtp_host', 'smtp.example.com');
  await shot(page, 'error-configuration', { fullPage: true });
  await axe(page, 'error page with a form of the configuration');
  await page.click('form[data-category="smtp"] button.primary');
  await page.fill('dialog input[type="password"]', USER.password);
  await page.click('dialog button.primary');
  await page.waitForSelector('form[data-category="smtp"] .outcome.good');
  await page.click('#acknowledge');
  await page.waitForURL('**/main**').catch(async () => assert.fail(await page.innerText('#outcome')));
  assert.deepEqual(faults, []);
  await close();
  await halted.stop();
});

// ---------------------------------------------------------------- without a script

await check('the first run works without JavaScript', async () => {
  const other = await start();
  const { page, faults, close } = await visit(other.origin, { javaScriptEnabled: false });
  await page.goto('/');
  await page.fill('#entity_code', 'DEMO');
  await page.fill('#jurisdiction_code', 'USA');
  await page.fill('#bot_id', 'BOT1');
  await page.selectOption('#broker_code', 'SIM');
  await page.click('button.primary');
  await page.waitForURL('**/register', { timeout: 60_000 });
  await page.fill('#username', USER.username);
  await page.fill('#email', USER.email);
  await page.fill('#password', USER.password);
  await page.fill('#password_confirm', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/login');
  await page.fill('#username', USER.username);
  await page.fill('#password', USER.password);
  await page.click('button.primary');
  await page.waitForURL('**/main');
  assert.deepEqual(faults, []);
  await close();
  await other.stop();
});

await finish();
