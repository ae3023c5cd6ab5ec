// What the bot does now, from one answer of the API and from what is told as it happens. What is not there is not
// shown, or says so.

import { api, busy, byId, el, empty, fill, isAdmin, newYorkTime, number, outcome, signed, table, time, utc, words } from './shared_utils.js';
import { ask } from './dialog.js';
import { onShown, startPanel } from './panel.js';
import { count, gain } from './parts.js';

const host = byId('content');
const said = byId('said');
const PACE = 30_000;
const MOST_FILLS = 20;

// ---------------------------------------------------------------- words and values

/** Names of fields that are no words as they stand. */
const LABELS = { clock_utc: 'Clock (UTC)', id: 'Session', bot_identity: 'Identity', pnl: 'Profit and loss', bars: 'Bars heard', coa: 'Chart of accounts' };
const ABBREVIATIONS = { utc: '(UTC)', ms: '(ms)', pct: '(%)', id: 'ID', pnl: 'P&L', usd: 'USD', api: 'API' };
/** Parts of the answer that this page has a view for; what comes beside them is shown as it is. */
const KNOWN = ['identity', 'version', 'bot_state', 'phase', 'mode', 'session', 'windows', 'trades', 'float', 'broker', 'risk', 'counters', 'coa', 'server_time_utc', 'test_mode'];

const isNone = (value) => value === null || value === undefined || value === '';
const isInstant = (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);
const muted = (text) => el('span', { class: 'muted' }, text);
const percent = (share, digits = 1) => (isNone(share) ? null : `${number(share * 100, digits)} %`);
const money = (value) => (isNone(value) ? null : signed(value));
const trend = (value) => (Number(value) > 0 ? 'up' : Number(value) < 0 ? 'down' : '');
const clock = (instant) => el('time', { datetime: instant, title: `${newYorkTime(instant)} New York` }, utc(instant).slice(11, 16));
const plural = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;
const quantity = (value) => number(value, Number.isInteger(value) ? 0 : 4);
const code = (name) => words(name).toUpperCase();

/** The name of a field as a heading. */
const title = (name) => LABELS[name] ?? name.split('_').map((word) => ABBREVIATIONS[word] ?? word).join(' ').replace(/^./, (letter) => letter.toUpperCase());

/** Any value for people. */
function plain(value) {
  if (isNone(value)) return muted('none');
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return number(value, Number.isInteger(value) ? 0 : 2);
  if (isInstant(value)) return time(value);
  if (Array.isArray(value) && value.length > 0) return el('ul', {}, value.map((one) => el('li', {}, plain(one))));
  if (typeof value === 'object') return Object.keys(value).length > 0 ? facts(value) : muted('none');
  return String(value);
}

const facts = (object, hidden = []) => list(Object.entries(object).filter(([name]) => !hidden.includes(name)).map(([name, value]) => [title(name), plain(value)]));
const list = (pairs) => el('dl', { class: 'facts short' }, pairs.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));

function tile(name, value, detail, kind = '') {
  return el('div', { class: 'tile' }, el('dt', {}, name),
    el('dd', {}, el('div', { class: `value ${isNone(value) ? 'none' : kind}` }, isNone(value) ? 'none' : value), detail && el('div', { class: 'detail' }, detail)));
}

const panel = (heading, ...content) => el('section', { class: 'panel', data: { part: heading } }, el('h2', {}, heading), content);

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

/** What an admin may do with sessions now. The simulated broker knows no money. */
function controls({ bot_state: state, broker }) {
  if (!isAdmin) return [];
  const button = (text, act, kind) => el('button', { type: 'button', class: kind, on: { click: act } }, text);
  if (SESSION_STATES.includes(state)) return [button('Stop the session', stopSession)];
  if (state !== 'idle') return [];
  return [button('Start on paper', () => startSession('paper'), 'primary'), broker?.name !== 'SIM' && button('Start live', () => startSession('live'), 'danger')].filter(Boolean);
}

/** Sends an order that waits for confirmation, or drops it. */
const decide = (order, word, button) => busy(button, async () => {
  try {
    await api(`/api/v1/orders/pending/${order.id}/${word}`, { method: 'POST', body: {} });
    outcome(said, `The order ${textOf(order)} was ${word === 'confirm' ? 'confirmed' : 'rejected'}.`);
  } catch (error) {
    outcome(said, error.status === 404 ? `The order ${textOf(order)} does not wait any more.` : error.message, 'bad');
  }
  await load();
});

