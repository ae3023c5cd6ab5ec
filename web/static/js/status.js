// What the bot does now, from one answer of the API. What is not there is not shown, or says so.

import { api, byId, el, empty, fill, number, signed, table, time, utc, words } from './shared_utils.js';
import { onShown, startPanel } from './panel.js';

const host = byId('content');
const PACE = 5_000;

function tile(name, value, detail, kind = '') {
  const isNone = value === null || value === undefined;
  return el('div', { class: 'tile' }, el('dt', {}, name),
    el('dd', {}, el('div', { class: `value ${isNone ? 'none' : kind}` }, isNone ? 'none' : value), detail && el('div', { class: 'detail' }, detail)));
}

const trend = (value) => (Number(value) > 0 ? 'up' : Number(value) < 0 ? 'down' : '');
const isInstant = (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);

/** Any value for people. */
function plain(value) {
  if (value === null || value === undefined || value === '') return el('span', { class: 'muted' }, 'none');
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return number(value, Number.isInteger(value) ? 0 : 2);
  if (isInstant(value)) return time(value);
  if (Array.isArray(value)) return value.length ? value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : words(one))).join(', ') : el('span', { class: 'muted' }, 'none');
  if (typeof value === 'object') return facts(value);
  return words(value);
}

function facts(object) {
  return el('dl', { class: 'facts' }, Object.entries(object).flatMap(([name, value]) => [el('dt', {}, words(name)), el('dd', {}, plain(value))]));
}

function panel(title, ...content) {
  return el('section', { class: 'panel' }, el('h2', {}, title), content);
}

function show(status) {
  return [el('dl', { class: 'tiles' }, tile('State', words(status.bot_state)))];
}

const load = () => fill(host, () => api('/api/v1/status'), (status) => {
  byId('as-of').textContent = `As of ${utc(status.utc ?? Date.now()).slice(11)} UTC`;
  return show(status);
});

let isShown = true;
onShown((shown) => {
  isShown = shown;
  if (shown) load();
});
setInterval(() => { if (isShown && !document.hidden) load(); }, PACE);
load();
startPanel((event) => { if (['status', 'bot_state', 'refresh'].includes(event.event)) load(); });
