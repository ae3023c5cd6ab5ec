// The ledger: entries by date and account, what admins enter, comparison with a broker's file, exports.

import { ApiError, api, byId, el, empty, fill, isAdmin, number, outcome, table, time, utc, words } from './shared_utils.js';
import { ask } from './dialog.js';
import { onShown, startPanel } from './panel.js';

const host = byId('content');
const said = byId('said');
const review = byId('review');
const PAGE = 50;
/** Money has at most 8 decimals; sums are exact in units of the last. */
const UNIT = 100_000_000n;
let offset = 0;
let accounts = [];

// ---------------------------------------------------------------- money

/** An amount in units of 10^-8, or null if it is none. */
export function units(text) {
  const found = /^\s*(-?)(\d*)(?:\.(\d{0,8}))?\s*$/.exec(text);
  if (!found || (text.trim() !== '' && !/\d/.test(text))) return null;
  const value = BigInt(found[2] || 0) * UNIT + BigInt((found[3] ?? '').padEnd(8, '0'));
  return found[1] ? -value : value;
}

/** Units of 10^-8 as dollars, with at least two decimals. */
export function dollars(value) {
  const size = value < 0n ? -value : value;
  const decimals = String(size % UNIT).padStart(8, '0').replace(/0{1,6}$/, '');
  const whole = String(size / UNIT).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${value < 0n ? '-' : ''}${whole}.${decimals}`;
}

const money = (text) => {
  const value = units(text ?? '');
  return value === null ? text : dollars(value);
};
const side = (text) => (units(text) === 0n ? '' : money(text));

const nameOf = (code) => accounts.find((account) => account.code === code)?.name ?? '';
const accountText = (code) => `${code} ${nameOf(code)}`.trim();

// ---------------------------------------------------------------- entries

const isFiltered = () => ['account', 'from', 'to'].some((id) => byId(id).value);

function query() {
  const all = { offset, limit: PAGE, account: byId('account').value, from: byId('from').value, to: byId('to').value };
  return new URLSearchParams(Object.entries(all).filter(([, value]) => value !== ''));
}

/** One row a line; what belongs to the whole entry stands in its first. */
const rowsOf = (entries) => entries.flatMap((entry) => (entry.lines.length ? entry.lines : [null]).map((line, k) => ({ entry, line, isFirst: k === 0 })));

function show({ entries, total, offset: first }) {
  if (entries.length === 0) {
    return el('section', { class: 'panel' }, empty(isFiltered() ? 'No entry fits. Change the filter.' : 'There is no entry yet. What the bot does is booked here by itself.'));
  }
  const ofEntry = (cell) => ({ entry, isFirst }) => (isFirst ? cell(entry) : '');
  const last = first + entries.length;
  const go = (to) => () => { offset = Math.max(0, to); load(); };
  const rows = rowsOf(entries);
  const shown = table('Ledger entries', [
    { title: 'Date', cell: ({ entry, isFirst }) => el('span', { class: isFirst ? null : 'visually-hidden', title: `Booked at ${utc(entry.created_utc)} UTC` }, entry.date) },
    { title: 'Memo', wrap: true, cell: ofEntry((entry) => entry.memo) },
    { title: 'Account', cell: ({ line }) => (line ? accountText(line.account) : el('span', { class: 'muted' }, 'moves no money')) },
    { title: 'Debit', number: true, cell: ({ line }) => line && side(line.debit) },
    { title: 'Credit', number: true, cell: ({ line }) => line && side(line.credit) },
    byId('account').value && { title: 'Balance', number: true, cell: ofEntry((entry) => money(entry.balance)) },
    { title: 'By', cell: ofEntry((entry) => el('span', { class: 'tag', title: `by ${entry.created_by}` }, words(entry.source))) },
    { title: 'Flags', cell: ofEntry((entry) => entry.flags.map((flag) => el('span', { class: 'tag warn' }, flag))) },
    { title: 'Version', end: true, cell: ofEntry((entry) => [
      el('button', { type: 'button', class: 'small', 'aria-label': `v${entry.version}, history of entry ${entry.id}`, on: { click: () => history(entry) } }, `v${entry.version}`), ' ',
      isAdmin && el('button', { type: 'button', class: 'small', 'aria-label': `Edit entry ${entry.id}`, on: { click: () => edit(entry) } }, 'Edit'),
    ].filter(Boolean)) },
  ].filter(Boolean), rows);
  // Lines of one entry hang together.
  shown.querySelectorAll('tbody tr').forEach((row, k) => row.classList.toggle('continues', rows[k + 1]?.isFirst === false));
  return el('section', { class: 'panel' }, shown, el('div', { class: 'actions' },
    el('button', { type: 'button', disabled: first <= 0, on: { click: go(first - PAGE) } }, 'Newer'),
    el('button', { type: 'button', disabled: last >= total, on: { click: go(last) } }, 'Older'),
    el('span', { class: 'muted' }, `${number(first + 1)} to ${number(last)} of ${number(total)}`)));
}

const load = () => fill(host, async () => {
  await loadAccounts();
  return api(`/api/v1/ledger?${query()}`);
}, show);

async function loadAccounts() {
  if (accounts.length) return;
  ({ accounts } = await api('/api/v1/coa'));
  const parents = new Set(accounts.map((account) => account.parent));
  accounts = accounts.map((account) => ({ ...account, isHeading: parents.has(account.code) }));
  byId('account').append(...accounts.filter((account) => !account.isHeading).map(({ code }) => el('option', { value: code }, accountText(code))));
}

function linesTable(caption, lines) {
  return table(caption, [
    { title: 'Account', cell: (line) => accountText(line.account) },
    { title: 'Debit', number: true, cell: (line) => side(line.debit) },
    { title: 'Credit', number: true, cell: (line) => side(line.credit) },
  ], lines);
}

async function history({ id }) {
  try {
    const { entry, history: earlier } = await api(`/api/v1/ledger/entries/${id}`);
    const version = (one, until) => el('section', {}, el('h3', {}, `Version ${one.version}`), el('p', { class: 'hint' }, until), el('p', {}, `${one.date}: ${one.memo}`), one.lines.length ? linesTable(`Lines of version ${one.version}`, one.lines) : null);
    await ask({
      title: `Entry ${id}`,
      wide: true,
      isNote: true,
      action: 'Close',
      body: [
        entry.reference && el('p', { class: 'hint' }, `Reference ${entry.reference}, happened at ${utc(entry.utc)} UTC`),
        version(entry, `in force since ${utc(entry.updated_utc)} UTC, entered by ${entry.created_by}`),
        ...earlier.map((one) => version(one.entry, `until ${utc(one.replaced_utc)} UTC, replaced by ${one.replaced_by}`)),
      ].filter(Boolean),
    });
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  if (!(error instanceof ApiError)) throw error;
  outcome(said, error.message, 'bad');
}

// ---------------------------------------------------------------- the form of an entry

/** Takes one line: an account and either a debit or a credit. */
function lineFields(k, { account = '', debit = '', credit = '' }, isFixed) {
  const usable = accounts.filter(({ code, active, isHeading }) => code === account || (active && !isHeading));
  const amount = (name, title, value) => el('div', { class: 'field' },
    el('input', { name: `lines[${k}].${name}`, id: `line-${k}-${name}`, value: units(value) === 0n ? '' : value, inputmode: 'decimal', placeholder: title.toLowerCase(), autocomplete: 'off', disabled: isFixed, 'aria-label': `${title} of line ${k + 1}` }));
  return el('div', { class: 'entry-line' },
    el('div', { class: 'field' }, el('select', { name: `lines[${k}].account`, id: `line-${k}-account`, disabled: isFixed, 'aria-label': `Account of line ${k + 1}` },
      el('option', { value: '' }, 'account'), usable.map(({ code }) => el('option', { value: code, selected: code === account }, accountText(code))))),
    amount('debit', 'Debit', debit), amount('credit', 'Credit', credit));
}

/** A form for an entry with its live difference; `entry`: the one that is edited. */
function entryForm(entry) {
  const isFixed = entry !== null && entry.source !== 'manual';
  const today = new Date().toISOString().slice(0, 10);
  const lines = el('div', { class: 'entry-lines', role: 'group', 'aria-label': 'Lines' },
    el('div', { class: 'entry-line head', 'aria-hidden': 'true' }, el('span', {}, 'Account'), el('span', {}, 'Debit'), el('span', {}, 'Credit')));
  const difference = el('p', { class: 'outcome', role: 'status', id: 'difference' });
  let count = 0;
  const add = (line = {}) => lines.append(lineFields(count++, line, isFixed));
  for (const line of entry?.lines ?? [{}, {}]) add(line);
  const read = () => Array.from({ length: count }, (_, k) => Object.fromEntries(['account', 'debit', 'credit'].map((name) => [name, byId(`line-${k}-${name}`).value.trim()])))
    .filter((line) => line.account || line.debit || line.credit);
  const compare = () => {
    const sums = ['debit', 'credit'].map((name) => read().map((line) => units(line[name])));
    if (sums.flat().includes(null)) return outcome(difference, 'An amount is no number such as 12.50.', 'bad');
    const [debits, credits] = sums.map((all) => all.reduce((sum, value) => sum + value, 0n));
    const left = debits - credits;
    if (left === 0n) return outcome(difference, debits === 0n ? 'Debits and credits must be equal.' : `Balanced: ${dollars(debits)} on both sides.`, debits === 0n ? '' : 'good');
    return outcome(difference, `Difference: ${dollars(left < 0n ? -left : left)} more ${left > 0n ? 'debit' : 'credit'}.`, 'bad');
  };
  lines.addEventListener('input', compare);
  const field = (name, label, attributes, hint) => el('div', { class: 'field' }, el('label', { for: `entry-${name}` }, label), el('input', { id: `entry-${name}`, name, autocomplete: 'off', ...attributes }), hint && el('p', { class: 'hint' }, hint));
  const body = [
    isFixed && el('p', { class: 'notice' }, 'Booked from an event: its date and lines stay. Correct it by a further entry.'),
    el('div', { class: 'fields' }, field('date', 'Book date', { type: 'date', value: entry?.date ?? today, disabled: isFixed }), field('memo', 'Memo', { value: entry?.memo ?? '', maxlength: 512 })),
    lines,
    el('div', { class: 'actions' }, !isFixed && el('button', { type: 'button', class: 'small', on: { click: () => { add(); compare(); } } }, 'Add a line'), !isFixed && difference),
    field('flags', 'Flags', { value: (entry?.flags ?? []).join(', '), maxlength: 512 }, 'Words that mark the entry, divided by commas; may be empty.'),
  ].filter(Boolean);
  const values = () => ({
    date: byId('entry-date').value,
    memo: byId('entry-memo').value.trim(),
    flags: byId('entry-flags').value.split(',').map((flag) => flag.trim()).filter(Boolean),
    lines: isFixed ? entry.lines : read(),
    version: entry?.version,
  });
  return { body, values };
}

async function edit(entry = null) {
  const { body, values } = entryForm(entry);
  const done = await ask({
    title: entry ? `Edit entry ${entry.id}` : 'Add an entry',
    body,
    wide: true,
    action: entry ? `Save as version ${entry.version + 1}` : 'Add the entry',
    act: () => (entry
      ? api(`/api/v1/ledger/entries/${entry.id}`, { method: 'PUT', body: values() })
      : api('/api/v1/ledger/entries', { method: 'POST', body: values() })),
  });
  if (!done) return;
  await load();
  outcome(said, entry ? `Entry ${done.id} has version ${done.version} now.` : `Added as entry ${done.id}.`, 'good');
}

// ---------------------------------------------------------------- a broker's file

const KINDS = { missing_in_ledger: 'missing in the ledger', missing_at_broker: 'missing at the broker', differs: 'differs' };
const ACTIONS = [
  ['keep_ledger', 'The ledger is right'], ['corrected', 'The broker is right; an entry says so'], ['ignored', 'It does not matter'],
];

function showReview({ discrepancies, open, total }, summary) {
  review.hidden = open === 0 && !summary;
  if (review.hidden) return void review.replaceChildren();
  const rows = table('Open differences', [
    { title: 'No.', number: true, cell: (one) => number(one.id) },
    { title: 'Kind', cell: (one) => el('mark', { class: 'tag bad' }, KINDS[one.kind] ?? words(one.kind)) },
    { title: 'What', wrap: true, cell: (one) => one.detail },
    { title: 'Line', number: true, cell: (one) => (one.line === null ? '' : number(one.line)) },
    { title: 'Entry', number: true, cell: (one) => (one.entry === null ? '' : number(one.entry)) },
    { title: 'Found (UTC)', cell: (one) => time(one.found_utc) },
    isAdmin && { title: '', end: true, cell: (one) => el('button', { type: 'button', class: 'small', 'aria-label': `Resolve difference ${one.id}`, on: { click: () => resolve(one) } }, 'Resolve') },
  ].filter(Boolean), discrepancies);
  review.replaceChildren(...[
    el('div', { class: 'panel-head' }, el('h2', {}, 'Broker and ledger'), el('span', { class: `tag ${open ? 'bad' : 'good'}` }, open ? `${number(open)} open` : 'all agree')),
    summary && el('p', { class: 'about', id: 'summary' }, summary),
    discrepancies.length ? rows : null,
    total > discrepancies.length ? el('p', { class: 'hint' }, `The newest ${number(discrepancies.length)} of ${number(total)}.`) : null,
  ].filter(Boolean));
}

async function loadReview(summary = '') {
  try {
    showReview(await api('/api/v1/ledger/discrepancies?open=true&limit=100'), summary);
  } catch (error) {
    fail(error);
  }
}

async function compareFile() {
  const file = el('input', { type: 'file', id: 'statement', name: 'file', accept: '.csv,text/csv', required: true });
  const done = await ask({
    title: "Compare with a broker's file",
    body: [
      el('p', {}, 'A CSV file with a header line, in UTF-8, of at most 5 MiB. Needed are columns for date, symbol, side, quantity and price; fees and execution id are used if they are there.'),
      el('div', { class: 'field' }, el('label', { for: 'statement' }, 'File'), file),
    ],
    action: 'Upload and compare',
    act: async () => {
      const body = new FormData();
      if (file.files.length) body.set('file', file.files[0]);
      const receipt = await api('/api/v1/ledger/upload', { method: 'POST', body });
      return { receipt, result: await api('/api/v1/ledger/reconcile', { method: 'POST', body: { upload_id: receipt.upload_id } }) };
    },
  });
  if (!done) return;
  const { receipt, result } = done;
  const bad = receipt.errors.map(({ line, why }) => `line ${line}: ${why}`);
  const summary = `File ${receipt.upload_id}: ${number(receipt.rows)} executions, ${number(result.matched)} agree, ${number(result.mismatched)} differ.${bad.length ? ` Not read: ${bad.join('; ')}.` : ''}`;
  await loadReview(summary);
  review.scrollIntoView();
}

async function resolve(one) {
  const options = one.kind === 'missing_in_ledger' ? [['book', 'The broker is right: book its fill'], ...ACTIONS] : ACTIONS;
  const done = await ask({
    title: `Resolve difference ${one.id}`,
    body: [el('p', {}, one.detail), 'This is noted once, with your name.'],
    action: 'Resolve',
    fields: [{ name: 'action', label: 'What is right', options }, { name: 'note', label: 'Why' }],
    act: (body) => api(`/api/v1/ledger/discrepancies/${one.id}/resolve`, { method: 'POST', body }),
  });
  if (!done) return;
  outcome(said, done.action === 'book' ? `Difference ${one.id} is resolved; its fill is entry ${done.entry}.` : `Difference ${one.id} is resolved.`, 'good');
  await Promise.all([loadReview(), load()]);
}

// ---------------------------------------------------------------- reports, filter

function reports() {
  const year = byId('year').value;
  const link = (name, title, format) => el('a', { href: `/api/v1/reports/${name}?year=${encodeURIComponent(year)}&format=${format}`, download: true }, `${title}, ${format.toUpperCase()}`);
  byId('reports').replaceChildren(...['csv', 'json'].flatMap((format) => [link('tax', 'Gains', format), link('activity', 'Activity', format)]));
}

byId('year').value = new Date().getUTCFullYear();
byId('year').addEventListener('input', reports);
reports();
for (const id of ['account', 'from', 'to']) byId(id).addEventListener('change', () => { offset = 0; load(); });
byId('clear').addEventListener('click', () => {
  for (const id of ['account', 'from', 'to']) byId(id).value = '';
  offset = 0;
  load();
});
byId('add')?.addEventListener('click', () => edit());
byId('upload')?.addEventListener('click', compareFile);
load();
loadReview();
/** Executions are booked a moment after they are told. */
let booking = null;
const soon = () => { booking ??= setTimeout(() => { booking = null; load(); }, 1_000); };
onShown((shown) => { if (shown) load(); });
startPanel(({ event }) => {
  if (event === 'fill') soon();
  if (event === 'refresh') { load(); loadReview(); }
});
