// TEST_MODE: a day of open, mid and close is started, followed as it runs, and read afterwards.

import { api, busy, byId, duration, el, empty, failure, fill, number, outcome, showFaults, table, time, utc } from './shared_utils.js';
import { ask } from './dialog.js';
import { logLine } from './log_line.js';
import { startPanel } from './panel.js';
import { count, facts, gain, money, percent, tile } from './parts.js';
import { dollars, timeChart } from './run_parts.js';

const MOST_LINES = 300;
const KIND = { finished: 'good', failed: 'bad', interrupted: 'bad', running: 'warn', cancelled: '' };
const STEP = { waiting: 'waiting', 'no window': 'waiting', over: 'done' };
const USUAL = { data: 'generated_minutes', date: '2024-12-02', seconds: '20' };

const stateTag = (state) => el('span', { class: `tag ${KIND[state] ?? ''}` }, state);
const post = (deed, body) => api(`/api/v1/test/${deed}`, { method: 'POST', body });

let active = null;
let results = [];

// ---------------------------------------------------------------- the form

const form = el('form', { novalidate: true });
const data = el('select', { id: 'data', name: 'data', 'aria-describedby': 'about' });
const date = el('input', { id: 'date', name: 'date', type: 'date', value: USUAL.date });
const seconds = el('input', { id: 'seconds', name: 'seconds', type: 'number', min: '0', max: '3600', value: USUAL.seconds, 'aria-describedby': 'seconds-hint' });
const about = el('p', { class: 'hint', id: 'about', role: 'status' });
const go = el('button', { class: 'primary', id: 'go' }, 'Start the test');
const said = el('span', { class: 'outcome', role: 'status' });
const field = (label, input, hint) => el('div', { class: 'field' }, el('label', { for: input.id }, label), input, hint);
form.append(
  el('div', { class: 'fields' }, field('Data set', data, about), field('Day', date), field('Seconds that the day lasts', seconds, el('p', { class: 'hint', id: 'seconds-hint' }, '0: as fast as it can be.'))),
  el('div', { class: 'actions' }, go, said));
byId('start').append(form);

async function showData(keepDate = false) {
  const wanted = data.value;
  about.textContent = 'Looking at the data ...';
  try {
    const set = await api(`/api/v1/datasets/${encodeURIComponent(wanted)}`);
    if (wanted !== data.value) return;
    about.textContent = `${set.bar} bars of ${number(set.symbols.length)} symbols, ${set.from} to ${set.to}.`;
    Object.assign(date, { min: set.from, max: set.to });
    if (!keepDate) date.value = wanted === USUAL.data ? USUAL.date : set.to;
  } catch (error) {
    about.textContent = error.message;
  }
}
data.addEventListener('change', () => showData());

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  outcome(said, '');
  const body = { data: data.value, date: date.value, seconds: Number(seconds.value) };
  let refused = null;
  const done = await ask({
    title: 'Start a test',
    body: [`The strategies trade ${body.date} of ${body.data} in a folder of their own.`, 'Live trading cannot be started until the test is over or stopped.'],
    action: 'Start',
    act: async () => {
      try {
        return await post('start', body);
      } catch (error) {
        if (error.status !== 422) throw error;
        refused = error;
        return {};
      }
    },
  });
  const { first, rest } = showFaults(form, refused?.fields ?? {});
  if (refused) {
    first?.focus();
    outcome(said, [first ? '' : refused.message, ...rest].join(' '), 'bad');
  } else if (done) {
    show(done);
  }
});

// ---------------------------------------------------------------- the test that runs

