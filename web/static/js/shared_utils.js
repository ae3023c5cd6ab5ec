// What every page shares: the API, elements, times, numbers, the theme, the states of a panel.

const root = document.documentElement;

/** Whether this page is a frame of the dashboard. */
export const isFramed = window.parent !== window;
/** Whether whoever is logged in may change things. The server decides; this only spares a refusal. */
export const isAdmin = root.dataset.role === 'admin';
/** The id of whoever is logged in. */
export const userId = Number(root.dataset.userId);
if (isFramed) root.dataset.framed = '1';

// ---------------------------------------------------------------- elements

/** An element. Attributes: `on` holds listeners, `data` the data attributes, `true` a bare attribute. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Says that the first data are shown. */
export function ready() {
  root.dataset.ready = '1';
}

// ---------------------------------------------------------------- the API

/** An answer that is no success. `status` 0: the server did not answer. */
export class ApiError extends Error {
  constructor(status, code, message, fields = {}, retryAfter = null) {
    super(message);
    Object.assign(this, { status, code, fields, retryAfter });
  }
}

/** The token against forged requests, as the page brought it. */
export const csrf = () => document.querySelector('meta[name="csrf-token"]').content;

const NO_ANSWER = 'TradeBot does not answer. It may be restarting.';

/** Asks the API; gives its JSON. */
export async function api(path, { method = 'GET', body, signal } = {}) {
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') headers['X-CSRF-Token'] = csrf();
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined || isForm ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', NO_ANSWER);
  }
  if (response.status === 204) return null;
  let answer = null;
  try {
    answer = await response.json();
  } catch {
    // What is no JSON is told by its status.
  }
  if (response.ok) return answer;
  const { code = 'failed', message = `The server answered ${response.status}.`, fields = {} } = answer?.error ?? {};
  if (response.status === 401) leave('/login');
  const retry = Number(response.headers.get('Retry-After')) || null;
  throw new ApiError(response.status, code, message, fields, retry);
}

let isLeaving = false;

/** Sends the whole window somewhere else, also from within a frame. Once: a second time would call the first off. */
export function leave(path) {
  if (isLeaving) return;
  isLeaving = true;
  window.top.location.assign(path);
}

// ---------------------------------------------------------------- numbers and times

const numbers = [0, 1, 2, 3, 4].map((digits) => new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }));
/** A number with so many decimals, at most 4; never a negative zero. */
export const number = (value, digits = 0) => numbers[digits].format(Number(value) === 0 ? 0 : Number(value));
/** An amount of money with its sign, which is a word for those who see no colour. */
export const signed = (value, digits = 2) => `${Number(value) > 0 ? '+' : ''}${number(value, digits)}`;

/** Bytes in a unit that keeps the number short. */
export function bytes(count) {
  if (count < 1024) return `${count} B`;
  const unit = count < 1024 ** 2 ? ['kB', 1024] : ['MB', 1024 ** 2];
  return `${number(count / unit[1], 1)} ${unit[0]}`;
}

/** An instant as `2026-11-28 08:13:04`, in UTC. */
export function utc(instant) {
  const date = new Date(instant);
  return Number.isNaN(date.getTime()) ? String(instant ?? '') : date.toISOString().slice(0, 19).replace('T', ' ');
}

