// What the bot does now, from one answer of the API. What is not there is not shown, or says so.

import { api, byId, el, empty, fill, isAdmin, newYorkTime, number, signed, table, time, utc, words } from './shared_utils.js';
import { ask } from './dialog.js';
import { onShown, startPanel } from './panel.js';

const host = byId('content');
const PACE = 30_000;

function tile(name, value, detail, kind = '') {
  const isNone = value === null || value === undefined;
  return el('div', { class: 'tile' }, el('dt', {}, name),
    el('dd', {}, el('div', { class: `value ${isNone ? 'none' : kind}` }, isNone ? 'none' : value), detail && el('div', { class: 'detail' }, detail)));
}

const trend = (value) => (Number(value) > 0 ? 'up' : Number(value) < 0 ? 'down' : '');
const isInstant = (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);

/** The name of a field as a heading. */
const title = (name) => words(name).replace(/^./, (letter) => letter.toUpperCase());

/** Any value for people. */
function plain(value) {
  if (value === null || value === undefined || value === '') return el('span', { class: 'muted' }, 'none');
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return number(value, Number.isInteger(value) ? 0 : 2);
  if (isInstant(value)) return time(value);
  if (Array.isArray(value)) return value.length ? value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one))).join(', ') : el('span', { class: 'muted' }, 'none');
  if (typeof value === 'object') return facts(value);
  return String(value);
}

function facts(object) {
  return el('dl', { class: 'facts' }, Object.entries(object).flatMap(([name, value]) => [el('dt', {}, title(name)), el('dd', {}, plain(value))]));
}

function panel(heading, ...content) {
  return el('section', { class: 'panel' }, el('h2', {}, heading), content);
}

const PARTS = { before: 'not yet', analysis: 'analysing', entries: 'entries open', monitoring: 'monitoring', over: 'over', disabled: 'disabled' };
const PART_KINDS = { analysis: 'good', entries: 'good', monitoring: 'good' };
const clock = (instant) => el('time', { datetime: instant, title: `${newYorkTime(instant)} New York` }, utc(instant).slice(11, 16));

function windowsPanel(windows) {
  if (!windows) return panel('Strategies today', empty('There are no settings, so there is no schedule.'));
  const next = windows.next_session ? `The next session is ${windows.next_session}.` : '';
  if (!windows.open) return panel('Strategies today', el('p', { class: 'muted' }, `The exchange is closed today. ${next}`));
  const hours = `Session ${utc(windows.session_open_utc).slice(11, 16)} to ${utc(windows.session_close_utc).slice(11, 16)} UTC${windows.early_close ? ', early close' : ''}`;
  return panel('Strategies today', el('p', { class: 'about' }, hours), table('Strategy windows, UTC', [
    { title: 'Strategy', cell: (one) => words(one.strategy).toUpperCase() },
    { title: 'Now', cell: (one) => el('span', { class: `tag ${PART_KINDS[one.part] ?? ''}` }, PARTS[one.part] ?? words(one.part)) },
    { title: 'Starts', number: true, cell: (one) => clock(one.start_utc) },
    { title: 'Analysis ends', number: true, cell: (one) => clock(one.analysis_end_utc) },
    { title: 'Entries end', number: true, cell: (one) => clock(one.entry_end_utc) },
    { title: 'Ends', number: true, cell: (one) => clock(one.end_utc) },
  ], windows.strategies));
}

const percent = (share, digits = 1) => (share === null || share === undefined ? null : `${number(share * 100, digits)} %`);
const money = (value) => (value === null || value === undefined ? null : signed(value));

