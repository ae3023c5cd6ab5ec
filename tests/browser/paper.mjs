// A paper session on played data in Chromium, against a real program: node paper.mjs TBOT [SCREENSHOT_DIR]

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { axe, finish, shot } from './harness.mjs';
import { USER, child, folder, logIn, look, page, quiet, ready, visit } from './program.mjs';

const VIEWER = { username: 'vic', password: 'viewers only look around' };
/** Times as fast as time: a session of six and a half hours in a minute and a half. */
const SPEED = 240;

/** Sets settings of the bot in its page. */
async function set(values) {
  await page.goto('/settings');
  await ready();
  for (const [name, value] of Object.entries(values)) {
    const input = page.locator(`#${name}`);
    if (typeof value === 'boolean') await input.setChecked(value);
    else if (await input.evaluate((one) => one.tagName) === 'SELECT') await input.selectOption(String(value));
    else await input.fill(String(value));
  }
  await page.click('#review:enabled');
  await page.click('dialog button.primary');
  await page.waitForSelector('#about.good');
}

/** The frame of a panel of the dashboard, shown. */
async function panelOf(target, name) {
  await ready(target);
  const link = target.locator(`[data-panel="${name}"]`);
  if (!await link.isVisible()) await target.click('#menu summary');
  await link.click();
  const frame = await (await target.waitForSelector(`#panel-${name}`)).contentFrame();
  await ready(frame);
  return frame;
}

const state = (text) => page.waitForSelector(`#bot-state:has-text("${text}")`, { timeout: 60_000 });
const api = (target, path) => target.evaluate(async (from) => (await fetch(from)).json(), path);
const textOf = (frame, part) => frame.locator(`[data-part="${part}"]`).innerText();

await quiet('without data to play nothing starts, and the dialogue says why', async () => {
  await page.goto('/main');
  await ready();
  const frame = await panelOf(page, 'status');
  await frame.waitForSelector('text=No session ran since the start of the core');
  assert.equal(await frame.locator('text=Start live').count(), 0, 'the simulated broker has no money');
  await frame.click('text=Start on paper');
  await frame.click('dialog button.primary');
  await frame.waitForSelector('dialog [role="alert"]:has-text("SIM_DATA names no data set")');
  await axe(frame, 'a start that was refused');
  await frame.click('dialog button:has-text("Cancel")');
  assert.ok(await page.locator('#mode').isHidden(), 'nothing trades, so no mode is shown');
  await look('paper-idle');
});

