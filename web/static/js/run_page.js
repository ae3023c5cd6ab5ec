// The page of one run: its state with what can be done about it, how far it is, then what came of it.

import { panel } from './parts.js';
import { cancel, follow, isActive, pathOf, progress, stateTag } from './run_parts.js';
import { api, busy, byId, el, fill, isAdmin, outcome } from './shared_utils.js';

/**
 * Starts the page of a run; gives what is to be called when something happens.
 *
 * `name(run)` says what it is, `ended(run)` what to say of one without a result; `result(run)` and `kept(run)` give what
 * there is to see of a finished run and of one that ended before; `more(run, deed)` further things to do, and
 * `isModel(run)` whether another run can begin with its settings.
 */
export function startRun({ list, page, all, id, name, ended, result, kept = () => [], more = () => [], isModel }) {
  const path = pathOf(list, id);
  const said = el('span', { class: 'outcome', role: 'status' });
  let run = null;
  let drawn = false;

  const deed = (label, kind, act) => el('button', { type: 'button', class: kind, disabled: run.cancelling, on: { click: ({ currentTarget }) => busy(currentTarget, async () => {
    try { await act(); } catch (error) { outcome(said, error.message, 'bad'); }
  }) } }, label);

  function head() {
    byId('title').replaceChildren(`${name(run)} `, el('span', { class: 'mono' }, run.run_id ?? run.id), ' ', stateTag(run.state));
    const deeds = [el('a', { class: 'button', href: page }, all), said];
    if (isAdmin && isActive(run)) deeds.push(deed('Cancel', 'danger', async () => { await cancel(list, run.id); load(); }));
    if (isAdmin) deeds.push(...more(run, deed));
    if (isAdmin && isModel(run)) deeds.push(el('a', { class: 'button', href: `${page}?from=${encodeURIComponent(run.id)}` }, 'Use these settings'));
    byId('deeds').replaceChildren(...deeds);
  }

  async function load() {
    if (drawn) return;
    await fill(byId('content'), () => api(path), (found) => {
      run = found;
      head();
      if (run.state === 'finished' && run.summary) {
        drawn = true;
        return result(run).filter(Boolean);
      }
      const why = run.message ? el('p', { class: 'summary', role: 'alert' }, run.message) : el('p', {}, ended(run));
      const figures = isActive(run) ? [] : kept(run);
      drawn = figures.length > 0;
      return [
        panel('Progress', isActive(run) ? progress(run, `Progress of ${run.id}`) : why), ...figures,
        panel('As it was asked for', el('pre', { class: 'mono scroll', tabindex: '0' }, JSON.stringify(run.spec ?? run.sweep ?? {}, null, 2))),
      ];
    });
  }

  load();
  return follow(load, () => run === null || isActive(run), (data) => data.id === id || data.run_id === id);
}
