// What the bot does now, from one answer of the API. What is not there is not shown, or says so.

import { api, byId, el, empty, fill, newYorkTime, number, signed, table, time, utc, words } from './shared_utils.js';
import { onShown, startPanel } from './panel.js';

const host = byId('content');
const PACE = 5_000;

function tile(name, value, detail, kind = '') {
  const isNone = value === null || value === undefined;
  return el('div', { class: 'tile' }, el('dt', {}, name),
    el('dd', {}, el('div', { class: `value ${isNone ? 'none' : kind}` }, isNone ? 'none' : value), detail && el('div', { class: 'detail' }, detail)));
}

const trend = (value) => (Number(value) > 0 ? 'up' : Number(value) < 0 ? 'down' : '');
const isInstant = (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);

/** Any value for people. */
function plain(value) {
  if (value === null || value === undefined || value === '') return el('span', { class: 'muted' }, 'none');
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return number(value, Number.isInteger(value) ? 0 : 2);
  if (isInstant(value)) return time(value);
  if (Array.isArray(value)) return value.length ? value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : words(one))).join(', ') : el('span', { class: 'muted' }, 'none');
  if (typeof value === 'object') return facts(value);
  return words(value);
}

function facts(object) {
  return el('dl', { class: 'facts' }, Object.entries(object).flatMap(([name, value]) => [el('dt', {}, words(name)), el('dd', {}, plain(value))]));
}

function panel(title, ...content) {
  return el('section', { class: 'panel' }, el('h2', {}, title), content);
}

const PARTS = { before: 'not yet', analysis: 'analysing', entries: 'entries open', monitoring: 'monitoring', over: 'over', disabled: 'disabled' };
const PART_KINDS = { analysis: 'good', entries: 'good', monitoring: 'good' };
const clock = (instant) => el('time', { datetime: instant, title: `${newYorkTime(instant)} New York` }, utc(instant).slice(11, 16));

function windowsPanel(windows) {
  if (!windows) return panel('Strategies today', empty('There are no settings, so there is no schedule.'));
  const next = windows.next_session ? `The next session is ${windows.next_session}.` : '';
  if (!windows.open) return panel('Strategies today', empty(`The exchange is closed today. ${next}`));
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

/** Parts of the answer that this page has no view for. */
const KNOWN = ['identity', 'version', 'bot_state', 'phase', 'mode', 'session', 'windows', 'trades', 'float', 'broker', 'risk', 'counters', 'coa', 'server_time_utc'];

function show(status) {
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
    windowsPanel(status.windows),
    el('div', { class: 'pair' }, panel('Risk', riskRows(risk)), panel('Counters', facts(counters))),
    el('div', { class: 'pair' },
      panel('Bot', facts({ identity: status.identity?.bot_identity ?? status.identity, version: status.version, phase: status.phase, session: status.session })),
      panel('Chart of accounts', status.coa ? facts(status.coa) : el('p', { class: 'muted' }, 'There is no chart of accounts yet.'))),
    ...Object.entries(status).filter(([name, value]) => !KNOWN.includes(name) && value !== null).map(([name, value]) => panel(words(name), plain(value))),
  ];
}

const load = () => fill(host, () => api('/api/v1/status'), (status) => {
  byId('as-of').textContent = `As of ${utc(status.server_time_utc ?? Date.now()).slice(11)} UTC`;
  return show(status);
});

let isShown = true;
onShown((shown) => {
  isShown = shown;
  if (shown) load();
});
setInterval(() => { if (isShown && !document.hidden) load(); }, PACE);
load();
startPanel((event) => { if (['status', 'bot_state', 'refresh'].includes(event.event)) load(); });