await quiet('a session is started, and the page follows its clock, its strategies, positions and executions', async () => {
  await set({ SIM_DATA: 'generated_minutes', SIM_SPEED: SPEED });
  await page.goto('/main');
  await ready();
  const frame = await panelOf(page, 'status');
  await frame.click('text=Start on paper');
  await shot(page, 'paper-start');
  await frame.click('dialog button.primary');
  await state('analyzing');
  await page.waitForSelector('#mode:has-text("PAPER")');
  await frame.waitForSelector('[data-part^="Strategies on "] .tag:has-text("analysing")');
  assert.equal(await frame.locator('text=Start on paper').count(), 0);
  // Everything that follows comes by the stream of events: nothing is loaded again.
  await frame.waitForSelector('[data-part^="Strategies on "] .tag:has-text("entries open")', { timeout: 60_000 });
  await frame.waitForSelector('[aria-label="Positions"] tbody tr', { timeout: 60_000 });
  await frame.waitForSelector('[aria-label^="Executions"] tbody tr');
  const { session } = await api(page, '/api/v1/status');
  assert.match(await textOf(frame, 'tiles'), /% (below|above) it/);
  for (const [name, shares] of Object.entries(session.positions)) {
    const row = frame.locator('[aria-label="Positions"] tr', { hasText: name });
    if (await row.count() > 0) assert.match(await row.innerText(), shares > 0 ? /long\s+\+/ : /short\s+-/);
  }
  await look('paper-running');
  await axe(frame, 'the status of a session');
  const before = await frame.innerText('[data-part="session"] time');
  await frame.waitForFunction((old) => document.querySelector('[data-part="session"] time').innerText !== old, before);
  const shown = await frame.innerText('body');
  assert.doesNotMatch(shown, /undefined|NaN|\[object|Clock utc|null/, 'every value is for people');
});

await quiet('the band of the mode is over the panels that are opened alone, too', async () => {
  const alone = await visit();
  await logIn(alone, USER);
  await alone.goto('/status');
  await ready(alone);
  await alone.waitForSelector('#mode:has-text("PAPER")');
  await alone.waitForSelector('[aria-label="Trades, newest first"] tbody tr', { timeout: 60_000 });
  await look('paper-status', alone);
  await alone.context().close();
});

await quiet('what is focused and scrolled stays as it is while the page moves on', async () => {
  const frame = await panelOf(page, 'status');
  const stop = frame.locator('button:has-text("Stop the session")');
  await stop.focus();
  const clock = await frame.innerText('[data-part="session"] time');
  await frame.waitForFunction((old) => document.querySelector('[data-part="session"] time').innerText !== old, clock);
  assert.equal(await frame.evaluate(() => document.activeElement.textContent), 'Stop the session');
});

await quiet('a viewer sees the session and nothing to change it', async () => {
  const created = await page.evaluate(async ({ username, password, current }) => {
    const { csrf_token: token } = await (await fetch('/api/v1/session')).json();
    const answer = await fetch('/api/v1/users', { method: 'POST', headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': token }, body: JSON.stringify({ username, password, email: 'vic@example.com', role: 'viewer', current_password: current }) });
    return answer.status;
  }, { ...VIEWER, current: USER.password });
  assert.equal(created, 201);
  const viewer = await visit();
  await logIn(viewer, VIEWER);
  await ready(viewer);
  await viewer.waitForSelector('#mode:has-text("PAPER")');
  assert.equal(await viewer.locator('#kill').count(), 0);
  const frame = await panelOf(viewer, 'status');
  await frame.waitForSelector('[data-part^="Strategies on "]');
  assert.deepEqual(await frame.locator('button').allInnerTexts(), []);
  await shot(viewer, 'paper-viewer', { fullPage: true });
  await viewer.context().close();
});

await quiet('the ledger shows executions as they are booked, and every entry balances', async () => {
  const frame = await panelOf(page, 'ledger');
  await frame.waitForSelector('[aria-label="Ledger entries"] tbody tr');
  const first = await frame.innerText('[aria-label="Ledger entries"] tbody tr');
  await frame.waitForFunction((old) => document.querySelector('[aria-label="Ledger entries"] tbody tr').innerText !== old, first, { timeout: 60_000 });
  const { entries } = await api(page, '/api/v1/ledger?limit=200');
  const booked = entries.filter(({ source }) => source === 'fill');
  assert.ok(booked.length > 0);
  for (const { id, lines, flags } of booked) {
    const cents = (name) => lines.reduce((sum, line) => sum + Math.round(Number(line[name]) * 1e6), 0);
    assert.equal(cents('debit'), cents('credit'), `entry ${id}`);
    assert.ok(flags.includes('paper'), `entry ${id} is marked`);
  }
  await axe(frame, 'the ledger in a session');
  await shot(page, 'paper-ledger');
});

await quiet('a session is stopped after it was asked, and the bot is idle again when all is closed', async () => {
  const frame = await panelOf(page, 'status');
  await frame.click('button:has-text("Stop the session")');
  await frame.waitForSelector('dialog[open]');
  await axe(frame, 'the dialogue of the stop');
  await shot(page, 'paper-stop');
  await frame.click('dialog button:has-text("Cancel")');
  assert.match(await page.innerText('#bot-state'), /analyzing|trading|monitoring/);
  await frame.click('button:has-text("Stop the session")');
  await frame.click('dialog button.primary');
  // Over the page that says that positions are being closed, and back by itself.
  await page.waitForFunction(() => location.pathname === '/main' && document.getElementById('bot-state')?.textContent === 'idle', null, { timeout: 60_000, polling: 250 })
    .catch(async () => assert.fail(`${page.url()}: ${await page.innerText('#bot-state')}`));
  await page.goto('/main');
  const again = await panelOf(page, 'status');
  await again.waitForSelector('button:has-text("Start on paper")');
  assert.ok(await page.locator('#mode').isHidden());
  await again.waitForSelector('[data-part^="Strategies on "]');
  assert.match(await textOf(again, 'held'), /No position is held/);
  await look('paper-over');
});

await quiet('orders wait for confirmation: one is confirmed and filled, one is rejected and never sent', async () => {
  // Windows that are open long enough to decide in.
  await set({ TRADE_CONFIRMATION_REQUIRED: true, MID_BREAKOUT_TIME: 60, CLOSE_BREAKOUT_TIME: 25 });
  await page.goto('/main');
  await ready();
  const frame = await panelOf(page, 'status');
  await frame.click('text=Start on paper');
  await frame.click('dialog button.primary');
  const rows = frame.locator('[aria-label="Orders that wait for confirmation"] tbody tr');
  await rows.first().waitFor({ timeout: 120_000 });
  await axe(frame, 'orders that wait');
  await shot(page, 'paper-pending');
  const name = async (button) => /order (\d+): (.*)$/.exec(await button.getAttribute('aria-label')).slice(1);
  const confirm = rows.first().locator('button:has-text("Confirm")');
  const [, confirmed] = await name(confirm);
  await confirm.click();
  await frame.waitForSelector('#said:has-text("was confirmed")');
  await frame.locator('[aria-label^="Executions"] tbody tr', { hasText: confirmed }).first().waitFor({ timeout: 60_000 });
  await rows.first().waitFor({ timeout: 120_000 });
  const reject = rows.first().locator('button:has-text("Reject")');
  const [id] = await name(reject);
  await reject.click();
  await frame.waitForSelector('#said:has-text("was rejected")');
  const { orders } = await api(page, '/api/v1/orders/pending');
  assert.ok(!orders.some((order) => String(order.id) === id));
  const filled = await frame.locator('[aria-label^="Executions"] tbody tr').count();
  assert.ok(filled >= 1);
});

await quiet('the kill switch closes everything, and an admin goes on from there', async () => {
  await page.click('#kill');
  await page.waitForSelector('dialog[open]');
  await axe(page, 'the dialogue of the kill switch');
  await page.click('dialog button.primary');
  await page.waitForURL('**/error');
  await page.waitForSelector('#acknowledge', { timeout: 60_000 });
  assert.match(await page.innerText('#bot-state'), /shutdown/);
  const { session } = await api(page, '/api/v1/status');
  assert.deepEqual(session.positions, {});
  await look('paper-killed');
  await page.click('#acknowledge');
  await page.waitForURL('**/main**');
});

await quiet('a test day has a band of its own, and a session cannot be taken for it', async () => {
  await page.goto('/test');
  await ready();
  await page.waitForSelector('text=bars of 27 symbols');
  await page.fill('#seconds', '60');
  await page.click('#go');
  await page.click('dialog button.primary');
  await page.waitForSelector('#mode[data-mode="test"]:has-text("TEST")');
  await page.goto('/main');
  await page.waitForSelector('#mode[data-mode="test"]');
  await look('paper-test-band');
});

await quiet('real money is a band and a frame, and what the page has no view for is shown by its name', async () => {
  const real = await api(page, '/api/v1/status');
  const broker = { ...real.broker, name: 'ALPACA', health: 'degraded', latency_ms: 120.5, last_heard_utc: '2026-11-28T11:00:00Z', entries_blocked: true, failover: { to: null, tried: 2 } };
  const status = { ...real, test_mode: false, bot_state: 'trading', mode: 'live', broker, rebalance: { next_utc: '2026-11-30T19:30:00Z', drift_pct: 1.25 } };
  const live = await visit();
  await logIn(live, USER);
  await live.route('**/api/v1/status', (route) => route.fulfill({ json: status }));
  // A stream that stays open and has told this once.
  await live.addInitScript((told) => {
    window.EventSource = class extends EventTarget {
      constructor() {
        super();
        setTimeout(() => {
          this.dispatchEvent(new Event('open'));
          this.dispatchEvent(new MessageEvent('status', { data: JSON.stringify(told) }));
        });
      }

      close() {}
    };
  }, status);
  await live.goto('/status');
  await ready(live);
  await live.waitForSelector('#mode[data-mode="live"]:has-text("LIVE")');
  assert.equal(await live.evaluate(() => getComputedStyle(document.body, '::after').borderTopWidth), '4px');
  const colours = await live.evaluate(() => ['paper', 'test', 'live'].map((mode) => {
    document.getElementById('mode').dataset.mode = mode;
    return getComputedStyle(document.getElementById('mode')).backgroundColor;
  }));
  assert.equal(new Set(colours).size, 3, colours.join());
  assert.match(await textOf(live, 'Broker'), /Latency \(ms\)\s+120\.50[^]*Entries blocked\s+yes[^]*Failover[^]*To\s+none/);
  assert.match(await textOf(live, 'Rebalance'), /Next \(UTC\)\s+2026-11-30 19:30:00[^]*Drift \(%\)\s+1\.25/);
  await look('paper-live', live);
  await live.context().close();
});

child.kill('SIGTERM');
await new Promise((resolve) => { child.on('exit', resolve); });
rmSync(folder, { recursive: true, force: true });
await finish();
