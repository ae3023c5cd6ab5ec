// The settings: a form made from the schema, checked by the server while it is filled in.

import { ApiError, api, byId, el, empty, fill, isAdmin, outcome, showFaults } from './shared_utils.js';
import { ask } from './dialog.js';
import { startPanel } from './panel.js';

const host = byId('content');
const CHECK_PAUSE = 350;
let version = 0;
let stored = {};
let specs = [];
let checking = null;
let saveBar = null;

// ---------------------------------------------------------------- values

/** A value as it stands in its input. */
export function textOf(value) {
  if (Array.isArray(value)) return value.join(', ');
  return value === null || value === undefined ? '' : String(value);
}

/** What an input holds, in the type of the setting; text that is no number stays text, for the server to refuse. */
export function valueOf(spec, text) {
  const trimmed = text.trim();
  if (spec.isFlag) return trimmed === 'true';
  if (spec.isList) return trimmed === '' ? [] : trimmed.split(',').map((part) => scalar(spec, part.trim()));
  return scalar(spec, trimmed);
}

function scalar(spec, text) {
  if (spec.isNumber && text !== '' && Number.isFinite(Number(text))) return Number(text);
  return text;
}

const bare = (value) => textOf(value).replaceAll(', ', ',');
const same = (a, b) => bare(a) === bare(b) || (bare(a) !== '' && Number(bare(a)) === Number(bare(b)));
const inputOf = (spec) => host.elements[spec.key];
const isDifferent = (spec) => !same(current(spec), stored[spec.key]);

function current(spec) {
  const input = inputOf(spec);
  return valueOf(spec, input.type === 'checkbox' ? String(input.checked) : input.value);
}

const changes = () => specs.filter((spec) => inputOf(spec) && isDifferent(spec));
const changedValues = () => Object.fromEntries(changes().map((spec) => [spec.key, current(spec)]));

// ---------------------------------------------------------------- the form

function control(spec) {
  const { key } = spec;
  const shared = { id: key, name: key, 'aria-describedby': `${key}-hint`, disabled: !isAdmin || spec.isFixed };
  const value = textOf(stored[key]);
  if (spec.isFlag) return el('input', { ...shared, type: 'checkbox', checked: value === 'true' });
  if (spec.choices && !spec.isList) {
    const options = spec.isOptional ? ['', ...spec.choices] : spec.choices;
    return el('select', shared, options.map((one) => el('option', { value: one, selected: one === value }, one || 'none')));
  }
  return el('input', { ...shared, type: spec.isTime ? 'time' : 'text', value, autocomplete: 'off', spellcheck: 'false', inputmode: spec.isNumber && !spec.isList ? 'decimal' : null });
}

function row(spec) {
  const isDefault = same(stored[spec.key], spec.default);
  return el('div', { class: 'setting', data: { key: spec.key, search: `${spec.key} ${spec.help}`.toLowerCase(), default: String(isDefault) } },
    el('div', {}, el('label', { for: spec.key }, spec.key), el('p', { class: 'hint' }, spec.help)),
    el('div', { class: 'control' }, control(spec), spec.unit && el('span', { class: 'unit' }, spec.unit),
      el('p', { class: 'hint', id: `${spec.key}-hint` }, [spec.range, `default ${textOf(spec.default) || 'none'}`].filter(Boolean).join('; '))));
}

const anchor = (title) => `group-${title.toLowerCase().replace(/[^a-z]+/g, '-')}`;

