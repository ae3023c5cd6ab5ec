// What an admin can do while the bot is halted.

import { api, busy, byId, el, outcome, ready } from './shared_utils.js';
import { ask } from './dialog.js';
// The forms of the configuration are those of its own page.
import './configuration.js';

const said = byId('outcome');

/** The reasons that a refusal gives: one by one, or else its sentence. */
function reasons(error) {
  const list = Object.values(error.fields ?? {});
  return list.length ? list : [error.message];
}

byId('acknowledge')?.addEventListener('click', ({ currentTarget }) => busy(currentTarget, async () => {
  outcome(said, 'Checking ...');
  try {
    await api('/api/v1/control/acknowledge', { method: 'POST', body: {} });
    location.assign('/');
  } catch (error) {
    said.className = 'summary';
    said.setAttribute('role', 'alert');
    said.replaceChildren(el('p', {}, 'Something is still wrong:'), el('ul', {}, reasons(error).map((reason) => el('li', {}, reason))));
  }
}));

byId('kill')?.addEventListener('click', () => ask({
  title: 'Kill switch',
  body: 'All orders are cancelled and all positions are closed at once, at whatever price the market gives.',
  action: 'Kill: close everything now',
  danger: true,
  act: async () => {
    await api('/api/v1/control/kill', { method: 'POST', body: {} });
    location.reload();
  },
}));

byId('rotate')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const category = byId('rotate-category').value;
  ask({
    title: `Replace the key ${category}`,
    body: 'A new key is made. Files that only the old key could read are set aside; their values must be entered again.',
    action: 'Replace the key',
    danger: true,
    password: true,
    act: async (body) => {
      await api(`/api/v1/keys/${category}/rotate`, { method: 'POST', body });
      location.reload();
    },
  });
});

byId('restore')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const name = byId('restore-name').value;
  const isPortable = name.includes('_portable');
  ask({
    title: 'Restore a backup',
    body: [el('p', {}, 'What is there now is replaced by what is in ', el('span', { class: 'mono' }, name), '.')],
    action: 'Restore the backup',
    danger: true,
    password: true,
    fields: isPortable ? [{ name: 'passphrase', label: 'Passphrase of the backup', type: 'password' }] : [],
    act: async (body) => {
      await api(`/api/v1/backups/${name}/restore`, { method: 'POST', body });
      location.assign('/');
    },
  });
});
/** Where somebody else, or the end of what was being closed, has brought the bot meanwhile. */
const { botState, phase } = document.documentElement.dataset;
const PACE = 2_000;
setInterval(async () => {
  const now = await api('/api/v1/phase').catch(() => null);
  if (now && (now.phase !== phase || now.bot_state !== botState)) location.assign('/');
}, PACE);
if (!document.querySelector('form[data-category]')) ready();
