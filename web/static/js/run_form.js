// The form for a new run, made from the lists of strategies and data sets. The server checks what is sent, as it would
// check the command line.

import { api, busy, el, number, outcome, showFaults } from './shared_utils.js';

let numbered = 0;
function field(name, label, control, hint) {
  control.id = `run-${++numbered}`;
  control.setAttribute('name', name);
  if (hint) control.setAttribute('aria-describedby', `${control.id}-hint`);
  return el('div', { class: 'field' }, el('label', { for: control.id }, label), control, hint && el('p', { class: 'hint', id: `${control.id}-hint` }, hint));
}
const text = (placeholder = '') => el('input', { type: 'text', placeholder, autocomplete: 'off', spellcheck: 'false' });
const select = (options) => el('select', {}, options.map(([value, label]) => el('option', { value }, label ?? value)));
function check(name, label) {
  const box = el('input', { type: 'checkbox', name, id: `run-${++numbered}` });
  return el('div', { class: 'check' }, box, el('label', { for: box.id }, label));
}
const group = (title, ...fields) => el('fieldset', {}, el('legend', {}, title), el('div', { class: 'fields' }, fields));

const FILLS = [['', 'path'], ['pessimistic'], ['optimistic'], ['next_open'], ['close'], ['quote']];

/** Adds the form and the button that opens it. `submitted` is called when a run was taken. */
export async function startForm({ list, page, host, opener, submitted }) {
  const isSweep = list === 'sweeps';
  const button = el('button', { type: 'button', class: 'primary', 'aria-expanded': 'false' }, isSweep ? 'New sweep' : 'New backtest');
  opener.prepend(button);
  const box = el('section', { class: 'panel', hidden: true, 'aria-label': button.textContent });
  host.prepend(box);
  let made = null;
  const open = async () => {
    box.hidden = !box.hidden;
    button.setAttribute('aria-expanded', String(!box.hidden));
    if (box.hidden) return null;
    made ??= build();
    return made;
  };
  button.addEventListener('click', open);
  const wanted = new URLSearchParams(location.search).get('from');
  if (wanted) {
    const form = await open();
    const run = await api(`/api/v1/${list}/${encodeURIComponent(wanted)}`).catch(() => null);
    if (form && run) prefill(form, run);
  }

  async function build() {
    let known;
    try {
      known = await Promise.all([api('/api/v1/datasets'), api('/api/v1/strategies')]);
    } catch (error) {
      made = null;
      box.replaceChildren(el('p', { class: 'summary', role: 'alert' }, error.message));
      return null;
    }
    const [{ datasets }, { strategies }] = known;
    const data = select(datasets.map((set) => [set.name, `${set.name}${set.generated ? ' (generated)' : ''}`]));
    const about = el('p', { class: 'hint', role: 'status' });
    const strategy = select([['', 'as the settings say'], ...strategies.filter(({ name }) => name !== 'signals' && name !== 'orders').map(({ name }) => [name])]);
    const rule = el('p', { class: 'hint' });
    const parameters = el('div', { class: 'fields' });
    const size = el('p', { class: 'outcome', role: 'status' });
    const fault = el('p', { class: 'summary', role: 'alert', hidden: true });
    const said = el('span', { class: 'outcome', role: 'status' });
    const send = el('button', { class: 'primary' }, isSweep ? 'Start the sweep' : 'Start the backtest');
    const kind = select([['sweep', 'Sweep'], ['walk_forward', 'Walk-forward analysis']]);
    const windows = group('Windows, in sessions', field('train', 'To fit', text('60')), field('test', 'To test', text('20')), field('step', 'To the next window', text('20')), field('embargo', 'Left out between', text('0')), check('anchored', 'Fit from the first session on'));
    const showWindows = () => { windows.hidden = kind.value !== 'walk_forward'; };
    kind.addEventListener('change', showWindows);
    showWindows();
    const date = () => el('input', { type: 'date' });
    const form = el('form', { novalidate: true, class: 'stack' },
      fault,
      group('Data', field('data', 'Data set', data), field('symbols', 'Symbols', text('all'), 'Names divided by commas.'),
        field('from', 'From', date(), isSweep ? 'Empty: as many days up to the last one as OPTIMIZER_BACKTEST_LOOKBACK_DAYS says.' : undefined), field('to', 'To', date())),
      about,
      isSweep && group('Kind', field('kind', 'Kind', kind)),
      isSweep && windows,
      group('What is run', field('strategy', 'Strategy', strategy)),
      rule, parameters,
      isSweep && group('Search', field('method', 'Method', select([['', 'as the settings say'], ['grid'], ['random'], ['bayesian'], ['genetic']])),
        field('objective', 'Objective', text('sharpe'), 'A metric; with a leading - it is made small. Several, divided by commas: the Pareto front.'),
        field('trials', 'Trials', text('100, or every point of a grid')), field('where', 'Rule', text('fast < slow'), 'Combinations for which it is false are left out.'),
        field('constraint', 'Constraint', text('trades >= 30'), 'What a metric must keep. Several, divided by commas.'), check('prune', 'Give bad trials up early')),
      isSweep && el('div', { class: 'size' }, size),
      el('details', {}, el('summary', {}, 'Account and costs'), group('Account and costs',
        field('cash', 'Capital, dollars', text('100000')), field('fill', 'How orders meet bars', select(FILLS)), field('commission', 'Commission', text('that of the broker'), 'none, bps:10, per_order:1, alpaca, ibkr_tiered ...'),
        field('slippage', 'Slippage', text('as the settings say'), 'none, fixed_pct:0.05, rule_based, normal:0.15:0.05'), field('latency_ms', 'Latency, ms', text('as the settings say')),
        field('participation', 'Share of volume', text('0'), '0: no cap.'), field('account', 'Account', select([['', 'margin'], ['cash']])), field('seed', 'Seed', text('1')))),
      el('div', { class: 'actions' }, send, said));

    const chosen = () => strategies.find(({ name }) => name === strategy.value);
    function showParameters() {
      const found = chosen();
      rule.textContent = found?.rule ?? '';
      parameters.replaceChildren(...(found?.params ?? []).flatMap((param) => {
        const hint = `${param.meaning} ${param.range}${param.default === null ? '' : `; default ${param.default}`}`;
        const value = param.choices ? select([['', param.default ?? 'not set'], ...param.choices.map((word) => [word])]) : text(param.default ?? 'not set');
        const fields = [field(`param.${param.name}`, param.name, value, hint)];
        if (isSweep) fields.push(field(`space.${param.name}`, `${param.name}: search`, text(param.choices ? param.choices.join('|') : '5..50:5'), 'low..high:step, int:low..high, log:low..high, or a|b|c. Empty: not searched.'));
        return fields;
      }));
    }
    async function showData() {
      const wanted = data.value;
      about.textContent = 'Looking at the data ...';
      try {
        const set = await api(`/api/v1/datasets/${encodeURIComponent(wanted)}`);
        if (wanted !== data.value) return;
        const symbols = set.symbols.length > 30 ? `${set.symbols.slice(0, 30).join(', ')} ...` : set.symbols.join(', ');
        about.textContent = `${set.bar} bars of ${symbols}; ${set.sessions} sessions from ${set.from} to ${set.to}.`;
      } catch (error) {
        about.textContent = error.message;
      }
    }
    if (isSweep) watchSize(form, size);
    strategy.addEventListener('change', showParameters);
    data.addEventListener('change', showData);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      busy(send, () => submit(form, fault, said));
    });
    form.showParameters = showParameters;
    box.replaceChildren(el('h2', {}, button.textContent), form);
    showParameters();
    showData();
    return form;
  }

  async function submit(form, fault, said) {
    fault.hidden = true;
    outcome(said, 'Checking ...');
    try {
      const { id } = await api(`/api/v1/${list}`, { method: 'POST', body: specOf(form, isSweep) });
      showFaults(form, {});
      said.replaceChildren('Taken: ', el('a', { href: `${page}/${encodeURIComponent(id)}` }, id));
      submitted();
    } catch (error) {
      const { first, rest } = showFaults(form, ofInputs(form, error.fields));
      fault.textContent = [error.message, ...rest].join(' ');
      fault.hidden = false;
      outcome(said, '');
      (first ?? fault).scrollIntoView({ block: 'center' });
      first?.focus();
    }
  }
}