const textOf = (order) => `${order.side} ${quantity(order.qty)} ${order.instrument}`;

function pendingPanel(orders) {
  if (!orders.length) return null;
  const button = (order, word, text, kind) => el('button', { type: 'button', class: `small ${kind}`, 'aria-label': `${text} order ${order.id}: ${textOf(order)}`, on: { click: ({ currentTarget }) => decide(order, word, currentTarget) } }, text);
  const shown = panel('Orders that wait for confirmation', el('p', { class: 'about' }, isAdmin ? 'Each is sent when it is confirmed, and lapses at the end of its entry window.' : 'An admin confirms or rejects them. They lapse at the end of their entry window.'),
    table('Orders that wait for confirmation', [
      { title: 'Order', cell: textOf },
      { title: 'Type', cell: (one) => words(one.order_type) },
      { title: 'Strategy', cell: (one) => code(one.strategy) },
      { title: 'Decided', number: true, cell: (one) => clock(one.decided) },
      { title: 'Lapses', number: true, cell: (one) => (one.lapses ? clock(one.lapses) : '') },
      ...(isAdmin ? [{ title: 'Decision', end: true, cell: (one) => [button(one, 'confirm', 'Confirm', 'primary'), button(one, 'reject', 'Reject', '')] }] : []),
    ], orders));
  shown.classList.add('urgent');
  return shown;
}

// ---------------------------------------------------------------- strategies, positions, trades

const PARTS = { before: 'not yet', analysis: 'analysing', entries: 'entries open', monitoring: 'monitoring', over: 'over', disabled: 'disabled' };
const PART_KINDS = { analysis: 'good', entries: 'good', monitoring: 'good' };
const WINDOW = [
  { title: 'Strategy', cell: (one) => code(one.strategy) },
  { title: 'Now', cell: (one) => el('span', { class: `tag ${PART_KINDS[one.part] ?? ''}` }, PARTS[one.part] ?? words(one.part)) },
  { title: 'Starts', number: true, cell: (one) => clock(one.start_utc) },
  { title: 'Analysis ends', number: true, cell: (one) => clock(one.analysis_end_utc) },
  { title: 'Entries end', number: true, cell: (one) => clock(one.entry_end_utc) },
  { title: 'Ends', number: true, cell: (one) => clock(one.end_utc) },
];
const DONE = ['signals', 'entries', 'exits'].map((name) => ({ title: title(name), number: true, cell: (one) => count(one[name]) }));

/** What the strategies of the session that runs, or ran last, do on its day: that of the data that are played. */
function sessionWindows({ session }) {
  if (!session?.windows?.length) return null;
  const [name, now, ...times] = WINDOW;
  return panel(`Strategies on ${session.date}`, table('Windows of the strategies in the session, UTC', [name, now, ...DONE, ...times], session.windows));
}

/** The schedule of today, unless the session shows it already. */
function todaysWindows({ session, windows }) {
  if (!windows) return panel('Strategies today', empty('There are no settings, so there is no schedule.'));
  if (session?.windows?.length && (session.running || session.date === windows.date)) return null;
  const next = windows.next_session ? `The next session is ${windows.next_session}.` : '';
  if (!windows.open) return panel('Strategies today', el('p', { class: 'muted' }, `The exchange is closed on ${windows.date}. ${next}`));
  const hours = `${windows.date}: ${utc(windows.session_open_utc).slice(11, 16)} to ${utc(windows.session_close_utc).slice(11, 16)} UTC${windows.early_close ? ', early close' : ''}`;
  return panel('Strategies today', el('p', { class: 'about' }, hours), table('Strategy windows, UTC', WINDOW, windows.strategies));
}

function positionsPanel({ session }) {
  if (!session) return null;
  const held = Object.entries(session.positions ?? {});
  const orders = session.open_orders > 0 ? `${plural(session.open_orders, 'order')} open` : 'no order is open';
  if (held.length === 0) return panel('Positions', el('p', { class: 'muted' }, `No position is held, ${orders}.`));
  return panel('Positions', table('Positions', [
    { title: 'Instrument', cell: ([name]) => name },
    { title: 'Side', cell: ([, shares]) => (shares > 0 ? 'long' : 'short') },
    { title: 'Quantity', number: true, cell: ([, shares]) => `${shares > 0 ? '+' : ''}${quantity(shares)}` },
  ], held), el('p', { class: 'hint' }, `${plural(held.length, 'position')}, ${orders}`));
}

