// The chart of accounts: a tree that admins edit in place; what changes is shown before it is saved as a new version.

import { ApiError, api, byId, el, empty, fill, isAdmin, number, outcome, time, words } from './shared_utils.js';
import { ask } from './dialog.js';
import { startPanel } from './panel.js';

const host = byId('content');
const said = byId('said');
const TYPES = ['asset', 'liability', 'equity', 'income', 'expense'];
const FIELDS = ['name', 'type', 'parent', 'currency_code', 'active', 'description'];
let chart = null;
/** The accounts as edited here, by code. */
let draft = new Map();
let closed = new Set();
let editing = null;
/** Why the server refused what was to be saved. */
let faults = [];
let reason = '';

// ---------------------------------------------------------------- the difference

/** What changes from the stored accounts to the edited ones, as the server will say it. */
export function difference(before, after) {
  const old = new Map(before.map((account) => [account.code, account]));
  const changes = [];
  for (const account of after) {
    const was = old.get(account.code);
    if (!was) changes.push({ code: account.code, kind: 'added', fields: [{ field: 'name', before: '', after: account.name }] });
    else {
      const fields = FIELDS.filter((field) => (was[field] ?? null) !== (account[field] ?? null)).map((field) => ({ field, before: was[field], after: account[field] }));
      if (fields.length) changes.push({ code: account.code, kind: 'changed', fields });
    }
  }
  const codes = new Set(after.map((account) => account.code));
  for (const account of before) if (!codes.has(account.code)) changes.push({ code: account.code, kind: 'removed', fields: [{ field: 'name', before: account.name, after: '' }] });
  return changes;
}

const text = (value) => (value === true ? 'yes' : value === false ? 'no' : value === null || value === undefined || value === '' ? 'none' : String(value));
const edited = () => [...draft.values()].toSorted((a, b) => (a.code < b.code ? -1 : 1));
const changes = () => difference(chart.accounts, edited());

function changeTable(caption, rows) {
  return el('div', { class: 'scroll diff', tabindex: '0', role: 'region', 'aria-label': caption }, el('table', {},
    el('thead', {}, el('tr', {}, ['Account', 'What', 'Before', 'After'].map((title) => el('th', { scope: 'col' }, title)))),
    el('tbody', {}, rows.flatMap(({ code, kind, fields }) => fields.map(({ field, before, after }) => el('tr', {},
      el('th', { scope: 'row' }, code), el('td', {}, kind === 'changed' ? words(field) : kind),
      el('td', { class: 'wrap' }, kind === 'added' ? '' : el('del', {}, text(before))), el('td', { class: 'wrap' }, kind === 'removed' ? '' : el('ins', {}, text(after)))))))));
}

// ---------------------------------------------------------------- the tree

function children(parent) {
  return edited().filter((account) => (account.parent ?? null) === parent);
}

/** Accounts in order of the tree, with level and place; those under closed headings are left out. */
function visible(parent = null, level = 1) {
  const siblings = children(parent);
  return siblings.flatMap((account, k) => {
    const below = children(account.code);
    const isOpen = !closed.has(account.code);
    const row = { account, level, place: k + 1, of: siblings.length, isHeading: below.length > 0, isOpen };
    return [row, ...(isOpen ? visible(account.code, level + 1) : [])];
  });
}

function set(code, field, value) {
  draft.set(code, { ...draft.get(code), [field]: value });
  faults = [];
  drawChanges();
  mark(code);
}

/** Shows that a row is another than what is stored. */
function mark(code) {
  const row = host.querySelector(`tr[data-code="${CSS.escape(code)}"]`);
  row?.classList.toggle('changed', changes().some((change) => change.code === code));
}

function input(code, field, attributes) {
  return el('input', { value: draft.get(code)[field] ?? '', 'aria-label': `${words(field)} of ${code}`, autocomplete: 'off', ...attributes, on: { input: ({ target }) => set(code, field, target.value) } });
}

