// What lists and results of runs share: states, progress, charts for pages.

import { panel } from './parts.js';
import { api, duration, el, number } from './shared_utils.js';

const KIND = { finished: 'good', failed: 'bad', running: 'warn', cancelled: '', queued: '' };
export const isActive = (run) => run.state === 'queued' || run.state === 'running';

/** The word of a run's state. */
export const stateTag = (state) => el('span', { class: `tag ${KIND[state] ?? ''}` }, state);

/** How far a run is: a bar with words. */
export function progress(run, label) {
  const now = run.progress;
  if (!now) return el('span', { class: 'muted' }, run.state === 'queued' ? 'waits for its turn' : 'starts');
  const known = now.total > 0;
  const share = known ? Math.floor(100 * now.done / now.total) : 0;
  const bar = el('progress', { role: 'progressbar', max: '100', value: known ? String(share) : null, 'aria-valuemin': '0', 'aria-valuemax': '100', 'aria-valuenow': String(share), 'aria-label': label });
  const words = [
    run.cancelling ? 'is being cancelled' : now.phase,
    known && `${number(now.done)} of ${number(now.total)} ${now.unit}`,
    now.per_second && `${number(now.per_second, now.per_second < 10 ? 1 : 0)}/s`,
    now.eta_s !== null && now.phase === 'running' && `${duration(now.eta_s)} left`,
    now.best && `best ${now.best.objective} ${number(now.best.value, 4)} (trial ${now.best.trial})`,
  ];
  return el('div', { class: 'progress' }, bar, el('span', { class: 'hint' }, words.filter(Boolean).join(', ')));
}

/** Where the API has a run. */
export const pathOf = (list, id) => `/api/v1/${list}/${encodeURIComponent(id)}`;

export const cancel = (list, id) => api(`${pathOf(list, id)}/cancel`, { method: 'POST', body: {} });

const MOST_WARNINGS = 5;
/** What to know before believing a result; of many, the first ones. */
export function warnings(texts) {
  if (texts.length === 0) return null;
  const items = texts.map((text) => el('li', {}, text));
  const more = texts.length > MOST_WARNINGS && el('details', {}, el('summary', {}, `${texts.length - MOST_WARNINGS} more`), el('ul', {}, items.slice(MOST_WARNINGS)));
  return el('section', { class: 'notice', 'aria-label': 'Warnings' }, el('ul', {}, more ? items.slice(0, MOST_WARNINGS) : items), more);
}

/** The files of a run, to be had. */
export function downloads(list, run) {
  const files = run.files ?? [];
  return panel('Files', el('div', { class: 'links' }, files.map(({ name, bytes }) => el('a', { href: `${pathOf(list, run.id)}/files/${encodeURIComponent(name)}`, download: true }, `${name} (${number(bytes / 1024, 1)} kB)`))));
}

/** Columns over time, by name, as typed arrays. */
export async function series(list, id, name, query = {}) {
  const parts = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''));
  const found = await api(`${pathOf(list, id)}/series/${name}?${parts}`);
  return Object.fromEntries(Object.entries(found).map(([key, value]) => [key, Array.isArray(value) ? Float64Array.from(value, (v) => v ?? NaN) : value]));
}

/** New York time without a table of its changes: asked of the browser once an hour of data. */
const zone = (() => {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' });
  const known_ = new Map();
  return {
    name: 'ET',
    offset(t) {
      const hour = Math.floor(t / 3600);
      if (!known_.has(hour)) {
        const { year, month, day, hour: local } = Object.fromEntries(parts.formatToParts(hour * 3600_000).map(({ type, value }) => [type, Number(value)]));
        known_.set(hour, Date.UTC(year, month - 1, day, local) / 1000 - hour * 3600);
      }
      return known_.get(hour);
    },
  };
})();

/** A chart in a page. Whoever cannot see it hears what it is. */
function pictured(chart, label) {
  chart.plot.setAttribute('role', 'group');
  chart.canvas.removeAttribute('aria-hidden');
  chart.canvas.setAttribute('role', 'img');
  chart.canvas.setAttribute('aria-label', label);
  return chart;
}
export const timeChart = (host, label, data) => pictured(new TbotCharts.TimeChart(host, { label, zone }, data), label);
export const barChart = (host, label, data) => pictured(new TbotCharts.BarChart(host, { label }, data), label);

const digits = (step) => (step > 0 ? Math.min(4, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 2);
export const dollars = (value, step) => number(value, step === undefined ? 2 : digits(step));
export const shares = (value, step) => `${number(value * 100, step === undefined ? 2 : digits(step * 100))} %`;

/** Equity, drawdown and exposure on one axis of time. */
export function accountChart(host, found, start) {
  const deepest = found.drawdown.reduce((best, v, i) => (v < found.drawdown[best] ? i : best), 0);
  const panes = [
    { label: 'Equity, dollars', height: 240, format: dollars, baseline: start, series: [{ name: 'Equity', kind: 'line', values: found.equity, colour: 'accent' }] },
    {
      label: 'Drawdown from the highest equity so far', height: 96, format: shares, include: [0],
      note: found.drawdown[deepest] < 0 ? { index: deepest, text: `deepest ${shares(found.drawdown[deepest])}` } : undefined,
      series: [{ name: 'Drawdown', kind: 'area', values: found.drawdown, colour: 'down' }],
    },
  ];
  if (found.exposure) panes.push({ label: 'Exposure, gross value of positions over equity', height: 56, format: shares, include: [0], series: [{ name: 'Exposure', kind: 'area', values: found.exposure, colour: 'muted' }] });
  return timeChart(host, 'Account over time: equity, drawdown and exposure', { times: found.t, panes });
}

/** Redraws the charts when the theme changes. */
new MutationObserver(() => TbotCharts.redrawAll()).observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => TbotCharts.redrawAll());

/** Calls `load` when a run of `list` moves: at what the core tells, and every two seconds while `active()`. */
export function follow(load, active, concerns = () => true) {
  let waiting = null;
  const soon = () => { waiting ??= setTimeout(() => { waiting = null; load(); }, 500); };
  setInterval(() => { if (active() && !document.hidden) soon(); }, 2_000);
  return ({ event, data }) => { if (event === 'refresh' || (event === 'progress' && concerns(data))) soon(); };
}