/** Executions that were told since the page was opened, the newest first. */
const fills = [];

function fillsPanel({ session }) {
  if (!session) return null;
  if (fills.length === 0) return panel('Executions', el('p', { class: 'muted' }, 'None since this page was opened. All of them are in the ledger.'));
  return panel('Executions', table('Executions since this page was opened, newest first', [
    { title: 'Time', cell: (one) => el('time', { datetime: one.time, title: `${newYorkTime(one.time)} New York` }, utc(one.time).slice(11)) },
    { title: 'Order', cell: textOf },
    { title: 'Price', number: true, cell: (one) => number(one.price, 2) },
    { title: 'Strategy', cell: (one) => code(one.strategy) },
  ], fills));
}

function tradesPanel({ trades }) {
  if (!trades?.list?.length) return null;
  return panel('Trades', table('Trades, newest first', [
    { title: 'Strategy', cell: (one) => code(one.strategy) },
    { title: 'Instrument', cell: (one) => one.instrument },
    { title: 'Profit and loss', number: true, cell: (one) => gain(one.pnl) },
    { title: 'Side', cell: (one) => (one.qty > 0 ? 'long' : 'short') },
    { title: 'Quantity', number: true, cell: (one) => quantity(Math.abs(one.qty)) },
    { title: 'Entry', number: true, cell: (one) => clock(one.entry_time) },
    { title: 'at', number: true, cell: (one) => number(one.entry_price, 2) },
    { title: 'Exit', number: true, cell: (one) => clock(one.exit_time) },
    { title: 'at', number: true, cell: (one) => number(one.exit_price, 2) },
    { title: 'Reason', cell: (one) => words(one.reason) },
  ], trades.list));
}

// ---------------------------------------------------------------- the rest

/** Flags of risk: what is on is said in a word and a colour. */
function riskPanel({ risk }) {
  const flag = (value, on, off, kind) => el('span', { class: `tag ${value ? kind : ''}` }, value ? on : off);
  return panel('Risk', list([
    ['Kill switch', flag(risk.kill_switch, 'pulled', 'not pulled', 'bad')],
    ['Trading', flag(risk.disable_all_trades, 'disabled by settings', 'allowed', 'warn')],
    ['Defense mode', flag(risk.defense_mode, 'active', 'not active', 'warn')],
    ['Daily loss limit', percent(risk.daily_loss_limit) ?? muted('none')],
    ['Loss today', percent(risk.daily_loss, 2) ?? muted('nothing traded')],
  ]));
}

function sessionPanel({ session }) {
  if (!session) return panel('Session', el('p', { class: 'muted' }, 'No session ran since the start of the core.'));
  const { id, running, stage, halted, clock_utc: at, equity, cash } = session;
  const named = ['id', 'running', 'stage', 'halted', 'clock_utc', 'equity', 'cash', 'date', 'windows', 'positions', 'open_orders', 'waiting_orders'];
  const shown = list([
    ['Session', el('span', { class: 'mono' }, id)],
    ['Stage', running ? words(stage) : 'over'],
    ['Its clock (UTC)', at ? time(at) : muted('has not begun')],
    ['Equity, dollars', number(equity, 2)],
    ['Cash, dollars', number(cash, 2)],
    ...(halted ? [['Opens nothing', el('span', { class: 'tag warn' }, words(halted))]] : []),
  ]);
  shown.append(...facts(session, named).childNodes);
  return panel('Session', shown);
}

function botPanel({ identity, version, coa }) {
  const chart = coa ? [el('span', {}, `version ${coa.coa_version}, ${plural(coa.accounts, 'account')}, ${coa.currency_code}`), el('div', { class: 'hint' }, 'changed ', time(coa.last_updated_utc))] : muted('none');
  return panel('Bot', list([['Identity', identity?.bot_identity ?? muted('none')], ['Version', version], ['Chart of accounts', chart]]));
}

/** What is said of the broker beside its name, and whatever else this page has no view for. */
function others(status) {
  const { name, configured, health, ...more } = status.broker ?? {};
  const found = Object.entries({ broker: Object.keys(more).length > 0 ? { health, ...more } : null, rebalance: status.float?.rebalance, ...Object.fromEntries(Object.entries(status).filter(([key]) => !KNOWN.includes(key))) });
  return found.filter(([, value]) => !isNone(value)).map(([key, value]) => panel(title(key), plain(value)));
}