function cells({ account, isHeading }) {
  const { code } = account;
  const isOpenToEdit = editing === code;
  if (!isOpenToEdit) {
    return [account.name, account.type, account.active ? 'yes' : el('span', { class: 'tag warn' }, 'inactive'), el('span', { class: 'muted' }, account.description)];
  }
  const isSystem = chart.system_accounts.includes(code);
  const headings = edited().filter((other) => other.type === account.type && other.code !== code && !chart.system_accounts.includes(other.code));
  return [
    el('div', { class: 'stack' }, input(code, 'name', { maxlength: 128 }),
      el('select', { 'aria-label': `Heading of ${code}`, on: { change: ({ target }) => { set(code, 'parent', target.value || null); draw(code); } } },
        el('option', { value: '' }, 'under no heading'), headings.map((other) => el('option', { value: other.code, selected: other.code === account.parent }, `under ${other.code} ${other.name}`)))),
    account.type,
    isSystem || isHeading ? (account.active ? 'yes' : 'no') : el('input', { type: 'checkbox', checked: account.active, 'aria-label': `${code} is active`, on: { change: ({ target }) => set(code, 'active', target.checked) } }),
    input(code, 'description', { maxlength: 512 }),
  ];
}

function actions({ account, isHeading }) {
  const { code } = account;
  const isNeeded = chart.system_accounts.includes(code) || chart.used_accounts.includes(code) || isHeading;
  return [
    el('button', { type: 'button', class: 'small', 'aria-label': editing === code ? `Done with ${code}` : `Edit ${code}`, on: { click: () => { editing = editing === code ? null : code; draw(code); } } }, editing === code ? 'Done' : 'Edit'),
    !isNeeded && el('button', { type: 'button', class: 'small danger', 'aria-label': `Remove ${code}`, on: { click: () => remove(code) } }, 'Remove'),
  ].filter(Boolean);
}

function remove(code) {
  draft.delete(code);
  faults = [];
  draw();
}

function toggle(code, isOpen) {
  if (isOpen) closed.delete(code); else closed.add(code);
  draw(code);
}

function treeRow(row, isFirst) {
  const { account, level, place, of, isHeading, isOpen } = row;
  const { code } = account;
  const opener = isHeading
    ? el('button', { type: 'button', class: 'twisty', tabindex: '-1', 'aria-label': `${isOpen ? 'Close' : 'Open'} ${code}`, on: { click: () => toggle(code, !isOpen) } }, isOpen ? '\u25be' : '\u25b8')
    : el('span', { class: 'twisty' });
  const node = el('tr', {
    role: 'row', class: changes().some((change) => change.code === code) ? 'changed' : null, data: { code, level },
    'aria-level': level, 'aria-posinset': place, 'aria-setsize': of, 'aria-expanded': isHeading ? String(isOpen) : null, tabindex: isFirst ? '0' : '-1',
  }, el('th', { role: 'rowheader', scope: 'row' }, el('span', { class: 'indent' }, opener, code)),
  cells(row).map((cell, k) => el('td', { role: 'gridcell', class: k === 3 ? 'wrap' : null }, cell)),
  isAdmin ? el('td', { role: 'gridcell', class: 'end' }, actions(row)) : null);
  node.querySelector('.indent').style.paddingInlineStart = `${(level - 1) * 16}px`;
  return node;
}

/** Draws the tree anew; `focus`: the code whose row or first field takes the focus. */
function draw(focus = null) {
  const rows = visible();
  const body = host.querySelector('tbody');
  body.replaceChildren(...rows.map((row, k) => treeRow(row, focus ? row.account.code === focus : k === 0)));
  drawChanges();
  if (focus) {
    const row = body.querySelector(`tr[data-code="${CSS.escape(focus)}"]`);
    (editing === focus ? row?.querySelector('input') : row)?.focus();
  }
}