/** Faults by the input that they are about: what is wrong with one parameter is told of all of them. */
function ofInputs(form, fields = {}) {
  return Object.fromEntries(Object.entries(fields).map(([key, why]) => {
    const about = (name) => new RegExp(`(^|[^\\w.])${name.slice(key.length + 1)}($|[^\\w])`).test(why);
    const inner = [...form.elements].find(({ name, value }) => name.startsWith(`${key}.`) && value && about(name));
    return [inner ? inner.name : key, why];
  }));
}

const PAUSE = 400;
/** More than this is not counted for people. */
const MOST_COUNTED = 1e15;

/** Says while the form is filled how many combinations there are, and how many trials will run: the server counts. */
function watchSize(form, size) {
  let typing = null;
  let asking = null;
  async function look() {
    asking?.abort();
    const spec = specOf(form, true);
    if (Object.keys(spec.space).length === 0) {
      showFaults(form, {});
      outcome(size, 'Nothing is searched yet: say for a parameter which values to try.');
      return;
    }
    asking = new AbortController();
    try {
      const found = await api('/api/v1/sweeps/check', { method: 'POST', body: spec, signal: asking.signal });
      showFaults(form, {});
      outcome(size, sizeWords(found, spec.kind === 'walk_forward'), 'good');
    } catch (error) {
      if (error.name === 'AbortError') return;
      const { first, rest } = showFaults(form, ofInputs(form, error.fields));
      outcome(size, first ? 'How many trials will run is told when what is marked is right.' : [error.message, ...rest].join(' '));
    }
  }
  const soon = () => {
    clearTimeout(typing);
    typing = setTimeout(look, PAUSE);
  };
  form.addEventListener('input', soon);
  form.addEventListener('change', soon);
  soon();
}

