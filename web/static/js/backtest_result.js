// One backtest: how far it is, then what came of it.

import { api, el, failure, fill, number, table, utc, words } from './shared_utils.js';
import { count, facts, figure, gain, money, panel, percent, ratio, tile } from './parts.js';
import { accountChart, barChart, dollars, downloads, pathOf, series, shares, timeChart, warnings } from './run_parts.js';
import { startRun } from './run_page.js';

const LIST = 'backtests';
const PIXELS = 1_200;
const PAGE = 50;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Starts the page of a backtest; gives what is to be called when something happens. */
export function startBacktest(id) {
  const path = pathOf(LIST, id);

  function result(run) {
    const { summary } = run;
    const m = summary.metrics;
    const chart = (draw) => {
      const host = el('div', { class: 'chart' });
      draw(host).catch((error) => failure(host, error));
      return host;
    };
    const costs = Object.entries(summary.costs);
    return [
      el('dl', { class: 'tiles' },
        tile('Final equity', money(summary.final_equity), `from ${money(summary.start_equity)}`),
        tile('Return', percent(m.total_return), `${percent(m.cagr)} a year`),
        tile('Sharpe', ratio(m.sharpe), `Sortino ${ratio(m.sortino)}`),
        tile('Max drawdown', percent(m.max_drawdown), `volatility ${percent(m.annual_volatility)}`),
        tile('Trades', count(summary.trades), `win rate ${percent(m.win_rate)}`),
        tile('Profit factor', ratio(m.profit_factor), `expectancy ${money(m.expectancy)}`)),
      warnings(summary.warnings),
      panel('Account', chart(async (host) => accountChart(host, await series(LIST, id, 'account', { px: Math.round(PIXELS / 5) }), summary.start_equity))),
      pricesAndTrades(run),
      panel('Returns by month', chart(async (host) => host.append(months(await series(LIST, id, 'sessions'))))),
      el('div', { class: 'pair' },
        panel('Daily returns', chart(async (host) => histogram(host, await series(LIST, id, 'sessions')))),
        panel('Costs', chart(async (host) => barChart(host, 'Costs by kind', { height: 190, head: ['Cost', 'Dollars'], format: dollars, summary: 'Dollars over the whole run', bars: costs.map(([label, value]) => ({ label, value, text: dollars(value), colour: 'warn' })) })))),
      panel('All metrics', el('div', { class: 'short' }, table('All metrics', [{ title: 'Metric', cell: ([name]) => words(name) }, { title: 'Value', number: true, cell: ([, value]) => figure(value) }], Object.entries(m)))),
      el('div', { class: 'pair' },
        panel('Assumptions', el('ul', {}, (run.run?.assumptions ?? []).map((text) => el('li', {}, text)))),
        panel('To reproduce it', facts([
          ['Strategies', summary.strategies.join(', ')],
          ['Parameters', el('span', { class: 'mono' }, JSON.stringify(summary.params))],
          ['Symbols', summary.symbols.join(', ')],
          ['Sessions', `${summary.from} to ${summary.to}: ${number(summary.sessions)}, ${number(summary.bars)} bars`],
          ['Data', run.run?.data?.source], ['Data hash', el('span', { class: 'mono' }, summary.data_hash)],
          ['Fingerprint', el('span', { class: 'mono' }, summary.fingerprint)], ['Seed', String(summary.seed)], ['Version', summary.version],
          ['Fill rule', run.run?.fill], ['Commission', run.run?.commission], ['Slippage', run.run?.slippage], ['Latency', `${run.run?.latency_ms} ms`],
          ['Ambiguous trades', `${number(summary.ambiguity.trades)} (${money(summary.ambiguity.pnl)})`],
          ['Data quality', Object.entries(summary.data_quality).map(([name, value]) => `${words(name)} ${number(value)}`).join(', ')],
        ]))),
      downloads(LIST, run),
    ];
  }

  // -------------------------------------------------------------- prices and trades

  function pricesAndTrades(run) {
    const symbols = run.summary.symbols;
    const select = el('select', { id: 'symbol' }, symbols.map((name) => el('option', { value: name }, name)));
    const whole = el('button', { type: 'button', class: 'small' }, 'Whole run');
    const span = el('span', { class: 'muted' });
    const host = el('div', { class: 'chart' });
    const rows = el('div');
    let chart = null;
    let wish = 0;

    /** Bars of a symbol with the trades in them; of the whole run, or around a trade. */
    async function draw(around) {
      const mine = ++wish;
      const symbol = select.value;
      const query = { symbol, px: PIXELS };
      if (around) {
        const [from, to] = [Date.parse(around.entry_ts) / 1000, Date.parse(around.exit_ts) / 1000];
        const pad = Math.max(7_200, (to - from) * 0.5);
        Object.assign(query, { from: from - pad, to: to + pad });
      }
      span.textContent = around ? `around the trade of ${utc(around.entry_ts)}` : 'whole run';
      try {
        const [bars, { trades }] = await Promise.all([series(LIST, id, 'bars', query), api(`${path}/trades?symbol=${encodeURIComponent(symbol)}&limit=500`)]);
        if (mine !== wish) return;
        const data = { times: bars.t, marks: marks(bars, trades), panes: [{ label: `${symbol}, dollars`, height: 300, format: dollars, series: [], candles: bars }] };
        if (chart) chart.setData(data);
        else {
          host.replaceChildren();
          chart = timeChart(host, 'Prices: candles with entries and exits', data);
        }
      } catch (error) {
        if (mine !== wish) return;
        chart = null;
        failure(host, error, () => draw(around));
      }
    }

    function marks(bars, trades) {
      const { upperBound } = TbotCharts.math;
      const end = bars.t[bars.t.length - 1];
      return trades.flatMap((trade) => {
        const [entered, left] = [Date.parse(trade.entry_ts) / 1000, Date.parse(trade.exit_ts) / 1000];
        if (bars.t.length === 0 || left < bars.t[0] || entered > end + 86_400) return [];
        const at = (t) => Math.max(0, upperBound(bars.t, t) - 1);
        const [entry, exit] = [at(entered), at(left)];
        const long = trade.side === 'buy';
        const name = `${long ? 'long' : 'short'} ${number(trade.qty, trade.qty % 1 === 0 ? 0 : 4)} (${trade.strategy})`;
        return [
          { index: entry, x: entry, y: trade.entry_price, shape: long ? 'up' : 'down', colour: long ? 'accent' : 'warn', text: `Entry ${name} at ${dollars(trade.entry_price)}`, to: { x: exit, y: trade.exit_price, colour: trade.pnl >= 0 ? 'up' : 'down' } },
          { index: exit, x: exit, y: trade.exit_price, shape: trade.pnl >= 0 ? 'dot' : 'cross', colour: trade.pnl >= 0 ? 'up' : 'down', text: `Exit ${name} at ${dollars(trade.exit_price)}, ${trade.reason}: ${dollars(trade.pnl)}` },
        ];
      });
    }

    // The table is sorted by the server: there may be very many trades.
    let sort = 'exit_ts';
    let offset = 0;
    const COLUMNS = [
      ['Symbol', 'symbol', (t) => t.symbol], ['Strategy', 'strategy', (t) => t.strategy], ['Side', 'side', (t) => (t.side === 'buy' ? 'long' : 'short')], ['Shares', 'qty', (t) => number(t.qty, t.qty % 1 === 0 ? 0 : 4), true],
      ['Entry (UTC)', 'entry_ts', (t) => utc(t.entry_ts)], ['Entry price', 'entry_price', (t) => number(t.entry_price, 2), true], ['Exit (UTC)', 'exit_ts', (t) => utc(t.exit_ts)], ['Exit price', 'exit_price', (t) => number(t.exit_price, 2), true],
      ['Result', 'pnl', (t) => gain(t.pnl), true], ['Worst', 'mae', (t) => number(t.mae, 2), true], ['Best', 'mfe', (t) => number(t.mfe, 2), true], ['Bars', 'bars_held', (t) => number(t.bars_held), true], ['Reason', 'reason', (t) => t.reason],
    ];
    const list = () => fill(rows, () => api(`${path}/trades?sort=${sort}&offset=${offset}&limit=${PAGE}`), ({ trades, total }) => {
      if (total === 0) return el('p', { class: 'empty' }, 'No trade was closed.');
      const column = sort.replace('-', '');
      const heads = COLUMNS.map(([title, key, , isNumber]) => el('th', { scope: 'col', class: isNumber ? 'number' : null, 'aria-sort': key !== column ? 'none' : sort.startsWith('-') ? 'descending' : 'ascending' },
        el('button', { type: 'button', on: { click: () => { sort = sort === key ? `-${key}` : key; offset = 0; list(); } } }, title)));
      const body = trades.map((trade) => el('tr', {}, COLUMNS.map(([, , cell, isNumber], k) => el(k === 0 ? 'th' : 'td', { scope: k === 0 ? 'row' : null, class: isNumber ? 'number' : null }, cell(trade))),
        el('td', { class: 'end' }, el('button', { type: 'button', class: 'small', 'aria-label': `Show the trade of ${trade.symbol} at ${utc(trade.entry_ts)}`, on: { click: () => { select.value = trade.symbol; draw(trade); host.scrollIntoView({ block: 'center' }); } } }, 'Show'))));
      const go = (to) => () => { offset = Math.max(0, to); list(); };
      return [el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Trades' }, el('table', {}, el('caption', { class: 'visually-hidden' }, 'Trades'), el('thead', {}, el('tr', {}, heads, el('td', {}))), el('tbody', {}, body))),
        el('div', { class: 'actions' }, el('button', { type: 'button', disabled: offset <= 0, on: { click: go(offset - PAGE) } }, 'Back'), el('button', { type: 'button', disabled: offset + trades.length >= total, on: { click: go(offset + PAGE) } }, 'On'), el('span', { class: 'muted' }, `${number(offset + 1)} to ${number(offset + trades.length)} of ${number(total)}`))];
    });
    select.addEventListener('change', () => draw());
    whole.addEventListener('click', () => draw());
    api(`${path}/trades?limit=1`).then(({ trades }) => {
      if (trades[0] && symbols.includes(trades[0].symbol)) select.value = trades[0].symbol;
      draw();
    }, (error) => failure(host, error));
    list();
    return panel('Prices and trades', el('div', { class: 'toolbar' }, el('label', { for: 'symbol' }, 'Symbol', select), whole, span), host, rows);
  }

  return startRun({
    list: LIST, page: '/backtest', all: 'All backtests', id, name: () => 'Backtest', ended: ({ state }) => `This run is ${state}.`,
    result, isModel: ({ state }) => state === 'finished',
  });
}

