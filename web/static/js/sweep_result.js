// One sweep or walk-forward analysis: how far it is, then what its trials say.

import { api, busy, el, failure, fill, isAdmin, number, outcome, table, words } from './shared_utils.js';
import { count, facts, panel, percent, ratio, tile } from './parts.js';
import { accountChart, downloads, pathOf, series, warnings } from './run_parts.js';
import { startRun } from './run_page.js';

const LIST = 'sweeps';
const PAGE = 50;
const FIGURES = {
  deflated_sharpe: 'Probability that the true Sharpe ratio beats what the luckiest of so many worthless trials would show',
  psr: 'The same against 0, if this had been the only trial',
  pbo: 'Share of the ways to halve the sessions in which the best in one half is no better than the median in the other',
  spa_p: 'How often the best would look this good if none were better than the benchmark',
  min_track_record_length: 'Sessions after which a Sharpe ratio like this is above 0 with 95 % confidence',
  trials: 'Trials counted, with those of earlier sweeps on the same data',
};

/** Starts the page of a sweep; gives what is to be called when something happens. */
export function startSweep(id) {
  const path = pathOf(LIST, id);

  function result(run) {
    const { summary, sweep } = run;
    const { best, overfit, verdict } = summary;
    return [
      el('dl', { class: 'tiles' },
        tile('Best trial', best ? String(best.id) : 'none', best && `${summary.objectives[0]} ${ratio(best.values[0], 4)}`),
        tile('Trials', count(summary.trials.finished), `${count(summary.trials.failed)} failed, ${count(summary.trials.pruned)} pruned`),
        tile('Deflated Sharpe', ratio(overfit?.deflated_sharpe, 3), 'probability of skill after all trials'),
        tile('PBO', percent(overfit?.pbo, 1), 'the best is below the median out of sample'),
        tile('SPA p-value', ratio(overfit?.spa_p, 3), 'chance to look this good without skill')),
      warnings(summary.warnings),
      el('div', { class: 'pair' },
        panel(verdict ? verdict.words : 'No verdict', verdict ? el('ul', {}, verdict.reasons.map((text) => el('li', {}, text))) : el('p', { class: 'muted' }, 'There are too few finished trials or sessions to judge.')),
        panel('In sample and out of sample', table('What the verdict rests on', [{ title: 'Figure', cell: ([name]) => words(name) }, { title: 'Value', number: true, cell: ([name]) => ratio(overfit?.[name], name === 'trials' || name === 'min_track_record_length' ? 0 : 3) }, { title: 'Meaning', wrap: true, cell: ([, meaning]) => meaning }], Object.entries(FIGURES)))),
      ...figures(run),
      panel('To reproduce it', facts([
        ['Method', sweep.method], ['Strategies', sweep.strategies.map(({ name }) => name).join(', ')], ['Symbols', sweep.symbols.join(', ')],
        ['Sessions', `${sweep.from} to ${sweep.to}: ${number(sweep.sessions)}, ${number(sweep.bars)} bars`], ['Space', el('span', { class: 'mono' }, JSON.stringify(sweep.space))],
        ['Rules', sweep.where.join(', ')], ['Objectives', sweep.objectives.join(', ')], ['Constraints', sweep.constraints.join(', ')], ['Seed', String(sweep.seed)],
        ['Data', sweep.data], ['Data hash', el('span', { class: 'mono' }, sweep.data_hash)], ['Fingerprint', el('span', { class: 'mono' }, sweep.fingerprint)], ['Version', sweep.version],
      ])),
      downloads(LIST, run),
    ];
  }

  // -------------------------------------------------------------- figures of all trials

  function figures(run) {
    const hosts = Object.fromEntries(['chart-heat', 'chart-slices', 'chart-parallel', 'chart-importance', 'chart-history', 'chart-curves', 'chart-front'].map((name) => [name, el('div', { class: name === 'chart-slices' ? 'slices' : 'chart' })]));
    const [x, y] = ['heat-x', 'heat-y'].map((name) => el('select', { id: name }));
    const stat = el('select', { id: 'heat-stat' }, [['median', 'median over the others'], ['best', 'best over the others'], ['count', 'number of trials']].map(([value, label]) => el('option', { value }, label)));
    const share = el('select', { id: 'parallel-share' }, [['0.01', '1 %'], ['0.1', '10 %'], ['0.25', '25 %'], ['1', 'all']].map(([value, label]) => el('option', { value, selected: value === '0.1' }, label)));
    const trials = trialTable(run);
    const front = panel('Pareto front', hosts['chart-front']);
    front.hidden = true;
    const heatPanel = panel('Heat map of two parameters', el('div', { class: 'toolbar' }, el('label', { for: 'heat-x' }, 'Across', x), el('label', { for: 'heat-y' }, 'Upwards', y), el('label', { for: 'heat-stat' }, 'Colour', stat)), hosts['chart-heat']);
    draw().catch((error) => failure(hosts['chart-slices'], error));

    async function draw() {
      const [slices, importance, curves, { trials: members }] = await Promise.all(['slices', 'importance', 'curves', 'front'].map((name) => api(`${path}/${name}`)));
      const data = {
        ...slices, heat: [], front: members.map((trial) => trial.id), halves: null,
        importance: importance.importance.map(({ parameter, share: part }) => [parameter, part]),
        curves: { closes: curves.closes, growth: curves.curves.map(({ trial, growth }) => [trial, growth]) },
      };
      const names = slices.parameters.map(({ name }) => name);
      const controls = { 'parallel-share': share };
      const place = (name) => hosts[name] ?? controls[name] ?? null;
      // The figures measure their hosts, which are in the page from the next frame on.
      await new Promise(requestAnimationFrame);
      front.hidden = data.objectives.length < 2;
      TbotSweep(data, place, trials.narrow).draw(['chart-slices', 'chart-parallel', 'chart-importance', 'chart-history', ...(curves.curves.length > 0 ? ['chart-curves'] : []), ...(front.hidden ? [] : ['chart-front'])]);
      heatPanel.hidden = names.length < 2;
      if (heatPanel.hidden) return;
      const heat = async (first) => {
        const query = first ? '' : `x=${encodeURIComponent(x.value)}&y=${encodeURIComponent(y.value)}&`;
        const map = await api(`${path}/heatmap?${query}stat=${stat.value}`);
        for (const [select, axis] of [[x, map.x], [y, map.y]]) {
          if (first) select.replaceChildren(...names.map((name) => el('option', { value: name }, name)));
          select.value = axis.name;
        }
        const shown = { x: names.indexOf(map.x.name), y: names.indexOf(map.y.name), columns: map.x.labels, lines: map.y.labels, count: map.count, winner: map.winner, [map.stat]: map.cells };
        const pair = el('select');
        const one = el('select', {}, el('option', { value: map.stat }));
        hosts['chart-heat'].replaceChildren();
        TbotSweep({ ...data, heat: [shown] }, (name) => ({ 'chart-heat': hosts['chart-heat'], 'heat-pair': pair, 'heat-stat': one })[name] ?? null).draw(['chart-heat']);
      };
      const again = () => heat(false).catch((error) => failure(hosts['chart-heat'], error, again));
      await heat(true).catch((error) => failure(hosts['chart-heat'], error, again));
      for (const select of [x, y, stat]) select.addEventListener('change', again);
    }

    return [
      heatPanel,
      panel('Slices: the objective against each parameter', hosts['chart-slices']),
      panel('Parallel coordinates', el('div', { class: 'toolbar' }, el('label', { for: 'parallel-share' }, 'Highlight the best', share)), hosts['chart-parallel']),
      el('div', { class: 'pair' }, panel('Importance', hosts['chart-importance']), panel('History', hosts['chart-history'])),
      panel('Equity of the best trials, in sample', hosts['chart-curves']),
      front,
      trials.panel,
    ];
  }

  function trialTable(run) {
    const host = el('div');
    const filter = el('input', { type: 'search', id: 'filter', placeholder: 'fast>=10, sharpe>1, status=ok', 'aria-label': 'Conditions that the trials meet, divided by commas', autocomplete: 'off' });
    const said = el('span', { class: 'outcome', role: 'status' });
    let sort = 'rank';
    let offset = 0;
    async function promote(trial, button) {
      try {
        const { id: next } = await busy(button, () => api('/api/v1/backtests', { method: 'POST', body: { from_trial: `${run.run_id}/${trial.id}` } }));
        said.replaceChildren('Taken: ', el('a', { href: `/backtest/${encodeURIComponent(next)}` }, next));
      } catch (error) {
        outcome(said, error.message, 'bad');
      }
    }
    const value = (v) => (v === null || v === undefined ? '' : typeof v === 'number' ? String(Number(v.toPrecision(6))) : String(v));
    const load = () => fill(host, () => api(`${path}/trials?sort=${encodeURIComponent(sort)}&filter=${encodeURIComponent(filter.value)}&offset=${offset}&limit=${PAGE}`), ({ trials, total, matching, parameters, objectives, metrics }) => {
      const more = metrics.filter((name) => !objectives.includes(name));
      const columns = [
        ['Trial', 'id', (t) => String(t.id)], ['Status', 'status', (t) => t.status],
        ...parameters.map((name) => [name, name, (t) => value(t.params[name])]),
        ...objectives.map((name, k) => [words(name), name, (t) => ratio(t.values[k], 4)]),
        ...more.map((name) => [words(name), name, (t) => ratio(t.metrics[name], name === 'trades' ? 0 : 4)]),
      ];
      const column = sort.replace(/^-/, '');
      const heads = columns.map(([title, key], k) => el('th', { scope: 'col', class: k > 1 ? 'number' : null, 'aria-sort': key !== column ? 'none' : sort.startsWith('-') ? 'descending' : 'ascending' },
        el('button', { type: 'button', on: { click: () => { sort = sort === `-${key}` ? key : `-${key}`; offset = 0; load(); } } }, title)));
      const body = trials.map((t) => el('tr', {}, columns.map(([, , cell], k) => el(k === 0 ? 'th' : 'td', { scope: k === 0 ? 'row' : null, class: k > 1 ? 'number' : null }, cell(t))),
        el('td', { class: 'end' }, isAdmin && t.status !== 'failed' && el('button', { type: 'button', class: 'small', 'aria-label': `Run trial ${t.id} as a backtest`, on: { click: ({ currentTarget }) => promote(t, currentTarget) } }, 'Backtest'))));
      const go = (to) => () => { offset = Math.max(0, to); load(); };
      return [el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Trials' }, el('table', {}, el('caption', { class: 'visually-hidden' }, 'Trials'), el('thead', {}, el('tr', {}, heads, el('td', {}))), el('tbody', {}, body))),
        el('div', { class: 'actions' }, el('button', { type: 'button', disabled: offset <= 0, on: { click: go(offset - PAGE) } }, 'Back'), el('button', { type: 'button', disabled: offset + trials.length >= matching, on: { click: go(offset + PAGE) } }, 'On'), el('span', { class: 'muted' }, `${number(matching)} of ${number(total)} trials`))];
    });
    let typing = null;
    filter.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(() => { offset = 0; load(); }, 400); });
    /** Puts the conditions of a choice among those that are typed, in place of an earlier choice. */
    let chosen = [];
    function narrow(conditions) {
      const typed = filter.value.split(',').map((one) => one.trim()).filter((one) => one && !chosen.includes(one));
      filter.value = [...typed, ...conditions].join(', ');
      chosen = conditions;
      offset = 0;
      load();
    }
    load();
    const shown = panel('Trials', el('div', { class: 'toolbar' }, filter, el('button', { type: 'button', on: { click: () => { sort = 'rank'; offset = 0; load(); } } }, 'Best first'), said), host);
    return { panel: shown, narrow };
  }

  // -------------------------------------------------------------- walk-forward

  function walk(run) {
    const { summary, windows } = run;
    const m = summary.metrics ?? {};
    const chart = el('div', { class: 'chart' });
    series(LIST, id, 'account', { px: 240 }).then((found) => accountChart(chart, found, summary.start_equity ?? found.equity[0])).catch((error) => failure(chart, error));
    const columns = Object.keys(windows[0] ?? {});
    return [
      el('dl', { class: 'tiles' },
        tile('Return out of sample', percent(m.total_return), `${percent(m.cagr)} a year`), tile('Return in sample, a year', percent(summary.in_sample_cagr), 'mean of the winners'),
        tile('Efficiency', percent(summary.efficiency, 1), 'yearly return out of sample over in sample'), tile('Sharpe out of sample', ratio(m.sharpe), `max drawdown ${percent(m.max_drawdown)}`),
        tile('Windows with gain', `${count(summary.windows_with_gain)} of ${count(summary.windows)}`)),
      panel('Account out of sample, stitched from the tests', chart),
      panel('Windows', table('Windows', columns.map((name) => ({ title: words(name), number: typeof windows[0][name] === 'number', cell: (row) => (typeof row[name] === 'number' ? String(Number(row[name].toPrecision(6))) : row[name] ?? '') })), windows)),
      downloads(LIST, run),
    ];
  }

  async function takeUp(run) {
    const { id: next } = await api(`/api/v1/${LIST}`, { method: 'POST', body: { resume: run.run_id } });
    location.assign(`/sweep/${encodeURIComponent(next)}`);
  }

  return startRun({
    list: LIST, page: '/sweep', all: 'All sweeps', id,
    name: ({ kind }) => (kind === 'walk_forward' ? 'Walk-forward analysis' : 'Sweep'),
    ended: ({ state, sweep }) => `This run is ${state}; ${count(sweep?.trials ?? 0)} of ${count(sweep?.planned ?? 0)} trials are kept.`,
    result: (run) => (run.windows ? walk(run) : result(run)),
    kept: (run) => (run.sweep?.trials > 0 ? figures(run) : []),
    more: (run, deed) => (run.sweep && ['cancelled', 'failed'].includes(run.state) ? [deed('Take it up again', 'primary', () => takeUp(run))] : []),
    isModel: ({ spec }) => spec && !spec.resume,
  });
}
