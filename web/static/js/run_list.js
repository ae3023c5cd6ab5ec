// The list of runs with its queue, a comparison of some of them, and the form for a new one.

import { api, busy, byId, el, empty, fill, isAdmin, number, outcome, ready, table, time, words } from './shared_utils.js';
import { count, figure, panel, percent, ratio } from './parts.js';
import { cancel, dollars, follow, isActive, progress, series, stateTag, timeChart } from './run_parts.js';
import { startForm } from './run_form.js';

const PAGE = 50;
const MOST_COMPARED = 5;

const some = (names = [], most = 3) => (names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} +${names.length - most}`);
/** When a run was made: of a job when it was submitted, of a folder what its name says. */
function made(run) {
  if (run.submitted_utc) return run.submitted_utc;
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(run.run_id ?? '');
  return found ? `${found[1]}-${found[2]}-${found[3]}T${found[4]}:${found[5]}:${found[6]}Z` : null;
}
const strategiesOf = (run) => run.strategies ?? [run.spec?.strategy ?? (run.spec?.from_trial ? `trial ${run.spec.from_trial}` : 'as the settings say')].flat();

/** Starts the list; gives what is to be called when something happens. */
export function startList({ list, page }) {
  const isSweep = list === 'sweeps';
  const host = el('div', { class: 'stack' });
  const compared = el('div');
  const said = el('p', { class: 'outcome', role: 'status' });
  const chosen = new Set();
  let offset = 0;
  let active = false;
  byId('content').append(said, host, compared);
  if (isAdmin) startForm({ list, page, host: byId('content'), opener: byId('deeds'), submitted: () => { offset = 0; load(); } });

  const link = (run) => el('a', { href: `${page}/${encodeURIComponent(run.id)}` }, run.run_id ?? run.id);
  async function end(run, button) {
    try {
      await busy(button, () => cancel(list, run.id));
      outcome(said, 'It is being cancelled; what is done is kept.');
    } catch (error) {
      outcome(said, error.message, 'bad');
    }
    load();
  }

  const choose = (run) => el('input', {
    type: 'checkbox', 'aria-label': `Compare ${run.run_id ?? run.id}`, checked: chosen.has(run.id), disabled: run.state !== 'finished',
    on: { change: ({ currentTarget }) => { if (currentTarget.checked) chosen.add(run.id); else chosen.delete(run.id); compareButton.disabled = chosen.size < 2 || chosen.size > MOST_COMPARED; } },
  });
  const compareButton = el('button', { type: 'button', disabled: true, on: { click: compare } }, `Compare 2 to ${MOST_COMPARED}`);
  if (!isSweep) byId('deeds').append(compareButton);

  const results = isSweep ? [
    { title: 'Kind', cell: (run) => (run.kind === 'walk_forward' ? 'walk-forward' : run.method ?? run.kind ?? '') },
    { title: 'Objective', cell: (run) => [run.objectives ?? []].flat().join(', ') },
    { title: 'Best', number: true, cell: (run) => ratio(run.best?.values?.[0] ?? run.sharpe, 4) },
    { title: 'Trials', number: true, cell: (run) => (run.trials === undefined ? '' : `${count(run.trials)}${run.planned && run.trials < run.planned ? ` of ${count(run.planned)}` : ''}`) },
  ] : [
    { title: 'Return', number: true, cell: (run) => (run.total_return === undefined ? '' : percent(run.total_return)) },
    { title: 'Sharpe', number: true, cell: (run) => (run.sharpe === undefined ? '' : ratio(run.sharpe)) },
    { title: 'Max drawdown', number: true, cell: (run) => (run.max_drawdown === undefined ? '' : percent(run.max_drawdown)) },
    { title: 'Trades', number: true, cell: (run) => (run.trades === undefined ? '' : count(run.trades)) },
  ];

  function show({ runs, total }) {
    active = runs.some(isActive);
    const queue = runs.filter(isActive);
    const done = runs.filter((run) => !isActive(run));
    const parts = [];
    if (queue.length > 0) {
      parts.push(panel('Queue', table('Queue', [
        { title: 'Run', cell: link },
        { title: 'State', cell: (run) => stateTag(run.state) },
        { title: 'Progress', wrap: true, cell: (run) => progress(run, `Progress of ${run.id}`) },
        { title: 'Strategies', cell: (run) => some(strategiesOf(run)) },
        { title: 'By', cell: (run) => run.user ?? '' },
        { title: '', end: true, cell: (run) => isAdmin && el('button', { type: 'button', class: 'small', disabled: run.cancelling, on: { click: ({ currentTarget }) => end(run, currentTarget) } }, 'Cancel') },
      ], queue)));
    }
    if (done.length === 0) {
      parts.push(el('section', { class: 'panel' }, empty(`There is no ${isSweep ? 'sweep' : 'backtest'} yet. ${isAdmin ? 'Start one above.' : 'An admin can start one.'}`)));
    } else {
      const go = (to) => () => { offset = Math.max(0, to); load(); };
      parts.push(panel('Results', table('Results', [
        { title: 'Run', cell: link, sort: (run) => run.run_id ?? run.id },
        ...(isSweep ? [] : [{ title: 'Compare', cell: choose }]),
        { title: 'State', cell: (run) => stateTag(run.state), sort: (run) => run.state },
        { title: 'Made (UTC)', cell: (run) => time(made(run)), sort: (run) => made(run) ?? '' },
        { title: 'Strategies', cell: (run) => some(strategiesOf(run)), sort: (run) => some(strategiesOf(run)) },
        { title: 'Symbols', cell: (run) => some(run.symbols), sort: (run) => some(run.symbols) },
        { title: 'Sessions', cell: (run) => (run.from ? `${run.from} to ${run.to}` : el('span', { class: 'muted' }, run.message ?? '')) },
        ...results,
      ], done, { sortable: true }), total > PAGE && el('div', { class: 'actions' },
        el('button', { type: 'button', disabled: offset <= 0, on: { click: go(offset - PAGE) } }, 'Newer'),
        el('button', { type: 'button', disabled: offset + runs.length >= total, on: { click: go(offset + PAGE) } }, 'Older'),
        el('span', { class: 'muted' }, `${number(offset + 1)} to ${number(offset + runs.length)} of ${number(total)}`))));
    }
    return parts;
  }
  const load = () => fill(host, () => api(`/api/v1/${list}?offset=${offset}&limit=${PAGE}`), show);

  async function compare() {
    const ids = [...chosen];
    compared.replaceChildren();
    try {
      const runs = await Promise.all(ids.map((id) => api(`/api/v1/backtests/${encodeURIComponent(id)}`)));
      const lines = await Promise.all(ids.map((id) => series('backtests', id, 'sessions')));
      const metrics = [...new Set(runs.flatMap((run) => Object.keys(run.summary.metrics)))];
      const chart = el('div', { class: 'chart' });
      // Sessions that all runs have, so that the curves lie over each other.
      const common = [...lines[0].t].filter((t) => lines.every((line) => line.t.includes(t)));
      compared.append(panel(`Comparison of ${ids.length} runs`, chart, table('Metrics side by side', [
        { title: 'Metric', cell: (name) => words(name) },
        ...runs.map((run) => ({ title: run.run_id, number: true, cell: (name) => figure(run.summary.metrics[name]) })),
      ], metrics)));
      if (common.length > 0) {
        timeChart(chart, 'Comparison: equity of the runs', {
          times: Float64Array.from(common),
          panes: [{ label: 'Equity at the close of each common session, dollars', height: 240, format: dollars, series: runs.map((run, k) => ({ name: run.run_id, kind: 'line', dash: k, values: Float64Array.from(common, (t) => lines[k].equity[lines[k].t.indexOf(t)]) })) }],
        });
      }
      compared.scrollIntoView({ block: 'start' });
    } catch (error) {
      outcome(said, error.message, 'bad');
    }
  }

  load();
  ready();
  return follow(load, () => active);
}