/** Returns by year and month, from the closes of the sessions. */
function months({ t, change }) {
  const years = new Map();
  t.forEach((at, k) => {
    const date = new Date(at * 1000);
    const year = years.get(date.getUTCFullYear()) ?? Array(13).fill(null);
    years.set(date.getUTCFullYear(), year);
    if (Number.isNaN(change[k])) return;
    for (const slot of [date.getUTCMonth(), 12]) year[slot] = (1 + (year[slot] ?? 0)) * (1 + change[k]) - 1;
  });
  const cell = (value) => (value === null ? '' : gain(value, `${value > 0 ? '+' : ''}${number(value * 100, 1)}`));
  return table('Returns by month, percent', [{ title: 'Year', cell: ([year]) => String(year) }, ...MONTHS.map((title, k) => ({ title, number: true, cell: ([, values]) => cell(values[k]) })), { title: 'Year', number: true, cell: ([, values]) => cell(values[12]) }], [...years]);
}

/** How often the account changed by how much in a session. */
function histogram(host, { change }) {
  const values = [...change].filter((v) => !Number.isNaN(v));
  if (values.length < 2) {
    host.append(el('p', { class: 'empty' }, 'There are too few sessions.'));
    return;
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = TbotCharts.math.roundStep((high - low || 0.001) / 24);
  const from = Math.floor(low / width) * width;
  const counts = Array(Math.floor((high - from) / width) + 1).fill(0);
  for (const value of values) counts[Math.min(counts.length - 1, Math.floor((value - from) / width))] += 1;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  barChart(host, 'Distribution of daily returns', {
    height: 190, head: ['Daily return', 'Sessions'], format: (value) => number(value), edges: { from, width, format: shares },
    lines: [{ at: mean, text: `mean ${shares(mean)}` }], summary: `${number(values.length)} sessions, mean ${shares(mean)}`,
    bars: counts.map((value, k) => ({ label: `${shares(from + k * width)} to ${shares(from + (k + 1) * width)}`, value, text: `${number(value)} sessions`, colour: from + k * width < -width / 2 ? 'down' : 'up' })),
  });
}
