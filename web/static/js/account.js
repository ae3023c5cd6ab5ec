// Own credentials and sessions; for admins, all users.

import { api, busy, byId, el, empty, fill, isAdmin, outcome, table, time, userId, utc } from './shared_utils.js';
import { ask, tell } from './dialog.js';
import { startPanel } from './panel.js';
import { watchPassword } from './password.js';

watchPassword({
  password: byId('password'), confirm: byId('password_confirm'), username: byId('username'), email: byId('email'),
  count: byId('password-count'), match: byId('confirm-state'), isOptional: true,
});

const ROLES = [['viewer', 'viewer: sees everything, changes nothing'], ['admin', 'admin: may do everything']];
const PASSWORD_HINT = '12 to 64 characters; not the user name or e-mail, and not a common password.';

// ---------------------------------------------------------------- sessions

const sessionsSaid = byId('sessions-said');

/** The browser that a session belongs to, in short. */
function browserName(agent = '') {
  const found = /(Firefox|Edg|OPR|Chrome|Safari|curl)\/?(\d+)?/.exec(agent);
  const name = { Edg: 'Edge', OPR: 'Opera' }[found?.[1]] ?? found?.[1] ?? 'Unknown browser';
  const system = ['Android', 'iPhone', 'iPad', 'Windows', 'Mac OS', 'Linux'].find((one) => agent.includes(one));
  return [`${name}${found?.[2] ? ` ${found[2]}` : ''}`, system].filter(Boolean).join(', ');
}

function sessionTable(sessions, revoke) {
  if (sessions.length === 0) return empty('There is no session.');
  const newest = sessions.toSorted((a, b) => (a.last_seen_utc < b.last_seen_utc ? 1 : -1));
  return table('Sessions', [
    { title: 'Browser', cell: (one) => el('span', { title: one.agent ?? '' }, browserName(one.agent), one.current ? el('span', { class: 'tag good' }, 'this one') : null) },
    { title: 'Address', cell: (one) => one.ip },
    { title: 'Last seen (UTC)', cell: (one) => el('span', { title: `Logged in at ${utc(one.created_utc)} UTC` }, time(one.last_seen_utc)) },
    { title: '', end: true, cell: (one) => (one.current ? '' : el('button', { type: 'button', class: 'small', 'aria-label': `End the session of ${one.ip}`, on: { click: () => revoke(one) } }, 'End')) },
  ], newest);
}

const sessionsOf = (id) => api(`/api/v1/users/${id}/sessions`);
const end = (id, session) => api(`/api/v1/users/${id}/sessions/revoke`, { method: 'POST', body: { session } });
let own = [];

/** Ends some of one's own sessions. */
async function endOwn(sessions) {
  try {
    for (const one of sessions) await end(userId, one.session);
    outcome(sessionsSaid, sessions.length ? `Ended ${sessions.length}.` : 'There is no other session.', 'good');
    await loadSessions();
  } catch (error) {
    outcome(sessionsSaid, error.message, 'bad');
  }
}

const loadSessions = () => fill(byId('sessions'), () => sessionsOf(userId), (sessions) => {
  own = sessions;
  return sessionTable(sessions, (one) => endOwn([one]));
});

byId('revoke-others').addEventListener('click', ({ currentTarget }) => busy(currentTarget, () => endOwn(own.filter((one) => !one.current))));

// ---------------------------------------------------------------- users

const usersSaid = byId('users-said');

async function change(user, body, said) {
  await api(`/api/v1/users/${user.id}`, { method: 'PATCH', body });
  await loadUsers();
  outcome(usersSaid, said, 'good');
}

function addUser() {
  return ask({
    title: 'Add a user',
    action: 'Add',
    password: true,
    fields: [
      { name: 'username', label: 'User name' }, { name: 'email', label: 'E-mail', type: 'email' }, { name: 'role', label: 'Role', options: ROLES, value: 'viewer' },
      { name: 'password', label: 'Password of the user', type: 'password', hint: PASSWORD_HINT, autocomplete: 'new-password' },
    ],
    act: async (values) => {
      await api('/api/v1/users', { method: 'POST', body: values });
      await loadUsers();
      outcome(usersSaid, `Added ${values.username}.`, 'good');
    },
  });
}

function changeUser(user) {
  return ask({
    title: `Change ${user.username}`,
    action: 'Save',
    password: true,
    fields: [
      { name: 'role', label: 'Role', options: ROLES, value: user.role },
      { name: 'state', label: 'State', options: [['active', 'may log in'], ['disabled', 'may not log in']], value: user.disabled ? 'disabled' : 'active' },
      { name: 'email', label: 'E-mail', type: 'email', value: user.email ?? '' },
      { name: 'password', label: 'New password', type: 'password', required: false, hint: `Empty: unchanged. ${PASSWORD_HINT}`, autocomplete: 'new-password' },
    ],
    act: ({ current_password, role, state, email, password }) => {
      const body = { current_password };
      if (role !== user.role) body.role = role;
      if ((state === 'disabled') !== user.disabled) body.disabled = state === 'disabled';
      if (email !== user.email) body.email = email;
      if (password) body.password = password;
      return change(user, body, `Changed ${user.username}.`);
    },
  });
}

function removeUser(user) {
  return ask({
    title: `Delete ${user.username}`,
    body: 'The user can no longer log in; running sessions end. What was done stays in the audit log.',
    action: 'Delete',
    danger: true,
    password: true,
    act: async (body) => {
      await api(`/api/v1/users/${user.id}`, { method: 'DELETE', body });
      await loadUsers();
      outcome(usersSaid, `Deleted ${user.username}.`, 'good');
    },
  });
}

async function showSessions(user) {
  const host = el('div');
  const load = () => fill(host, () => sessionsOf(user.id), (answer) => sessionTable(answer, async (one) => {
    await end(user.id, one.session);
    await load();
  }));
  load();
  await tell({ title: `Sessions of ${user.username}`, body: host, wide: true });
}

const loadUsers = () => fill(byId('users'), () => api('/api/v1/users'), (answer) => table('Users', [
  { title: 'Name', cell: (user) => user.username, sort: (user) => user.username.toLowerCase() },
  { title: 'E-mail', cell: (user) => user.email, sort: (user) => user.email },
  { title: 'Role', cell: (user) => el('span', { class: 'tag' }, user.role), sort: (user) => user.role },
  { title: 'State', cell: (user) => el('span', { class: `tag ${user.disabled ? 'warn' : 'good'}` }, user.disabled ? 'disabled' : 'active') },
  { title: '', end: true, cell: (user) => [
    ['Sessions', showSessions], ['Change', changeUser], user.id !== userId && ['Delete', removeUser],
  ].filter(Boolean).map(([name, act]) => el('button', { type: 'button', class: `small ${name === 'Delete' ? 'danger' : ''}`, 'aria-label': `${name}: ${user.username}`, on: { click: () => act(user) } }, name)) },
], answer, { sortable: true }));

loadSessions();
if (isAdmin) {
  byId('add-user').addEventListener('click', addUser);
  loadUsers();
}
startPanel((event) => { if (event.event === 'refresh') loadSessions(); });
