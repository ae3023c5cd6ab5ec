// Keys: which there are, and making them new.

import { api, byId, el, fill, isAdmin, outcome, table, time, words } from './shared_utils.js';
import { ask } from './dialog.js';
import { startPanel } from './panel.js';

const host = byId('content');
const PROTECTS = {
  login: 'Users and their password hashes', session: 'Session tokens', audit: 'The chain of the audit log', backup: 'Full backups',
  env: 'Books, the manifest of the keys, common secrets', env_enc: 'The environment file', env_bot: 'The settings', broker: 'Broker credentials',
  bot_identity: 'The identity of the bot', smtp: 'E-mail credentials', screener_api: 'Screener credentials', acct_api: 'Accounting credentials',
  alert: 'Alert channels', network: 'Network configuration',
};

function rotate(category, said) {
  return ask({
    title: `Rotate the key ${category}`,
    body: ['A new key is made, everything that the old one protects is encrypted again, and the old one is destroyed.',
      category === 'session' ? 'Everybody has to log in again.' : null].filter(Boolean),
    action: 'Rotate the key',
    password: true,
    act: async (body) => {
      const { fingerprint } = await api(`/api/v1/keys/${category}/rotate`, { method: 'POST', body });
      await load();
      outcome(said, `The key ${category} is new: ${fingerprint}.`, 'good');
    },
  });
}

const said = byId('said');

function show(keys) {
  if (keys.length === 0) return el('p', { class: 'empty' }, 'There are no keys.');
  return el('section', { class: 'panel' }, table('Keys', [
    { title: 'Key', cell: (key) => key.category, sort: (key) => key.category },
    { title: 'Protects', cell: (key) => el('span', { class: 'muted' }, PROTECTS[key.category] ?? words(key.category)) },
    { title: 'Fingerprint', cell: (key) => el('span', { class: 'mono' }, key.fingerprint) },
    { title: 'Created (UTC)', cell: (key) => time(key.created_utc), sort: (key) => key.created_utc ?? '' },
    { title: 'Rotated (UTC)', cell: (key) => time(key.rotated_utc), sort: (key) => key.rotated_utc ?? '' },
    isAdmin && { title: '', end: true, cell: (key) => el('button', { type: 'button', class: 'small', 'aria-label': `Rotate the key ${key.category}`, on: { click: () => rotate(key.category, said) } }, 'Rotate') },
  ].filter(Boolean), keys, { sortable: true }));
}

const load = () => fill(host, () => api('/api/v1/keys'), show);
load();
startPanel();