function sizeWords({ trials, combinations }, isWalk) {
  const where = isWalk ? ' in each window' : '';
  const run = `${number(trials)} ${trials === 1 ? 'trial' : 'trials'} will run${where}`;
  if (!combinations) return `A range is continuous, so there is no end of combinations; ${run}.`;
  const { count, exact } = combinations;
  const many = count > MOST_COUNTED ? 'More combinations than can be counted' : `${exact ? '' : 'At most '}${number(count)} ${count === 1 ? 'combination' : 'combinations'}`;
  return `${many}; ${run}.`;
}

const LISTS = ['symbols', 'objective', 'constraint'];
const WALK = ['train', 'test', 'step', 'embargo', 'anchored'];

/** What the form says, without what is left empty. */
function specOf(form, isSweep) {
  const spec = { param: {}, ...(isSweep ? { space: {} } : {}) };
  const isWalk = form.elements.kind?.value === 'walk_forward';
  for (const input of form.elements) {
    if (!input.name || (WALK.includes(input.name) && !isWalk)) continue;
    const value = input.type === 'checkbox' ? input.checked : input.value.trim();
    if (value === '' || value === false) continue;
    const [kind, ...rest] = input.name.split('.');
    if (rest.length > 0) spec[kind][rest.join('.')] = value;
    else if (LISTS.includes(kind)) spec[kind] = value.split(',').map((word) => word.trim()).filter(Boolean);
    else spec[kind] = value;
  }
  return spec;
}

/** Fills the form with what an earlier run was made of. */
function prefill(form, run) {
  const spec = run.spec ?? {};
  const own = run.run ?? {};
  const strategy = own.strategies?.[0] ?? {};
  const values = {
    data: own.data?.source, symbols: own.data?.symbols?.join(','), from: own.data?.from, to: own.data?.to, cash: own.cash, seed: own.seed, fill: own.fill === 'path' ? '' : own.fill,
    commission: own.commission, slippage: own.slippage, latency_ms: own.latency_ms, participation: own.participation || '', strategy: strategy.name,
    ...Object.fromEntries(Object.entries(spec).filter(([, value]) => typeof value !== 'object').map(([key, value]) => [key, value])),
    ...Object.fromEntries(Object.entries(spec).filter(([, value]) => Array.isArray(value)).map(([key, value]) => [key, value.join(', ')])),
  };
  const set = (name, value) => {
    const input = form.elements[name];
    if (!(input instanceof Element) || value === null || value === undefined) return;
    if (input.type === 'checkbox') input.checked = Boolean(value);
    else input.value = String(value);
  };
  for (const [name, value] of Object.entries(values)) set(name, value);
  form.showParameters();
  form.elements.kind?.dispatchEvent(new Event('change'));
  for (const [name, value] of Object.entries({ ...strategy.params, ...spec.param })) set(`param.${name}`, value);
  for (const [name, value] of Object.entries(spec.space ?? {})) set(`space.${name}`, value);
  form.dispatchEvent(new Event('input'));
}