function show({ version: newVersion, values, schema }) {
  version = newVersion;
  stored = values;
  specs = readSchema(schema);
  byId('version').textContent = `Version ${version}`;
  const groups = new Map();
  for (const spec of specs) groups.set(spec.group, [...groups.get(spec.group) ?? [], spec]);
  const jump = byId('jump');
  jump.replaceChildren(el('option', { value: '' }, 'group'), ...[...groups.keys()].map((title) => el('option', { value: anchor(title) }, title)));
  const panels = [...groups].map(([title, members]) => el('section', { class: 'panel settings-group', id: anchor(title), 'aria-labelledby': `${anchor(title)}-title` },
    el('h2', { id: `${anchor(title)}-title` }, title), members.map(row)));
  saveBar = isAdmin ? el('div', { class: 'save-bar', hidden: true },
    el('span', { class: 'outcome', role: 'status', id: 'check' }),
    el('button', { type: 'button', on: { click: discard } }, 'Discard'), el('button', { class: 'primary', id: 'review' }, 'Review and save')) : null;
  queueMicrotask(narrow);
  return [...panels, el('p', { class: 'empty', id: 'nothing', hidden: true }, 'No setting fits. Change the filter.'), saveBar].filter(Boolean);
}

/** The rows of the schema in one form. */
function readSchema(schema) {
  return Object.entries(schema).map(([key, spec]) => {
    const kind = spec.type;
    const { choices = null, range = null } = spec;
    return {
      key,
      group: spec.group,
      help: spec.meaning ?? '',
      unit: spec.unit ?? '',
      default: spec.default,
      choices,
      range: rangeText(kind, range, choices),
      isFlag: kind === 'bool',
      isNumber: ['int', 'number', 'fraction', 'fractions', 'percent'].includes(kind),
      isList: ['choices', 'fractions'].includes(kind),
      isTime: kind === 'time',
      isOptional: kind === 'choice' && textOf(spec.default) === '',
      isFixed: kind === 'version',
    };
  });
}

/** What is accepted, where the control does not show it. */
function rangeText(kind, range, choices) {
  if (choices && kind === 'choices') return `of ${choices.join(', ')}`;
  if (kind === 'fractions') return 'shares of one, separated by commas';
  if (kind === 'duration') return 'such as 500ms, 1s, 2m or 1h';
  if (!range) return '';
  const [low, high] = [range.min, range.max].map((bound) => bound.toLocaleString('en-US', { maximumFractionDigits: 6 }));
  return `${range.min_excluded ? 'above ' : ''}${low} to ${high}`;
}

// ---------------------------------------------------------------- filter

function narrow() {
  const wanted = byId('filter').value.trim().toLowerCase();
  const onlyChanged = byId('only-changed').checked;
  let any = false;
  for (const group of host.querySelectorAll('.settings-group')) {
    let here = false;
    for (const item of group.querySelectorAll('.setting')) {
      item.hidden = !(item.dataset.search.includes(wanted) && (!onlyChanged || item.dataset.default === 'false'));
      here ||= !item.hidden;
    }
    group.hidden = !here;
    any ||= here;
  }
  if (byId('nothing')) byId('nothing').hidden = any;
}

byId('filter').addEventListener('input', narrow);
byId('only-changed').addEventListener('change', narrow);
byId('jump').addEventListener('change', ({ target }) => {
  byId(target.value)?.scrollIntoView();
  target.value = '';
});

// ---------------------------------------------------------------- checking and saving

function discard() {
  for (const spec of changes()) {
    const input = inputOf(spec);
    if (input.type === 'checkbox') input.checked = textOf(stored[spec.key]) === 'true';
    else input.value = textOf(stored[spec.key]);
  }
  showFaults(host, {});
  mark();
}

function mark() {
  for (const spec of specs) inputOf(spec)?.closest('.setting').classList.toggle('changed', isDifferent(spec));
  const count = changes().length;
  saveBar.hidden = count === 0;
  return count;
}

async function check() {
  if (mark() === 0) return;
  checking?.abort();
  checking = new AbortController();
  const said = byId('check');
  try {
    await api('/api/v1/settings/validate', { method: 'POST', body: { values: changedValues() }, signal: checking.signal });
    showFaults(host, {});
    const count = changes().length;
    outcome(said, `${count} ${count === 1 ? 'change' : 'changes'}, not saved yet.`);
    byId('review').disabled = false;
  } catch (error) {
    if (error.name === 'AbortError') return;
    if (!(error instanceof ApiError)) throw error;
    faults(error);
  }
}

