// Backups: make, keep elsewhere, bring back, restore.

import { api, byId, bytes, el, empty, fill, outcome, table, time } from './shared_utils.js';
import { ask } from './dialog.js';
import { startPanel } from './panel.js';

const host = byId('content');
const said = byId('said');
const PASSPHRASE_HINT = 'At least 12 characters. Without it the backup cannot be read by anybody, ever.';

/** What a name tells: `backup_v<schema>_<YYYYMMDDTHHMMSSZ>_<kind>.enc`. */
export function readName(name) {
  const found = /^backup_v(\d+)_(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z_([a-z]+)/.exec(name);
  if (!found) return { kind: '', made: null };
  const [, , y, mo, d, h, mi, s, kind] = found;
  return { kind, made: `${y}-${mo}-${d}T${h}:${mi}:${s}Z` };
}

async function make(kind) {
  const isPortable = kind === 'portable';
  await ask({
    title: isPortable ? 'Make a portable backup' : 'Make a backup',
    body: isPortable
      ? 'It can be restored on another machine: it holds the keys, and a passphrase protects it.'
      : 'It can be restored on this machine only: the key of backups protects it.',
    action: 'Make the backup',
    fields: isPortable ? [{ name: 'passphrase', label: 'Passphrase', type: 'password', hint: PASSPHRASE_HINT, autocomplete: 'new-password' }] : [],
    act: async ({ passphrase }) => {
      const made = await api('/api/v1/backups', { method: 'POST', body: isPortable ? { kind, passphrase } : { kind } });
      await load();
      outcome(said, `Made ${made?.name ?? 'the backup'}.`, 'good');
    },
  });
}

function upload() {
  const file = el('input', { type: 'file', id: 'upload-file', accept: '.enc' });
  return ask({
    title: 'Bring back a backup',
    body: [el('p', {}, 'A file that was downloaded here before joins the list. Nothing is restored yet.'),
      el('div', { class: 'field' }, el('label', { for: 'upload-file' }, 'File'), file)],
    action: 'Upload',
    password: true,
    act: async ({ current_password }) => {
      const body = new FormData();
      body.set('current_password', current_password);
      if (file.files.length) body.set('file', file.files[0]);
      await api('/api/v1/backups/upload', { method: 'POST', body });
      await load();
      outcome(said, 'The backup is in the list.', 'good');
    },
  });
}

function restore({ name }) {
  return ask({
    title: 'Restore a backup',
    body: [el('p', {}, 'Keys, secrets, users, settings and books become those of ', el('span', { class: 'mono' }, name), '. What is there now is replaced.'),
      'Everybody has to log in again, with the users of the backup.'],
    action: 'Restore',
    danger: true,
    word: 'RESTORE',
    password: true,
    fields: readName(name).kind === 'portable' ? [{ name: 'passphrase', label: 'Passphrase of the backup', type: 'password' }] : [],
    act: async (body) => {
      await api(`/api/v1/backups/${encodeURIComponent(name)}/restore`, { method: 'POST', body });
      window.top.location.assign('/');
    },
  });
}

function show({ backups }) {
  if (backups.length === 0) return el('section', { class: 'panel' }, empty('There is no backup yet. One is made every day while the bot runs; make the first now.'));
  return el('section', { class: 'panel' }, table('Backups', [
    { title: 'Made (UTC)', cell: (one) => time(one.created_utc ?? readName(one.name).made), sort: (one) => one.created_utc ?? one.name },
    { title: 'Kind', cell: (one) => el('span', { class: 'tag' }, one.kind ?? readName(one.name).kind), sort: (one) => one.kind ?? '' },
    { title: 'Size', number: true, cell: (one) => (one.bytes === undefined ? '' : bytes(one.bytes)), sort: (one) => one.bytes ?? 0 },
    { title: 'File', cell: (one) => el('span', { class: 'mono' }, one.name) },
    { title: '', end: true, cell: (one) => [
      el('a', { class: 'button small', href: `/api/v1/backups/${encodeURIComponent(one.name)}`, download: one.name, 'aria-label': `Download ${one.name}` }, 'Download'), ' ',
      el('button', { type: 'button', class: 'small danger', 'aria-label': `Restore ${one.name}`, on: { click: () => restore(one) } }, 'Restore'),
    ] },
  ], backups, { sortable: true }));
}

const load = () => fill(host, () => api('/api/v1/backups'), show);
byId('make-full').addEventListener('click', () => make('full'));
byId('make-portable').addEventListener('click', () => make('portable'));
byId('upload').addEventListener('click', upload);
load();
startPanel();