/** Flags of risk: what is on is said in a word and a colour. */
function riskRows(risk) {
  const flag = (value, on, off, kind) => el('span', { class: `tag ${value ? kind : ''}` }, value ? on : off);
  return el('dl', { class: 'facts' }, [
    ['Kill switch', flag(risk.kill_switch, 'pulled', 'not pulled', 'bad')],
    ['Trading', flag(risk.disable_all_trades, 'disabled by settings', 'allowed', 'warn')],
    ['Defense mode', flag(risk.defense_mode, 'active', 'not active', 'warn')],
    ['Daily loss limit', percent(risk.daily_loss_limit) ?? 'none'],
    ['Loss today', percent(risk.daily_loss, 2) ?? el('span', { class: 'muted' }, 'nothing traded')],
  ].flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

// ---------------------------------------------------------------- sessions

const SESSION_STATES = ['analyzing', 'trading', 'monitoring'];

/** Starts a session; money is only at stake after a typed word and the password. */
function startSession(mode) {
  const isLive = mode === 'live';
  return ask({
    title: isLive ? 'Start live trading' : 'Start on paper',
    body: isLive ? 'Orders go to the broker and trade real money, within the limits of the settings.' : 'Market data are the broker\'s, or with the broker SIM the newest session of the data set in SIM_DATA; orders are filled by the simulated venue. No money is at stake.',
    action: isLive ? 'Start live trading' : 'Start',
    danger: isLive,
    word: isLive ? 'LIVE' : undefined,
    password: isLive,
    act: async ({ current_password }) => {
      await api('/api/v1/control/start', { method: 'POST', body: isLive ? { mode, confirm: 'LIVE', current_password } : { mode } });
      await load();
    },
  });
}

function stopSession() {
  return ask({
    title: 'Stop the session',
    body: 'No position is opened any more, and open ones are closed in order. To close everything at once, use the kill switch.',
    action: 'Stop',
    act: async () => {
      await api('/api/v1/control/stop', { method: 'POST', body: {} });
      await load();
    },
  });
}

/** What an admin may do with sessions now. */
function controls(state) {
  if (!isAdmin) return null;
  const button = (text, act, kind) => el('button', { type: 'button', class: kind, on: { click: act } }, text);
  if (state === 'idle') return el('div', { class: 'actions' }, button('Start on paper', () => startSession('paper'), 'primary'), button('Start live', () => startSession('live'), 'danger'));
  return SESSION_STATES.includes(state) ? el('div', { class: 'actions' }, button('Stop the session', stopSession)) : null;
}

/** Sends an order that waits for confirmation, or drops it. */
const decide = (id, word) => api(`/api/v1/orders/pending/${id}/${word}`, { method: 'POST', body: {} }).finally(load);

function pendingPanel(orders) {
  if (!orders.length) return null;
  const buttons = ({ id }) => el('div', { class: 'actions' },
    el('button', { type: 'button', class: 'small primary', on: { click: () => decide(id, 'confirm') } }, 'Confirm'),
    el('button', { type: 'button', class: 'small', on: { click: () => decide(id, 'reject') } }, 'Reject'));
  return panel('Orders that wait for confirmation', table('Orders that wait for confirmation', [
    { title: 'Strategy', cell: (one) => words(one.strategy).toUpperCase() },
    { title: 'Order', cell: (one) => `${one.side} ${number(one.qty, 2)} ${one.instrument}, ${words(one.order_type)}` },
    { title: 'Lapses', number: true, cell: (one) => (one.lapses ? clock(one.lapses) : '') },
    ...(isAdmin ? [{ title: 'Decision', cell: buttons }] : []),
  ], orders));
}

function tradesPanel(trades) {
  if (!trades?.length) return null;
  return panel('Trades', table('Trades, newest first', [
    { title: 'Strategy', cell: (one) => words(one.strategy).toUpperCase() },
    { title: 'Instrument', cell: (one) => one.instrument },
    { title: 'Quantity', number: true, cell: (one) => number(one.qty, 2) },
    { title: 'Entry', number: true, cell: (one) => clock(one.entry_time) },
    { title: 'at', number: true, cell: (one) => number(one.entry_price, 2) },
    { title: 'Exit', number: true, cell: (one) => clock(one.exit_time) },
    { title: 'at', number: true, cell: (one) => number(one.exit_price, 2) },
    { title: 'Profit and loss', number: true, cell: (one) => el('span', { class: trend(one.pnl) }, signed(one.pnl)) },
    { title: 'Reason', cell: (one) => one.reason },
  ], trades));
}

/** Parts of the answer that this page has no view for. */
const KNOWN = ['identity', 'version', 'bot_state', 'phase', 'mode', 'session', 'windows', 'trades', 'float', 'broker', 'risk', 'counters', 'coa', 'server_time_utc', 'test_mode'];

function show(status, pending) {
  const { trades = {}, float = {}, broker = {}, risk = {}, counters = {} } = status;
  const unresolved = counters.unresolved_orders ?? 0;
  return [
    el('dl', { class: 'tiles' },
      tile('State', words(status.bot_state), status.mode ? `${words(status.mode)} mode` : 'no session runs'),
      tile('Profit and loss today', money(trades.pnl), money(trades.cumulative_pnl) ? `${money(trades.cumulative_pnl)} in all` : 'nothing traded yet', trend(trades.pnl)),
      tile('Win rate', percent(trades.win_rate), `${number(trades.entries ?? 0)} entries, ${number(trades.exits ?? 0)} exits`),
      tile('Signals', number(trades.signals ?? 0), 'since the start'),
      tile('Float', percent(float.actual), float.target === null || float.target === undefined ? null : `target ${percent(float.target)}`),
      tile('Broker', broker.name ?? null, broker.health, broker.health === 'not connected' ? 'muted' : ''),
      tile('Unresolved orders', number(unresolved), unresolved ? 'look at the logs' : 'all orders are accounted for', unresolved ? 'warn' : ''),
      tile('Errors', number(counters.errors ?? 0), `${number(counters.retries ?? 0)} retries`, counters.errors ? 'down' : '')),
    pendingPanel(pending),
    windowsPanel(status.windows),
    tradesPanel(trades.list),
    el('div', { class: 'pair' }, panel('Risk', riskRows(risk)), panel('Counters', facts(counters))),
    el('div', { class: 'pair' },
      panel('Session', status.session ? facts(status.session) : el('p', { class: 'muted' }, 'No session ran since the start of the core.'), controls(status.bot_state)),
      panel('Bot', facts({ identity: status.identity?.bot_identity, version: status.version, chart_of_accounts: status.coa }))),
    ...Object.entries(status).filter(([name, value]) => !KNOWN.includes(name) && value !== null).map(([name, value]) => panel(title(name), plain(value))),
  ].filter((node) => node !== null);
}

function take({ status, pending }) {
  byId('as-of').textContent = `As of ${utc(status.server_time_utc).slice(11)} UTC`;
  return show(status, pending);
}

/** The status, and the orders that wait, if it says that there are any. */
async function whole(status) {
  const waits = status.session?.waiting_orders > 0;
  return { status, pending: waits ? (await api('/api/v1/orders/pending')).orders : [] };
}

const load = () => fill(host, async () => whole(await api('/api/v1/status')), take);

let isShown = true;
onShown((shown) => {
  isShown = shown;
  if (shown) load();
});
// The windows of the day move on without an event.
setInterval(() => { if (isShown && !document.hidden) load(); }, PACE);
load();
startPanel(({ event, data }) => {
  if (event === 'status' && isShown) fill(host, () => whole(data), take);
  else if (event === 'refresh') load();
});