function faults(error) {
  const { rest } = showFaults(host, error.fields);
  const count = Object.keys(error.fields).length;
  const text = rest.length ? rest.join(' ') : count ? `${count} ${count === 1 ? 'value is' : 'values are'} not accepted.` : error.message;
  outcome(byId('check'), text, 'bad');
  const { activeElement } = document;
  const first = host.querySelector('[aria-invalid="true"]');
  if (first && first !== activeElement) byId('check').append(' ', el('button', { type: 'button', class: 'small', on: { click: () => first.focus() } }, 'Show'));
  byId('review').disabled = error.status === 422;
}

function diff() {
  return el('div', { class: 'scroll diff', tabindex: '0', role: 'region', 'aria-label': 'Changes' }, el('table', {},
    el('thead', {}, el('tr', {}, ['Setting', 'Now', 'New'].map((title) => el('th', { scope: 'col' }, title)))),
    el('tbody', {}, changes().map((spec) => el('tr', {}, el('th', { scope: 'row' }, spec.key),
      el('td', {}, el('del', {}, textOf(stored[spec.key]) || 'none')), el('td', {}, el('ins', {}, textOf(current(spec)) || 'none')))))));
}

async function save() {
  if (changes().length === 0) return;
  const done = await ask({
    title: 'Save the settings',
    body: [diff(), 'The bot uses the new values from now on.'],
    action: 'Save',
    wide: true,
    act: async () => {
      try {
        return await api('/api/v1/settings', { method: 'PUT', body: { version, values: changedValues() } });
      } catch (error) {
        if (error.status === 409) return { conflict: true };
        if (error.status === 422) return { refused: error };
        throw error;
      }
    },
  });
  if (!done) return;
  if (done.refused) return void faults(done.refused);
  if (done.conflict) return void conflict();
  await load();
  outcome(byId('about'), `Saved as version ${version}.`, 'good');
}

/** While changes are being put back, nothing else may fill the form. */
let isKeeping = false;

/** Somebody else saved meanwhile: what they changed is taken over, what was entered here is kept. */
async function conflict() {
  const mine = changedValues();
  isKeeping = true;
  // What was typed last is checked here; its own check would come later and say something else.
  clearTimeout(typing);
  await load();
  for (const [key, value] of Object.entries(mine)) {
    const input = host.elements[key];
    if (input.type === 'checkbox') input.checked = value === true;
    else input.value = textOf(value);
  }
  await check();
  isKeeping = false;
  outcome(byId('check'), `Somebody saved version ${version} meanwhile. Your changes are kept here; look at them and save again.`, 'bad');
}

let typing = null;
host.addEventListener('input', () => {
  mark();
  clearTimeout(typing);
  typing = setTimeout(check, CHECK_PAUSE);
});
host.addEventListener('submit', (event) => {
  event.preventDefault();
  if (isAdmin) save();
});
window.addEventListener('beforeunload', (event) => {
  if (isAdmin && saveBar && !saveBar.hidden) event.preventDefault();
});

const load = () => fill(host, () => api('/api/v1/settings'), (answer) => (Object.keys(answer.values).length ? show(answer) : empty('There are no settings.')));
load();

/** TEST_MODE is no setting: it lasts as long as a test. */
function showTestMode(isOn) {
  const note = byId('test-mode');
  const link = isAdmin && el('a', { href: '/main#test', target: '_top' }, isOn ? 'Look at the test' : 'Start a test');
  note.replaceChildren(isOn ? 'TEST_MODE is on: a test runs, and the controls of live trading are disabled. ' : 'TEST_MODE is off. ', link || '');
  note.hidden = false;
}

startPanel((event) => {
  if (event.event === 'status') showTestMode(event.data.test_mode);
  // What is being edited is not taken away; the version tells when it is saved.
  if ((event.event === 'settings' || event.event === 'refresh') && !isKeeping && (!saveBar || saveBar.hidden)) load();
});