function moveFocus(row) {
  if (!row) return;
  for (const other of host.querySelectorAll('tbody tr')) other.tabIndex = other === row ? 0 : -1;
  row.focus();
}

/** Arrow keys walk rows, open and close headings; Enter edits. */
function onKey(event) {
  const row = event.target;
  if (!(row instanceof HTMLTableRowElement) || !row.dataset.code) return;
  const rows = [...host.querySelectorAll('tbody tr')];
  const at = rows.indexOf(row);
  const { code } = row.dataset;
  const expanded = row.getAttribute('aria-expanded');
  const parent = () => rows.slice(0, at).reverse().find((other) => Number(other.dataset.level) < Number(row.dataset.level));
  const keys = {
    ArrowDown: () => moveFocus(rows[at + 1]),
    ArrowUp: () => moveFocus(rows[at - 1]),
    Home: () => moveFocus(rows[0]),
    End: () => moveFocus(rows.at(-1)),
    ArrowRight: () => (expanded === 'false' ? toggle(code, true) : expanded === 'true' ? moveFocus(rows[at + 1]) : null),
    ArrowLeft: () => (expanded === 'true' ? toggle(code, false) : moveFocus(parent())),
    Enter: () => { if (isAdmin) { editing = code; draw(code); } },
  };
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

// ---------------------------------------------------------------- changes and saving

function drawChanges() {
  const panel = byId('changes');
  if (!panel) return;
  const all = changes();
  panel.hidden = all.length === 0;
  byId('count').textContent = `${number(all.length)} ${all.length === 1 ? 'account' : 'accounts'} would change, from version ${chart.coa_version}.`;
  byId('diff').replaceChildren(changeTable('Changes', all));
  const list = byId('refused');
  list.hidden = faults.length === 0;
  list.replaceChildren(el('ul', {}, faults.map((fault) => el('li', {}, fault))));
}

async function save() {
  try {
    const body = { coa_version: chart.coa_version, accounts: edited(), reason: byId('reason').value.trim() };
    const version = await api('/api/v1/coa', { method: 'PUT', body });
    editing = null;
    reason = '';
    await load();
    outcome(said, `Saved as version ${version.coa_version}.`, 'good');
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'stale') return void conflict(error);
    const fields = Object.entries(error.fields ?? {});
    faults = fields.length ? fields.map(([field, why]) => `${field}: ${why}`) : [error.message];
    drawChanges();
    byId('refused').focus();
  }
}

/** Somebody else saved meanwhile: their chart is shown, and what was changed here is put on top of it. */
async function conflict(error) {
  const mine = changes();
  const wanted = new Map(draft);
  reason = byId('reason').value;
  await load();
  for (const { code, kind, fields } of mine) {
    if (kind === 'removed') draft.delete(code);
    else if (kind === 'added') draft.set(code, wanted.get(code));
    else if (draft.has(code)) draft.set(code, { ...draft.get(code), ...Object.fromEntries(fields.map(({ field, after }) => [field, after])) });
  }
  faults = [`${error.message} Your changes are kept here; look at them and save again.`];
  draw();
  byId('refused')?.focus();
}

function add() {
  const headings = edited().filter((account) => !chart.system_accounts.includes(account.code));
  return ask({
    title: 'Add an account',
    body: 'It is added to the changes, and saved with them.',
    action: 'Add',
    fields: [
      { name: 'code', label: 'Code', hint: '1 to 16 digits, capitals, dots or hyphens; such as 5910.' }, { name: 'name', label: 'Name' },
      { name: 'type', label: 'Type', options: TYPES.map((type) => [type, type]), value: 'expense' },
      { name: 'parent', label: 'Heading', required: false, options: [['', 'none'], ...headings.map(({ code, name }) => [code, `${code} ${name}`])], value: '5000' },
      { name: 'description', label: 'Description', required: false },
    ],
    act: (values) => {
      const code = values.code.trim().toUpperCase();
      if (draft.has(code)) throw new ApiError(409, 'exists', 'There is an account with this code.', { code: 'There is an account with this code.' });
      draft.set(code, { code, name: values.name.trim(), type: values.type, parent: values.parent || null, currency_code: chart.currency_code, active: true, description: values.description.trim() });
      faults = [];
      draw();
    },
  });
}

