/* The page of a walk-forward analysis: the stitched account out of sample. */
'use strict';

(() => {
  const { TimeChart, BarChart, element, redrawAll } = TbotCharts;
  const { number, digitsFor, percent } = TbotPage;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const host = document.getElementById('chart-equity');

  function equity() {
    let peak = data.start;
    const drawdown = data.equity.map((e) => {
      peak = Math.max(peak, e);
      return e / peak - 1;
    });
    const begins = data.window.findIndex((w, k) => k > 0 && w !== data.window[k - 1]);
    new TimeChart(host, { label: 'Equity and drawdown out of sample' }, {
      times: Float64Array.from(data.time),
      panes: [
        {
          label: 'Equity, dollars, at session ends', height: 260, baseline: data.start,
          format: (v, step) => number(v, step === undefined ? 2 : digitsFor(step)),
          series: [{ name: 'Equity', kind: 'line', values: Float64Array.from(data.equity), colour: 'accent' }],
          note: begins > 0 ? { index: begins, text: 'second window' } : undefined,
        },
        { label: 'Drawdown', height: 96, format: percent, include: [0], series: [{ name: 'Drawdown', kind: 'area', values: Float64Array.from(drawdown), colour: 'down' }] },
      ],
    });
  }

  function windows(place) {
    const text = (value) => (value === null ? 'n/a' : percent(value));
    new BarChart(place, { label: 'Yearly growth of each window, in sample and out of sample' }, {
      height: 200,
      head: ['Window', 'Yearly growth'],
      format: percent,
      summary: 'Yearly growth of the winner of each window: grey in sample, then out of sample in green or red',
      bars: data.growth.flatMap(([inside, outside], k) => [
        { label: `${k} in`, value: inside ?? 0, text: text(inside), colour: 'muted' },
        { label: `${k} out`, value: outside ?? 0, text: text(outside), colour: outside < 0 ? 'down' : 'up' },
      ]),
    });
  }

  host.querySelector('.no-script')?.remove();
  try {
    if (data.time.length) equity();
    else host.append(element('p', { class: 'muted' }, 'No session was traded.'));
    windows(document.getElementById('chart-windows'));
  } catch (error) {
    host.replaceChildren(element('p', { class: 'failed' }, `This figure could not be drawn: ${error.message}`));
    console.error(error);
  }
  TbotPage.start(redrawAll);
  document.documentElement.dataset.ready = '1';
})();
