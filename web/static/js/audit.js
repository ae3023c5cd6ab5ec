// The audit log: who did what, and whether the record is whole.

import { api, busy, byId, el, empty, fill, number, outcome, table, time } from './shared_utils.js';
import { startPanel } from './panel.js';

const host = byId('content');
const PAGE = 100;
let offset = null;

const GOOD = ['ok', 'done', 'accepted', 'begun', 'success'];
const BAD = ['denied', 'failed', 'fail', 'refused', 'error', 'broken', 'locked'];

function statusTag(status) {
  const kind = GOOD.includes(status) ? 'good' : BAD.includes(status) ? 'bad' : '';
  return el('span', { class: `tag ${kind}` }, status);
}

function detail(value) {
  if (value === null || value === undefined || value === '') return '';
  return el('span', { class: 'mono' }, typeof value === 'string' ? value : JSON.stringify(value));
}

function query() {
  const asked = new URLSearchParams({ limit: PAGE });
  if (offset !== null) asked.set('offset', offset);
  for (const name of ['user', 'action', 'from', 'to']) {
    const value = byId(`filter-${name}`)?.value.trim();
    if (value) asked.set(name, value);
  }
  return asked;
}

function show({ entries, total, offset: from }) {
  if (entries.length === 0) return el('section', { class: 'panel' }, empty('No entry fits. Change the filter.'));
  const sheet = table('Audit entries', [
    { title: 'No.', number: true, cell: (entry) => number(entry.seq) },
    { title: 'Time (UTC)', cell: (entry) => time(entry.utc) },
    { title: 'User', cell: (entry) => entry.user || el('span', { class: 'muted' }, 'none') },
    { title: 'Address', cell: (entry) => entry.ip },
    { title: 'Action', cell: (entry) => el('span', { class: 'mono' }, entry.action) },
    { title: 'Target', wrap: true, cell: (entry) => entry.target },
    { title: 'Result', cell: (entry) => statusTag(entry.status) },
    { title: 'Detail', wrap: true, cell: (entry) => detail(entry.detail) },
  ], entries);
  const first = from ?? offset ?? 0;
  const last = first + entries.length;
  const go = (to) => () => { offset = Math.max(0, to); load(); };
  return el('section', { class: 'panel' }, sheet, el('div', { class: 'actions' },
    el('button', { type: 'button', disabled: first <= 0, on: { click: go(first - PAGE) } }, 'Newer'),
    el('button', { type: 'button', disabled: last >= total, on: { click: go(first + PAGE) } }, 'Older'),
    el('span', { class: 'muted' }, `${number(first + 1)} to ${number(last)} of ${number(total)}`)));
}

const load = () => fill(host, () => api(`/api/v1/audit?${query()}`), show);

async function verify() {
  const said = byId('verified');
  outcome(said, 'Verifying ...');
  try {
    const { ok, entries, first_bad_seq: bad } = await api('/api/v1/audit/verify');
    if (ok) outcome(said, `The chain is whole: ${number(entries)} entries.`, 'good');
    else outcome(said, `The chain is broken${bad ? ` at entry ${bad}` : ''}.`, 'bad');
  } catch (error) {
    outcome(said, error.message, 'bad');
  }
}

let typing = null;
for (const input of document.querySelectorAll('.toolbar input, .toolbar select')) {
  input.addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => { offset = null; load(); }, 250);
  });
}
byId('verify').addEventListener('click', ({ currentTarget }) => busy(currentTarget, verify));
byId('export')?.addEventListener('click', () => {
  const asked = query();
  asked.delete('limit');
  asked.delete('offset');
  window.location.assign(`/api/v1/audit/export?${asked}`);
});
await load();
verify();
startPanel((event) => { if (event.event === 'refresh') load(); });