function show(answer) {
  chart = answer;
  draft = new Map(chart.accounts.map((account) => [account.code, account]));
  faults = [];
  const { coa_version: version, entity, jurisdiction, currency_code: currency, last_updated_utc: updated, updated_by: by } = chart;
  byId('about').replaceChildren(`Version ${version}, entity ${entity}, jurisdiction ${jurisdiction}, ${currency}. Last change by ${by} at `, time(updated), ' UTC.');
  const titles = ['Code', 'Name', 'Type', 'Active', 'Description', isAdmin && 'Edit'].filter(Boolean);
  const tree = el('section', { class: 'panel' }, el('div', { class: 'scroll' }, el('table', { role: 'treegrid', 'aria-label': 'Chart of accounts', class: 'tree' },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, titles.map((title) => el('th', { role: 'columnheader', scope: 'col', class: title === 'Edit' ? 'number' : null }, title)))),
    el('tbody', { role: 'rowgroup' }))));
  const panel = isAdmin && el('section', { class: 'panel', id: 'changes', hidden: true, 'aria-labelledby': 'changes-title' },
    el('h2', { id: 'changes-title' }, 'Changes, not saved yet'), el('p', { class: 'about', id: 'count', role: 'status' }),
    el('div', { class: 'summary', role: 'alert', id: 'refused', tabindex: '-1', hidden: true }), el('div', { id: 'diff' }),
    el('div', { class: 'field' }, el('label', { for: 'reason' }, 'Why'), el('input', { id: 'reason', name: 'reason', maxlength: 512, autocomplete: 'off', value: reason })),
    el('div', { class: 'actions' }, el('button', { class: 'primary', id: 'save' }, 'Save as a new version'), el('button', { type: 'button', on: { click: () => { editing = null; host.replaceChildren(...show(chart)); } } }, 'Discard')));
  queueMicrotask(draw);
  return [tree, panel].filter(Boolean);
}

function showHistory({ versions, total }) {
  const changed = ({ diff }) => [
    ...diff.added.map((account) => ({ code: account.code, kind: 'added', fields: [{ field: 'name', after: account.name }] })),
    ...diff.removed.map((account) => ({ code: account.code, kind: 'removed', fields: [{ field: 'name', before: account.name }] })),
    ...diff.changed.map(({ code, fields }) => ({ code, kind: 'changed', fields })),
  ];
  return [...versions.map((version) => {
    const rows = changed(version);
    return el('details', { class: 'version' }, el('summary', {}, `Version ${version.coa_version}: ${version.reason} `, el('span', { class: 'muted' }, `by ${version.user}, `, time(version.utc))),
      rows.length ? changeTable(`Changes of version ${version.coa_version}`, rows) : empty('The chart that the books began with.'));
  }), versions.length < total ? el('p', { class: 'hint' }, `The newest ${versions.length} of ${total}.`) : null].filter(Boolean);
}

async function load() {
  await Promise.all([
    fill(host, () => api('/api/v1/coa'), show),
    fill(byId('history'), () => api('/api/v1/coa/history?limit=100'), showHistory),
  ]);
  // Only now: the chart would push it down.
  byId('versions').hidden = false;
}

host.addEventListener('keydown', onKey);
host.addEventListener('submit', (event) => {
  event.preventDefault();
  if (isAdmin && chart && changes().length) save();
});
window.addEventListener('beforeunload', (event) => {
  if (isAdmin && chart && changes().length) event.preventDefault();
});
byId('add')?.addEventListener('click', add);
load();
startPanel((event) => { if (event.event === 'refresh' && (!chart || changes().length === 0)) load(); });