const newYork = new Intl.DateTimeFormat('en-GB', { timeZone: 'America/New_York', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
/** The time of day in New York, as `03:13:04`. */
export const newYorkTime = (instant) => newYork.format(new Date(instant));

/** A `<time>` in UTC that tells the New York time when pointed at. */
export function time(instant) {
  if (!instant) return el('span', { class: 'muted' }, 'never');
  return el('time', { datetime: instant, title: `${newYorkTime(instant)} New York`, class: 'nowrap' }, utc(instant));
}

/** A span of seconds, as `2 h 5 min`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A word of the API for people: `daily_loss` is `daily loss`. */
export const words = (name) => String(name).replaceAll('_', ' ');

// ---------------------------------------------------------------- states of a panel

/** Puts grey bars where data will be. */
export function loading(host) {
  host.setAttribute('aria-busy', 'true');
  host.replaceChildren(el('div', { class: 'loading' }, el('span', { class: 'visually-hidden' }, 'Loading'), el('i'), el('i'), el('i')));
}

/** Shows what failed, with a way to try again. */
export function failure(host, error, again) {
  const button = again && el('button', { type: 'button', on: { click: again } }, 'Try again');
  host.replaceChildren(el('div', { class: 'failure', role: 'alert' }, el('span', {}, error.message), button));
}

export const empty = (text) => el('p', { class: 'empty' }, text);

const PATIENCE = 10_000;

/** Fetches what a panel shows and shows it; grey bars meanwhile, an error instead if it fails or takes too long. */
export async function fill(host, fetchData, show) {
  if (!host.hasChildNodes()) loading(host);
  const again = () => fill(host, fetchData, show);
  const late = setTimeout(() => failure(host, new Error('This takes longer than it should.'), again), PATIENCE);
  try {
    const data = await fetchData();
    clearTimeout(late);
    const nodes = show(data);
    if (nodes) host.replaceChildren(...[nodes].flat());
  } catch (error) {
    clearTimeout(late);
    if (!(error instanceof ApiError)) console.error(error);
    failure(host, error, again);
  } finally {
    host.removeAttribute('aria-busy');
    ready();
  }
}

/** A table. Columns: `{title, cell(row), number, wrap, end, sort(row)}`; the first cell of a row names it. */
export function table(caption, columns, rows, { sortable = false } = {}) {
  const body = el('tbody');
  let order = { column: null, down: false };
  const heads = columns.map((column) => {
    const by = sortable && column.sort;
    const title = by ? el('button', { type: 'button', on: { click: () => sortBy(column) } }, column.title) : column.title;
    const head = column.title ? el('th', { scope: 'col', class: column.number || column.end ? 'number' : null, 'aria-sort': by ? 'none' : null }, title) : el('td');
    return { column, head };
  });
  function sortBy(column) {
    order = { column, down: order.column === column && !order.down };
    for (const { column: other, head } of heads) {
      if (head.hasAttribute('aria-sort')) head.setAttribute('aria-sort', other !== column ? 'none' : order.down ? 'descending' : 'ascending');
    }
    draw();
  }
  function draw() {
    const shown = [...rows];
    if (order.column) {
      const { sort } = order.column;
      shown.sort((a, b) => (sort(a) > sort(b)) - (sort(a) < sort(b)));
      if (order.down) shown.reverse();
    }
    body.replaceChildren(...shown.map((row) => el('tr', {}, columns.map((column, k) => {
      const kind = [column.number && 'number', column.wrap && 'wrap', column.end && 'end'].filter(Boolean).join(' ');
      return el(k === 0 ? 'th' : 'td', { scope: k === 0 ? 'row' : null, class: kind || null }, column.cell(row) ?? '');
    }))));
  }
  draw();
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el('table', {}, el('caption', { class: 'visually-hidden' }, caption), el('thead', {}, el('tr', {}, heads.map(({ head }) => head))), body));
}

// ---------------------------------------------------------------- forms

/** Shows the faults of fields beside them; gives the first field with one. Names without a field are returned in `rest`. */
export function showFaults(form, fields) {
  for (const old of form.querySelectorAll('.field-error')) old.remove();
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  let first = null;
  const rest = [];
  for (const [name, why] of Object.entries(fields)) {
    const input = form.elements[name];
    if (!(input instanceof Element)) {
      rest.push(`${words(name)}: ${why}`);
      continue;
    }
    const id = `${input.id}-error`;
    const described = (input.getAttribute('aria-describedby') ?? '').split(' ').filter((other) => other && other !== id);
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', [...described, id].join(' '));
    input.closest('.field, .control')?.append(el('p', { class: 'field-error', id }, why));
    first ??= input;
  }
  return { first, rest };
}

/** Says what came of a deed: `good`, `bad` or neither. */
export function outcome(host, text, kind = '') {
  host.className = `outcome ${kind}`;
  host.textContent = text;
  if (kind === 'bad') host.setAttribute('role', 'alert');
  else host.setAttribute('role', 'status');
}

/** Keeps a button from being pressed again while its work is under way. */
export async function busy(button, work) {
  button.disabled = true;
  try {
    return await work();
  } finally {
    button.disabled = false;
  }
}

// ---------------------------------------------------------------- shortcuts

const SHORTCUTS_OFF = 'tbot-shortcuts-off';
/** Whether single letters do nothing: for those whom they disturb. */
export const shortcutsAreOff = () => localStorage.getItem(SHORTCUTS_OFF) === '1';
export const switchShortcuts = (off) => localStorage.setItem(SHORTCUTS_OFF, off ? '1' : '0');

/** Calls `act(key)` for a key that is not typed into something. */
export function onShortcut(act) {
  window.addEventListener('keydown', (event) => {
    const isTyping = event.target.closest?.('input, select, textarea, dialog');
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || shortcutsAreOff()) return;
    if (event.key === '/') event.preventDefault();
    act(event.key);
  });
}

// ---------------------------------------------------------------- theme

const THEME = 'tbot_theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const themes = 'BroadcastChannel' in window ? new BroadcastChannel('tbot-theme') : null;

const theme = () => root.dataset.theme ?? (systemDark.matches ? 'dark' : 'light');

function labelTheme() {
  const button = byId('theme');
  if (!button) return;
  button.hidden = false;
  button.textContent = theme() === 'dark' ? 'Light theme' : 'Dark theme';
}

/** Keeps the choice: in a cookie, so that the server answers in it, and beside, because a logout clears cookies. */
function keepTheme(chosen) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${THEME}=${chosen}; Path=/; SameSite=Strict; Max-Age=31536000${secure}`;
  localStorage.setItem(THEME, chosen);
  root.dataset.theme = chosen;
  labelTheme();
}

function chooseTheme() {
  keepTheme(theme() === 'dark' ? 'light' : 'dark');
  themes?.postMessage(root.dataset.theme);
}

byId('theme')?.addEventListener('click', chooseTheme);
systemDark.addEventListener('change', labelTheme);
themes?.addEventListener('message', ({ data }) => {
  if (data !== 'dark' && data !== 'light') return;
  root.dataset.theme = data;
  labelTheme();
});
const kept = localStorage.getItem(THEME);
if (!root.dataset.theme && (kept === 'dark' || kept === 'light')) keepTheme(kept);
labelTheme();
