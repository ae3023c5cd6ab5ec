// The audit log: who did what, and whether the record is whole. The newest entries come first.

import { api, busy, byId, el, empty, fill, number, outcome, table, time } from './shared_utils.js';
import { startPanel } from './panel.js';

const host = byId('content');
const filter = byId('filter');
const PAGE = 100;
/** Entries of one request, and most that a filter looks through. */
const AT_ONCE = 1_000;
const MOST_SEARCHED = 20_000;
let offset = 0;

const GOOD = ['ok', 'done'];
const BAD = ['denied', 'failed', 'refused', 'wrong', 'locked', 'broken', 'error'];

function statusTag(status) {
  const kind = GOOD.includes(status) ? 'good' : BAD.some((word) => status.includes(word)) ? 'bad' : '';
  return el('span', { class: `tag ${kind}` }, status);
}

function detail(value) {
  if (value === null || value === undefined || value === '') return '';
  return el('span', { class: 'mono' }, typeof value === 'string' ? value : JSON.stringify(value));
}

const pageAt = (from, limit) => api(`/api/v1/audit?offset=${from}&limit=${limit}`);

/** Entries from the newest on; as many as there are, at most `most`. */
async function fetchMany(most) {
  const entries = [];
  let total = Infinity;
  while (entries.length < Math.min(most, total)) {
    const page = await pageAt(entries.length, AT_ONCE);
    total = page.total;
    if (page.entries.length === 0) break;
    entries.push(...page.entries);
  }
  return { entries, total };
}

const textOf = (entry) => Object.values(entry).map((value) => (typeof value === 'object' ? JSON.stringify(value) : value)).join(' ').toLowerCase();

async function fetchShown() {
  const wanted = filter.value.trim().toLowerCase();
  if (wanted === '') return { ...await pageAt(offset, PAGE), first: offset };
  const { entries, total } = await fetchMany(MOST_SEARCHED);
  const found = entries.filter((entry) => textOf(entry).includes(wanted));
  return { entries: found.slice(offset, offset + PAGE), total: found.length, first: offset, searched: entries.length, all: total };
}

function show({ entries, total, first, searched, all }) {
  if (entries.length === 0) return el('section', { class: 'panel' }, empty(filter.value ? 'No entry fits. Change the filter.' : 'There is no entry.'));
  const last = first + entries.length;
  const go = (to) => () => { offset = Math.max(0, to); load(); };
  return el('section', { class: 'panel' }, table('Audit entries', [
    { title: 'No.', number: true, cell: (entry) => number(entry.seq) },
    { title: 'Time (UTC)', cell: (entry) => time(entry.utc) },
    { title: 'User', cell: (entry) => entry.user || el('span', { class: 'muted' }, 'none') },
    { title: 'Address', cell: (entry) => entry.ip },
    { title: 'Action', cell: (entry) => el('span', { class: 'mono' }, entry.action) },
    { title: 'Target', wrap: true, cell: (entry) => entry.target },
    { title: 'Result', cell: (entry) => statusTag(entry.status) },
    { title: 'Detail', wrap: true, cell: (entry) => detail(entry.detail) },
  ], entries), el('div', { class: 'actions' },
    el('button', { type: 'button', disabled: first <= 0, on: { click: go(first - PAGE) } }, 'Newer'),
    el('button', { type: 'button', disabled: last >= total, on: { click: go(last) } }, 'Older'),
    el('span', { class: 'muted' }, `${number(first + 1)} to ${number(last)} of ${number(total)}${searched < all ? ` in the newest ${number(searched)}` : ''}`)));
}

const load = () => fill(host, fetchShown, show);

async function verify() {
  const said = byId('verified');
  outcome(said, 'Verifying ...');
  try {
    const { ok, entries, first_bad_seq: bad, reason } = await api('/api/v1/audit/verify');
    if (ok) outcome(said, `The chain is whole: ${number(entries)} entries.`, 'good');
    else outcome(said, `The chain is broken${bad ? ` at entry ${bad}` : ''}${reason ? `: ${reason}` : ''}.`, 'bad');
  } catch (error) {
    outcome(said, error.message, 'bad');
  }
}

/** All entries as a file of JSON lines, the oldest first. */
async function save() {
  const { entries } = await fetchMany(Infinity);
  const text = entries.reverse().map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }));
  el('a', { href: url, download: `audit_${new Date().toISOString().slice(0, 19).replace(/[-:]/g, '')}Z.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

let typing = null;
filter.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => { offset = 0; load(); }, 250);
});
byId('verify').addEventListener('click', ({ currentTarget }) => busy(currentTarget, verify));
byId('export').addEventListener('click', ({ currentTarget }) => busy(currentTarget, save));
load();
verify();
startPanel((event) => { if (event.event === 'refresh') load(); });
