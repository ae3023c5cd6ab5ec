/* The page of one run: reads the block of data and puts the charts in their places. */
'use strict';

(() => {
  const { TimeChart, BarChart, element, zoneOf, redrawAll } = TbotCharts;
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const place = (id) => document.getElementById(id);

  // ---------------------------------------------------------------- numbers as text

  const { number, digitsFor, percent } = TbotPage;
  const sign = (value, text) => (value > 0 ? `+${text}` : text);

  /** Dollars: as an axis label when a step is given, else with cents. */
  function dollars(value, step) {
    if (step === undefined) return number(value, 2);
    if (step >= 1e6) return `${number(value / 1e6, 0)}M`;
    if (step >= 1e5 && Math.abs(value) >= 1e6) return `${number(value / 1e6, 1)}M`;
    return number(value, digitsFor(step));
  }
  const price = (value, step) => number(value, step === undefined ? (Math.abs(value) < 10 ? 4 : 2) : Math.max(2, digitsFor(step)));
  const whole = (value, step) => (step !== undefined && step < 1 && value % 1 !== 0 ? '' : number(value, 0));

  // ---------------------------------------------------------------- decoding

  /** Values from their differences. */
  function summed(differences) {
    const out = new Float64Array(differences.length);
    let last = 0;
    differences.forEach((d, i) => { out[i] = last += d; });
    return out;
  }

  /** Candles from differences of whole multiples of 1 / scale. */
  function candles({ t, o, h, l, c }, scale) {
    const n = t.length;
    const [open, high, low, close] = [0, 1, 2, 3].map(() => new Float64Array(n));
    let last = 0;
    for (let i = 0; i < n; i++) {
      const first = last + o[i];
      last += c[i];
      open[i] = first / scale;
      close[i] = last / scale;
      high[i] = (Math.max(first, last) + h[i]) / scale;
      low[i] = (Math.min(first, last) - l[i]) / scale;
    }
    return { times: summed(t), open, high, low, close };
  }

  const zone = zoneOf('ET', data.zone);

  // ---------------------------------------------------------------- equity

  function equityChart(host) {
    const curve = data.equity;
    const deepest = curve.drawdown.reduce((best, v, i) => (v < curve.drawdown[best] ? i : best), 0);
    const sessions = data.sessions;
    new TimeChart(host, { label: 'Equity, drawdown and exposure over time', zone }, {
      times: summed(curve.time),
      x: summed(curve.step),
      panes: [
        {
          label: 'Equity, dollars', height: 250, format: dollars, baseline: curve.start,
          series: [{ name: 'Equity', kind: 'line', values: curve.equity, colour: 'accent' }],
        },
        {
          label: 'Drawdown from the highest equity so far, at every bar end', height: 96, format: percent, include: [0],
          note: curve.drawdown[deepest] < 0 ? { index: deepest, text: `deepest ${percent(curve.drawdown[deepest])}` } : undefined,
          series: [{ name: 'Drawdown', kind: 'area', values: curve.drawdown, colour: 'down' }],
        },
        {
          label: 'Exposure, gross value of positions over equity', height: 56, format: percent, include: [0],
          series: [{ name: 'Exposure', kind: 'area', values: curve.exposure, colour: 'muted' }],
        },
      ],
      table: () => ({
        head: ['Session', 'Closing equity', 'Change'],
        rows: sessions.date.map((date, i) => [date, dollars(sessions.equity[i]), sessions.change[i] === null ? 'n/a' : sign(sessions.change[i], percent(sessions.change[i]))]),
      }),
    });
  }

  function strategyChart(host) {
    const { names, time, values } = data.strategies;
    new TimeChart(host, { label: 'Running sum of closed trades by strategy', zone }, {
      times: summed(time),
      panes: [{
        label: 'Net profit of closed trades, dollars', height: 200, format: dollars, baseline: 0, include: [0],
        series: names.map((name, k) => ({ name, kind: 'line', values: values[k], dash: k })),
      }],
    });
  }

  // ---------------------------------------------------------------- distributions and costs

  function distributionChart(host, distribution, { label, unit, format, head }) {
    const { from, width, counts, mean, low } = distribution;
    const total = counts.reduce((a, b) => a + b, 0);
    const digits = (value) => format(value, width);
    new BarChart(host, { label }, {
      height: 190,
      head,
      format: whole,
      edges: { from, width, format },
      lines: [{ at: mean, text: `mean ${format(mean)}` }, { at: low, text: `5th percentile ${format(low)}`, side: 'left' }],
      summary: `${number(total, 0)} ${unit}${total === 1 ? '' : 's'}, mean ${format(mean)}`,
      bars: counts.map((value, k) => {
        // Edges are multiples of the width; the product is rounded so that zero is zero.
        const start = Math.round(from / width + k) * width;
        return {
          label: `${digits(start)} to ${digits(start + width)}`,
          value,
          text: `${number(value, 0)} ${unit}${value === 1 ? '' : 's'} (${percent(value / total)})`,
          colour: start < 0 ? 'down' : 'up',
        };
      }),
    });
  }

  function costChart(host) {
    new BarChart(host, { label: 'Costs by kind' }, {
      height: 150,
      head: ['Cost', 'Dollars'],
      format: dollars,
      summary: 'Dollars over the whole run',
      bars: data.costs.map(([label, value]) => ({ label, value, text: dollars(value), colour: 'warn' })),
    });
  }

  // ---------------------------------------------------------------- prices with trades

  function pricePanel(host, controls) {
    const panel = data.prices;
    const trades = data.trades;
    const decoded = new Map();
    const decode = (source) => {
      if (!decoded.has(source)) decoded.set(source, candles(source, panel.scale));
      return decoded.get(source);
    };
    const symbolSelect = controls.querySelector('[data-control=symbol]');
    const spanSelect = controls.querySelector('[data-control=span]');
    const previous = controls.querySelector('[data-control=previous]');
    const next = controls.querySelector('[data-control=next]');
    panel.symbols.forEach((s, k) => symbolSelect.append(new Option(`${s.symbol} (${s.trades} trade${s.trades === 1 ? '' : 's'})`, k)));

    /** The candle in which an instant lies; -1 before the first. */
    const indexOf = (times, t) => TbotCharts.math.upperBound(times, t) - 1;

    function marksFor(symbol, series, end) {
      const { times } = series;
      const number_ = trades.symbols.indexOf(symbol);
      const last = times.length - 1;
      const marks = [];
      trades.symbol.forEach((s, k) => {
        if (s !== number_ || trades.exit[k] < times[0] || trades.entry[k] > end) return;
        const long = trades.side[k] > 0;
        const profit = trades.pnl[k] >= 0;
        const [entry, exit] = [Math.max(0, indexOf(times, trades.entry[k])), indexOf(times, trades.exit[k])];
        const [before, after] = [trades.entry[k] < times[0], trades.exit[k] > end];
        const [entryX, exitX] = [before ? -0.75 : entry, after ? last + 0.75 : exit];
        const name = `${long ? 'long' : 'short'} ${trades.qty[k]} (${trades.strategies[trades.strategy[k]]})`;
        marks.push({
          index: entry, x: entryX, y: trades.entry_price[k], hidden: before,
          shape: long ? 'up' : 'down', colour: long ? 'accent' : 'warn',
          text: `Entry ${name} at ${price(trades.entry_price[k])}`,
          to: { x: exitX, y: trades.exit_price[k], colour: profit ? 'up' : 'down' },
        });
        marks.push({
          index: exit, x: exitX, y: trades.exit_price[k], hidden: after,
          shape: profit ? 'dot' : 'cross', colour: profit ? 'up' : 'down',
          text: `Exit ${name} at ${price(trades.exit_price[k])}, ${trades.reasons[trades.reason[k]]}: ${sign(trades.pnl[k], dollars(trades.pnl[k]))}`,
        });
      });
      return marks;
    }

    function view() {
      const symbol = panel.symbols[symbolSelect.value];
      const day = symbol.days[spanSelect.value];
      const series = decode(day ? day.candles : symbol.overview);
      const last = series.times[series.times.length - 1];
      // The last candle ends where the next would begin; a trade at the close lies in it.
      const length = series.times.length > 1 ? last - series.times[series.times.length - 2] : 86400;
      const marks = marksFor(symbol.symbol, series, last + Math.max(length, 60));
      return {
        times: series.times,
        marks,
        panes: [{ label: `${symbol.symbol}, dollars`, height: 300, format: price, series: [], candles: series }],
      };
    }

    const chart = new TimeChart(host, { label: 'Prices with entries and exits', zone }, view());
    function update() {
      chart.setData(view());
      previous.disabled = spanSelect.selectedIndex <= 0;
      next.disabled = spanSelect.selectedIndex >= spanSelect.options.length - 1;
    }
    function fillSpans() {
      const symbol = panel.symbols[symbolSelect.value];
      spanSelect.replaceChildren(new Option('Whole run', ''), ...symbol.days.map((day, k) => new Option(day.date, k)));
      spanSelect.disabled = symbol.days.length === 0;
    }
    symbolSelect.addEventListener('change', () => {
      fillSpans();
      update();
    });
    spanSelect.addEventListener('change', update);
    for (const [button, by] of [[previous, -1], [next, 1]]) {
      button.addEventListener('click', () => {
        spanSelect.selectedIndex += by;
        update();
      });
    }
    fillSpans();
    update();

    // Trades in tables lead to their day.
    for (const button of document.querySelectorAll('button[data-symbol]')) {
      const k = panel.symbols.findIndex((s) => s.symbol === button.dataset.symbol);
      button.disabled = k < 0;
      button.addEventListener('click', () => {
        symbolSelect.value = k;
        fillSpans();
        const day = panel.symbols[k].days.findIndex((d) => d.date === button.dataset.day);
        spanSelect.value = day < 0 ? '' : day;
        update();
        place('prices').scrollIntoView();
        chart.plot.focus({ preventScroll: true });
      });
    }
  }

  // ---------------------------------------------------------------- all of it

  const charts = {
    'chart-equity': (host) => equityChart(host),
    'chart-strategies': (host) => strategyChart(host),
    'chart-prices': (host) => pricePanel(host, place('price-controls')),
    'chart-returns': (host) => distributionChart(host, data.daily_returns, { label: 'Distribution of daily returns', unit: 'session', format: percent, head: ['Daily return', 'Sessions'] }),
    'chart-results': (host) => distributionChart(host, data.trade_results, { label: 'Distribution of trade results', unit: 'trade', format: dollars, head: ['Result, dollars', 'Trades'] }),
    'chart-costs': (host) => costChart(host),
  };
  for (const [id, make] of Object.entries(charts)) {
    const host = place(id);
    if (!host) continue;
    host.querySelector('.no-script')?.remove();
    try {
      make(host);
    } catch (error) {
      host.replaceChildren(element('p', { class: 'failed' }, `This chart could not be drawn: ${error.message}`));
      console.error(error);
    }
  }
  TbotPage.start(redrawAll);
  root.dataset.ready = '1';
})();
