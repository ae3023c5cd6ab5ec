// The dashboard: navigation between panels, clocks, the stream of events, the kill switch, keys.

import { api, byId, el, isAdmin, leave, newYorkTime, onShortcut, ready, shortcutsAreOff, switchShortcuts, utc, words } from './shared_utils.js';
import { ask, tell } from './dialog.js';
import { listen, onEvent, onStale, pass, staleText } from './events.js';
import { showMode } from './mode.js';

const links = [...document.querySelectorAll('a[data-panel]')];
const frameOf = (name) => byId(`panel-${name}`);
const names = links.map((link) => link.dataset.panel);

// ---------------------------------------------------------------- panels

let current = null;
let lostSince = null;

/** Shows a panel; its page is fetched when it is first shown. */
function show(name, { focus = false } = {}) {
  const frame = frameOf(name);
  if (!frame) return;
  for (const link of links) {
    if (link.dataset.panel === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (current && current !== name) {
    frameOf(current).hidden = true;
    pass(frameOf(current), { kind: 'hidden' });
  }
  current = name;
  frame.hidden = false;
  if (!frame.hasAttribute('src')) frame.src = frame.dataset.src;
  else pass(frame, { kind: 'shown' });
  document.title = `${frame.title} - TradeBot`;
  byId('menu').open = false;
  if (location.hash !== `#${name}`) history.replaceState(null, '', `#${name}`);
  if (focus) frame.focus();
}

for (const link of links) {
  link.addEventListener('click', (event) => {
    // With a modifier the panel opens alone, in a tab of its own.
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    show(link.dataset.panel);
  });
}
const asked = () => (names.includes(location.hash.slice(1)) ? location.hash.slice(1) : names[0]);
window.addEventListener('hashchange', () => show(asked()));

/** A panel that has found its way to another page, such as the login, takes the whole window along. */
for (const frame of document.querySelectorAll('iframe')) {
  frame.addEventListener('load', () => {
    try {
      const path = frame.contentWindow.location.pathname;
      // By then the bot may be somewhere else again: the server knows which page it is.
      if (['/login', '/wait', '/register', '/error', '/main'].includes(path)) leave('/');
      delete frame.dataset.failed;
    } catch {
      // The page of the browser itself that says that nobody answers: fetched anew when somebody does.
      frame.dataset.failed = '1';
    }
  });
}

// ---------------------------------------------------------------- clocks

function tick() {
  const now = new Date();
  byId('clock-utc').textContent = now.toISOString().slice(11, 19);
  byId('clock-ny').textContent = newYorkTime(now);
  if (lostSince) byId('stale').textContent = `${staleText(lostSince)} What is shown is ${Math.round((now - lostSince) / 1000)} s old.`;
  setTimeout(tick, 1000 - (Date.now() % 1000));
}

// ---------------------------------------------------------------- state and events

const MOODS = {
  error: 'bad', shutdown_triggered: 'bad', emergency_closing_positions: 'bad', shutdown: 'warn',
  graceful_closing_positions: 'warn', updating: 'warn', analyzing: 'good', trading: 'good', monitoring: 'good',
};

/** The pill follows the state; another phase is another page. */
async function follow() {
  const { phase, bot_state: state } = await api('/api/v1/phase');
  const pill = byId('bot-state');
  pill.textContent = words(state);
  pill.className = `pill ${MOODS[state] ?? ''}`;
  if (phase !== document.documentElement.dataset.phase) leave('/');
}

const MOST_ALERTS = 3;

/** An alert stays until somebody has read it. */
function alert({ message, utc: at }) {
  const host = byId('alerts');
  const item = el('div', { class: 'notice alert' }, el('span', {}, message), el('span', { class: 'muted nowrap' }, `${utc(at).slice(11)} UTC`),
    el('button', { type: 'button', class: 'small', on: { click: () => item.remove() } }, 'Dismiss'));
  host.prepend(item);
  while (host.childElementCount > MOST_ALERTS) host.lastElementChild.remove();
}

onEvent((event) => {
  if (event.event === 'alert') alert(event.data);
  if (event.event === 'status') showMode(event.data);
  if (event.event === 'bot_state' || event.event === 'refresh') follow().catch(() => { /* The next event tells. */ });
  for (const frame of document.querySelectorAll('iframe[src]')) {
    if (event.event === 'refresh' && frame.dataset.failed) frame.src = frame.dataset.src;
    else pass(frame, { kind: 'event', event });
  }
});
onStale((since) => {
  lostSince = since;
  byId('stale').hidden = !since;
  if (since) byId('stale').textContent = staleText(since);
  for (const frame of document.querySelectorAll('iframe[src]')) pass(frame, { kind: 'stale', since });
});

window.addEventListener('message', ({ origin, source, data }) => {
  if (origin !== location.origin || typeof data !== 'object' || data === null) return;
  const frame = [...document.querySelectorAll('iframe')].find((one) => one.contentWindow === source);
  if (!frame) return;
  if (data.kind === 'hello') pass(frame, { kind: 'stale', since: lostSince });
  if (data.kind === 'key') onKey(data.key);
  if (data.kind === 'show') show(data.panel, { focus: true });
});

// ---------------------------------------------------------------- kill switch

byId('kill')?.addEventListener('click', () => {
  ask({
    title: 'Kill switch',
    body: ['All orders are cancelled and all positions are closed at once, at whatever price the market gives. The bot then stays stopped until an admin acknowledges it.'],
    action: 'Kill: close everything now',
    danger: true,
    act: async () => {
      await api('/api/v1/control/kill', { method: 'POST', body: {} });
      await follow();
    },
  });
});

// ---------------------------------------------------------------- keys

let afterG = 0;

function onKey(key) {
  if (Date.now() < afterG) {
    afterG = 0;
    const link = links.find((one) => one.dataset.key === key);
    if (link) show(link.dataset.panel, { focus: true });
    return;
  }
  if (key === 'g') afterG = Date.now() + 1500;
  if (key === '?') help();
  if (key === '/') pass(frameOf(current), { kind: 'filter' });
}

onShortcut(onKey);

function help() {
  if (document.querySelector('dialog[open]')) return;
  const row = (keys, text) => el('tr', {}, el('td', {}, keys.flatMap((key) => [el('kbd', {}, key), ' '])), el('td', {}, text));
  const off = el('input', { type: 'checkbox', id: 'keys-off', checked: shortcutsAreOff() });
  off.addEventListener('change', () => switchShortcuts(off.checked));
  tell({
    title: 'Shortcuts',
    body: [
      el('table', {}, el('tbody', {},
        links.map((link) => row(['g', link.dataset.key], link.textContent)),
        row(['/'], 'To the filter of the panel'), row(['?'], 'This list'), row(['Esc'], 'Close a dialog'))),
      el('div', { class: 'check' }, off, el('label', { for: 'keys-off' }, 'Switch the shortcuts off')),
    ],
  });
}
byId('keys-help').hidden = false;
byId('keys-help').addEventListener('click', help);

tick();
show(asked());
listen();
if (!isAdmin) byId('kill')?.remove();
ready();