/** How far what is invested is from what should be. */
function floatDetail({ target, deviation_pct: deviation }) {
  if (isNone(target)) return null;
  const apart = isNone(deviation) ? '' : `, ${number(Math.abs(deviation), 1)} % ${deviation < 0 ? 'below' : 'above'} it`;
  return `target ${percent(target)}${apart}`;
}

function tiles({ bot_state: state, mode, session, trades = {}, float = {}, broker = {}, counters = {} }) {
  const unresolved = counters.unresolved_orders ?? 0;
  return el('dl', { class: 'tiles', data: { part: 'tiles' } },
    tile('State', words(state), mode ? `${words(mode)} session` : 'no session runs'),
    tile('Profit and loss today', money(trades.pnl), money(trades.cumulative_pnl) ? `${money(trades.cumulative_pnl)} in all sessions` : 'nothing traded yet', trend(trades.pnl)),
    tile('Equity', session && number(session.equity, 2), session && `${number(session.cash, 2)} in cash`),
    tile('Float', percent(float.actual), floatDetail(float)),
    tile('Win rate', percent(trades.win_rate), `${plural(trades.signals ?? 0, 'signal')}, ${plural(trades.entries ?? 0, 'entry', 'entries')}, ${plural(trades.exits ?? 0, 'exit')}`),
    tile('Broker', broker.name ?? null, broker.configured === false ? 'not configured' : broker.health, broker.health === 'not connected' ? 'muted' : ''),
    tile('Unresolved orders', number(unresolved), unresolved ? 'look at the logs' : 'all orders are accounted for', unresolved ? 'warn' : ''),
    tile('Errors', number(counters.errors ?? 0), `${number(counters.retries ?? 0)} retries, ${plural(counters.alerts ?? 0, 'alert')}, ${plural(counters.faults ?? 0, 'fault')}`, counters.errors ? 'down' : ''));
}

const side = (name, ...panels) => {
  const shown = panels.filter(Boolean);
  return shown.length > 0 ? el('div', { class: 'pair', data: { part: name } }, shown) : null;
};

const show = (status, pending) => [
  tiles(status), pendingPanel(pending), sessionWindows(status), side('held', positionsPanel(status), fillsPanel(status)), tradesPanel(status), todaysWindows(status),
  side('others', ...others(status)), side('session', sessionPanel(status), el('div', { class: 'stack' }, riskPanel(status), botPanel(status))),
].filter((node) => node !== null);

// ---------------------------------------------------------------- what moves

/** Puts new parts in the place of those that differ: what stays as it is keeps its focus and its scroll. */
function renew(parts) {
  const before = new Map([...host.children].map((part) => [part.dataset.part, part]));
  for (const [name, part] of before) if (!parts.some((one) => one.dataset.part === name)) part.remove();
  let last = null;
  for (const part of parts) {
    const old = before.get(part.dataset.part);
    const shown = old?.isEqualNode(part) ? old : part;
    if (old && shown !== old) exchange(old, part);
    if (shown !== (last ? last.nextElementSibling : host.firstElementChild)) {
      if (last) last.after(shown);
      else host.prepend(shown);
    }
    last = shown;
  }
}

/** The new part takes the place of the old one, where its tables were scrolled to, and the focus. */
function exchange(old, part) {
  const scrolled = new Map([...old.querySelectorAll('.scroll')].map((one) => [one.getAttribute('aria-label'), [one.scrollLeft, one.scrollTop]]));
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('aria-label') : null;
  old.replaceWith(part);
  for (const one of part.querySelectorAll('.scroll')) [one.scrollLeft, one.scrollTop] = scrolled.get(one.getAttribute('aria-label')) ?? [0, 0];
  if (focused) ([...part.querySelectorAll('[aria-label]')].find((one) => one.getAttribute('aria-label') === focused) ?? part.querySelector('button'))?.focus();
}

let latest = null;

function take({ status, pending }) {
  latest = { status, pending };
  byId('as-of').textContent = `As of ${utc(status.server_time_utc).slice(11)} UTC`;
  const deeds = controls(status);
  const now = deeds.map((one) => one.textContent).join();
  if (byId('deeds').dataset.now !== now) {
    byId('deeds').dataset.now = now;
    byId('deeds').replaceChildren(...deeds);
  }
  renew(show(status, pending));
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
  else if (event === 'fill') {
    fills.unshift(data);
    fills.length = Math.min(fills.length, MOST_FILLS);
    if (latest && isShown) take(latest);
  }
});
