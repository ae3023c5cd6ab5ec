// Logs, as they are written: one at a time, the newest 500 lines in the page.

import { api, byId, empty, failure, loading, ready } from './shared_utils.js';
import { logLine, parseLine } from './log_line.js';
import { onShown, startPanel } from './panel.js';

const MOST = 500;
const PAGE = 200;
const log = byId('log');
const [level, filter, follow, pause, older, note] = ['level', 'filter', 'follow', 'pause', 'older', 'note'].map(byId);
const RANKS = { debug: 0, info: 1, warn: 2, error: 3 };

let name = null;
let stream = null;
let firstOffset = 0;
let held = [];
let isPaused = false;
let isBehind = false;
let isShown = true;

// ---------------------------------------------------------------- lines

function nodeOf(line) {
  const node = logLine(parseLine(line));
  node.hidden = !fits(node);
  return node;
}

function fits(node) {
  const least = RANKS[level.value] ?? 0;
  const wanted = filter.value.trim().toLowerCase();
  return (RANKS[node.dataset.level] ?? 1) >= least && (wanted === '' || node.textContent.toLowerCase().includes(wanted));
}

function refilter() {
  for (const node of log.querySelectorAll('.line')) node.hidden = !fits(node);
  say();
}

function say() {
  const lines = [...log.querySelectorAll('.line')];
  const shown = lines.filter((node) => !node.hidden).length;
  const hidden = lines.length - shown;
  const parts = [`${shown} ${shown === 1 ? 'line' : 'lines'}`];
  if (hidden) parts.push(`${hidden} filtered out`);
  if (held.length) parts.push(`${held.length} waiting`);
  note.textContent = parts.join(', ');
  older.disabled = firstOffset <= 0;
}

function add(lines) {
  if (isPaused || isBehind) {
    held = [...held, ...lines].slice(-MOST);
    say();
    return;
  }
  log.querySelector('.empty')?.remove();
  log.append(...lines.map(nodeOf));
  while (log.childElementCount > MOST) {
    log.firstElementChild.remove();
    firstOffset++;
  }
  if (follow.checked) log.scrollTop = log.scrollHeight;
  say();
}

// ---------------------------------------------------------------- from the server

async function open(chosen) {
  close();
  name = chosen;
  held = [];
  isBehind = false;
  for (const tab of document.querySelectorAll('[role="tab"]')) {
    const isChosen = tab.dataset.log === chosen;
    tab.setAttribute('aria-selected', isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
    if (isChosen) log.setAttribute('aria-label', tab.textContent);
  }
  byId('download').href = `/api/v1/logs/${chosen}/download`;
  loading(log);
  try {
    const page = await api(`/api/v1/logs/${chosen}?limit=${PAGE}`);
    if (name !== chosen) return;
    firstOffset = page.offset ?? 0;
    log.replaceChildren();
    if (page.lines.length) add(page.lines);
    else log.append(empty('Nothing has been written to this log yet.'));
    log.removeAttribute('aria-busy');
    log.scrollTop = log.scrollHeight;
    say();
    stream = follows(chosen, page.bytes);
  } catch (error) {
    log.removeAttribute('aria-busy');
    failure(log, error, () => open(chosen));
  }
  ready();
}

function follows(chosen, from) {
  if (!isShown) return null;
  const source = new EventSource(`/api/v1/logs/${chosen}/stream${from === undefined ? '' : `?from=${from}`}`);
  const take = ({ data }) => {
    let lines = data;
    try {
      lines = JSON.parse(data);
    } catch {
      // A line of text.
    }
    if (lines && !Array.isArray(lines) && typeof lines === 'object') lines = lines.lines ?? lines.line ?? data;
    add([lines].flat().map(String));
  };
  for (const kind of ['message', 'line', 'lines', 'log']) source.addEventListener(kind, take);
  return source;
}

function close() {
  stream?.close();
  stream = null;
}

async function more() {
  const count = Math.min(PAGE, firstOffset);
  if (count === 0) return;
  older.disabled = true;
  const page = await api(`/api/v1/logs/${name}?offset=${firstOffset - count}&limit=${count}`);
  firstOffset -= page.lines.length;
  const height = log.scrollHeight;
  follow.checked = false;
  log.prepend(...page.lines.map(nodeOf));
  // Older lines push the newest out of the page; following brings them back.
  while (log.childElementCount > MOST) {
    log.lastElementChild.remove();
    isBehind = true;
  }
  log.scrollTop = log.scrollHeight - height;
  say();
}

// ---------------------------------------------------------------- controls

const tabs = [...document.querySelectorAll('[role="tab"]')];
for (const [k, tab] of tabs.entries()) {
  tab.addEventListener('click', () => open(tab.dataset.log));
  tab.addEventListener('keydown', ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (!step) return;
    const next = tabs[(k + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}
level.addEventListener('change', refilter);
filter.addEventListener('input', refilter);
follow.addEventListener('change', () => { if (follow.checked) open(name); });
older.addEventListener('click', more);
pause.addEventListener('click', () => {
  isPaused = !isPaused;
  pause.setAttribute('aria-pressed', isPaused);
  pause.textContent = isPaused ? 'Go on' : 'Pause';
  if (!isPaused) {
    const waiting = held;
    held = [];
    add(waiting);
  }
});
log.addEventListener('scroll', () => {
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  if (!isAtEnd && follow.checked) follow.checked = false;
});
// A panel that cannot be seen holds no connection.
onShown((shown) => {
  if (shown === isShown) return;
  isShown = shown;
  if (shown) open(name);
  else close();
});
window.addEventListener('pagehide', close);
open(tabs[0].dataset.log);
startPanel();