const running = byId('running');
const parts = {
  title: el('h2', {}), deeds: el('div', { class: 'actions' }),
  bar: el('progress', { role: 'progressbar', max: '100', 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-label': 'Progress of the day' }),
  words: el('span', { class: 'hint' }), steps: el('ol', { class: 'steps', 'aria-label': 'Sequence of the strategies' }), tiles: el('dl', { class: 'tiles' }),
  note: el('p', { class: 'summary', role: 'alert', hidden: true }), about: el('div'), chart: el('div', { class: 'chart' }),
  log: el('div', { class: 'log inset fades', role: 'log', 'aria-live': 'off', 'aria-label': 'Log of the test', tabindex: '0' }),
};
const stop = el('button', { type: 'button', class: 'danger', on: { click: ({ currentTarget }) => busy(currentTarget, async () => {
  try { show(await post('reset', { only: 'stop' })); } catch (error) { outcome(said, error.message, 'bad'); load(); }
}) } }, 'Stop the test');
parts.deeds.append(stop);
running.append(el('div', { class: 'heading' }, parts.title, parts.deeds), parts.note, el('div', { class: 'progress' }, parts.bar, parts.words), parts.steps, parts.tiles, parts.about, parts.chart, parts.log);
const live = { id: null, equity: [], chart: null };

/** What a strategy is doing, in words. */
function stepWords({ stage, signals, trades, fills, pnl }) {
  const did = signals || fills ? `, ${number(signals)} ${signals === 1 ? 'order' : 'orders'}, ${number(fills)} ${fills === 1 ? 'fill' : 'fills'}, ${number(trades)} ${trades === 1 ? 'trade' : 'trades'}` : '';
  return [`${stage}${did}`, trades > 0 && el('span', {}, ' ', gain(pnl))].filter(Boolean);
}

/** A line of the session: what became of an order, or a warning. */
function sessionLine(line) {
  const { time: at = '', strategy, warning, note, side, qty, instrument, type, state, reason } = JSON.parse(line);
  const who = strategy ? `[${strategy}] ` : '';
  if (warning ?? note) return logLine({ at, rank: 'warn', event: 'warning', text: `${who}${warning ?? note}` });
  const became = String(state).toLowerCase();
  const rank = became === 'rejected' || became === 'unknown' ? 'warn' : 'info';
  return logLine({ at, rank, event: `order.${became}`, text: `${who}${side} ${number(qty, qty % 1 === 0 ? 0 : 4)} ${instrument} ${type}${reason ? `: ${reason}` : ''}` });
}

/** Shows how the test stands; `lines` and `equity` are what is new. */
function follow(test, lines, equity) {
  if (live.id !== test.id) {
    Object.assign(live, { id: test.id, equity: [], chart: null });
    parts.log.replaceChildren();
    parts.chart.replaceChildren();
  }
  running.hidden = false;
  const isActive = test.state === 'running';
  parts.title.replaceChildren('Test ', el('span', { class: 'mono' }, test.id), ' ', stateTag(test.state));
  parts.deeds.hidden = !isActive;
  parts.note.hidden = !test.message;
  parts.note.textContent = test.message ?? '';
  const share = test.of > 0 ? Math.floor(100 * test.done / test.of) : 0;
  if (test.of > 0 || !isActive) parts.bar.value = share;
  parts.bar.setAttribute('aria-valuenow', String(share));
  parts.words.textContent = test.of > 0 ? `${number(test.done)} of ${number(test.of)} bar ends, ${utc(test.clock_utc)} UTC of the day` : isActive ? 'The data are being loaded.' : '';
  parts.steps.replaceChildren(...test.strategies.map((one) => el('li', { data: { state: STEP[one.stage] ?? 'running' } },
    el('span', { class: 'step-name' }, one.strategy.toUpperCase()), el('span', { class: 'step-state' }, stepWords(one)))));
  parts.tiles.replaceChildren(tile('Trades', count(test.trades), `win rate ${percent(test.win_rate)}`), tile('Fills', count(test.fills)), tile('P&L, dollars', gain(test.pnl)), tile('Equity, dollars', money(test.equity)));
  parts.about.replaceChildren(facts([['Data', `${test.data}, ${test.date}`], ['Written to', el('span', { class: 'mono' }, `${test.folder}/`)], ['Started', el('span', {}, time(test.started_utc), ` by ${test.user}`)]]));
  const nodes = lines.map(({ log, line }) => {
    const node = sessionLine(line);
    node.dataset.log = log;
    return node;
  });
  const atEnd = parts.log.scrollHeight - parts.log.scrollTop - parts.log.clientHeight < 40;
  parts.log.querySelector('.empty')?.remove();
  parts.log.append(...nodes);
  while (parts.log.childElementCount > MOST_LINES) parts.log.firstElementChild.remove();
  if (!parts.log.hasChildNodes()) parts.log.append(empty('The strategies have not logged anything yet.'));
  if (atEnd) parts.log.scrollTop = parts.log.scrollHeight;
  live.equity.push(...equity);
  drawEquity();
}

function equityPane(points, start) {
  return { label: 'Equity, dollars', height: 200, format: dollars, baseline: start, series: [{ name: 'Equity', kind: 'line', values: Float64Array.from(points, ([, value]) => value), colour: 'accent' }] };
}
const timesOf = (points) => Float64Array.from(points, ([at]) => at);

function drawEquity() {
  if (live.equity.length < 2) return;
  const chart = { times: timesOf(live.equity), panes: [equityPane(live.equity, live.equity[0][1])] };
  if (live.chart) live.chart.setData(chart);
  else live.chart = timeChart(parts.chart, 'Equity of the test as it runs', chart);
}

// ---------------------------------------------------------------- results

const shortHash = (hash) => (hash ? el('span', { class: 'mono', title: hash }, hash.slice(0, 12)) : '');
const pnlOf = (test, name) => {
  const one = test.strategies.find(({ strategy }) => strategy === name);
  return one && one.trades > 0 ? gain(one.pnl) : el('span', { class: 'muted' }, 'none');
};

function showResults() {
  const remove = el('button', { type: 'button', class: 'small', disabled: active !== null || results.length === 0, on: { click: removeAll } }, 'Remove all results');
  byId('results-deeds').replaceChildren(remove);
  if (results.length === 0) return empty('No test has ended yet. Start one above.');
  const names = [...new Set(results.flatMap(({ strategies }) => strategies.map(({ strategy }) => strategy)))];
  return table('Results of tests', [
    { title: 'Started (UTC), written to', wrap: true, cell: (test) => [time(test.started_utc), el('div', { class: 'hint mono' }, `${test.folder}/`)] },
    { title: 'State', cell: (test) => stateTag(test.state) },
    { title: 'Data', cell: (test) => `${test.data}, ${test.date}` },
    { title: 'Trades', number: true, cell: (test) => count(test.trades) },
    { title: 'Fills', number: true, cell: (test) => count(test.fills) },
    { title: 'P&L', number: true, cell: (test) => gain(test.pnl) },
    ...names.map((name) => ({ title: name.toUpperCase(), number: true, cell: (test) => pnlOf(test, name) })),
    { title: 'Orders (SHA-256)', cell: (test) => shortHash(test.orders_sha256) },
    { title: '', end: true, cell: (test) => (test.message ? el('span', { class: 'down' }, test.message) : test.state === 'finished' && el('button', { type: 'button', class: 'small', 'aria-label': `Show the test of ${utc(test.started_utc)}`, on: { click: () => open(test) } }, 'Show')) || '' },
  ], results);
}

async function removeAll() {
  const done = await ask({ title: 'Remove all results', body: [`Journals, orders, logs and figures of ${number(results.length)} ${results.length === 1 ? 'test' : 'tests'} are removed for good.`], action: 'Remove', danger: true, act: () => post('reset', { only: 'results' }) });
  if (!done) return;
  byId('shown').replaceChildren();
  running.hidden = true;
  live.id = null;
  show(done);
}

/** The day of a test: account, candles with entries and exits, round trips. */
function open(test) {
  const host = byId('shown');
  return fill(host, async () => (await api(`/api/v1/test?id=${encodeURIComponent(test.id)}`)).shown, (shown) => {
    const account = el('div', { class: 'chart' });
    const prices = el('div', { class: 'chart' });
    const select = el('select', { id: 'symbol' }, Object.keys(shown.bars).map((name) => el('option', { value: name }, name)));
    let chart = null;
    const draw = () => {
      const bars = Object.fromEntries(Object.entries(shown.bars[select.value]).map(([key, values]) => [key, Float64Array.from(values)]));
      const drawn = { times: bars.t, marks: marks(bars, shown.trades.filter(({ instrument }) => instrument === select.value)), panes: [{ label: `${select.value}, dollars`, height: 300, format: dollars, series: [], candles: bars }] };
      if (chart) chart.setData(drawn);
      else chart = timeChart(prices, 'Prices of the day: candles with entries and exits', drawn);
    };
    select.addEventListener('change', draw);
    const title = el('h2', { id: 'shown-title', tabindex: '-1' }, 'Test ', el('span', { class: 'mono' }, test.id));
    const nodes = [
      el('section', { class: 'panel', 'aria-labelledby': 'shown-title' }, title, account,
        facts([['Orders', `${number(test.orders)} lines, SHA-256 `], ['', el('span', { class: 'mono' }, test.orders_sha256 ?? '')], ['Ledger of the test', `${number(test.ledger_entries)} entries, cash ${money(Number(test.ledger_cash))} dollars`],
          ['Written to', el('span', { class: 'mono' }, `${test.folder}/`)], ['Lasted', duration((Date.parse(test.ended_utc) - Date.parse(test.started_utc)) / 1000)]])),
      el('section', { class: 'panel', 'aria-label': 'Prices and trades' }, el('h2', {}, 'Prices and trades'),
        shown.trades.length === 0 ? empty('No trade was made on this day.') : [el('div', { class: 'toolbar' }, el('label', { for: 'symbol' }, 'Symbol', select)), prices, table('Trades of the test', TRADES, shown.trades, { sortable: true })].flat()),
    ];
    queueMicrotask(() => {
      timeChart(account, 'Account over the day: equity', { times: timesOf(shown.equity), panes: [equityPane(shown.equity, shown.equity[0]?.[1])] });
      if (select.value) draw();
      title.focus();
    });
    return nodes;
  });
}

const TRADES = [
  { title: 'Instrument', cell: (t) => t.instrument, sort: (t) => t.instrument },
  { title: 'Strategy', cell: (t) => t.strategy, sort: (t) => t.strategy },
  { title: 'Side', cell: (t) => (t.qty > 0 ? 'long' : 'short'), sort: (t) => t.qty > 0 },
  { title: 'Shares', number: true, cell: (t) => number(Math.abs(t.qty), t.qty % 1 === 0 ? 0 : 4) },
  { title: 'Entry (UTC)', cell: (t) => utc(t.entry_time).slice(11), sort: (t) => t.entry_time },
  { title: 'Entry price', number: true, cell: (t) => number(t.entry_price, 2) },
  { title: 'Exit (UTC)', cell: (t) => utc(t.exit_time).slice(11), sort: (t) => t.exit_time },
  { title: 'Exit price', number: true, cell: (t) => number(t.exit_price, 2) },
  { title: 'P&L', number: true, cell: (t) => gain(t.pnl), sort: (t) => t.pnl },
  { title: 'Reason', cell: (t) => t.reason },
];

function marks(bars, trades) {
  const at = (instant) => Math.max(0, TbotCharts.math.upperBound(bars.t, Date.parse(instant) / 1000) - 1);
  return trades.flatMap((trade) => {
    const [entry, exit] = [at(trade.entry_time), at(trade.exit_time)];
    const isLong = trade.qty > 0;
    const name = `${isLong ? 'long' : 'short'} (${trade.strategy})`;
    const colour = trade.pnl >= 0 ? 'up' : 'down';
    return [
      { index: entry, x: entry, y: trade.entry_price, shape: isLong ? 'up' : 'down', colour: isLong ? 'accent' : 'warn', text: `Entry ${name} at ${dollars(trade.entry_price)}`, to: { x: exit, y: trade.exit_price, colour } },
      { index: exit, x: exit, y: trade.exit_price, shape: trade.pnl >= 0 ? 'dot' : 'cross', colour, text: `Exit ${name} at ${dollars(trade.exit_price)}, ${trade.reason}: ${dollars(trade.pnl)}` },
    ];
  });
}

// ---------------------------------------------------------------- together

function show(answer) {
  ({ active, results } = answer);
  go.disabled = active !== null;
  if (active) {
    live.id = null;
    follow(active, active.lines, active.equity);
  } else {
    const last = results.find(({ id }) => id === live.id);
    if (last) follow(last, [], []);
  }
  const nodes = showResults();
  byId('results').replaceChildren(nodes);
}

const load = () => fill(byId('results'), () => api('/api/v1/test'), (answer) => { show(answer); });

async function begin() {
  try {
    const { datasets } = await api('/api/v1/datasets');
    data.append(...datasets.map((set) => el('option', { value: set.name, selected: set.name === USUAL.data }, `${set.name}${set.generated ? ' (generated)' : ''}`)));
    showData(true);
  } catch (error) {
    failure(about, error);
  }
  load();
}

begin();
startPanel(({ event, data: told }) => {
  if (event === 'refresh') load();
  if (event !== 'test') return;
  const { test, lines, equity } = told;
  // What was missed of a test is fetched; a test that ended is among the results.
  if (test.state !== 'running' || live.id !== test.id) load();
  else follow(test, lines, equity);
});
