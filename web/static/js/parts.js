// Pieces that pages are put together from: figures as text, tiles, panels, names with values.

import { el, number, signed } from './shared_utils.js';

const known = (value) => typeof value === 'number' && Number.isFinite(value);
export const percent = (value, digits = 2) => (known(value) ? `${number(value * 100, digits)} %` : 'n/a');
export const ratio = (value, digits = 2) => (known(value) ? number(value, digits) : 'n/a');
export const money = (value) => (known(value) ? number(value, 2) : 'n/a');
export const count = (value) => (known(value) ? number(value) : 'n/a');
/** A metric: whole numbers as such. */
export const figure = (value) => ratio(value, Number.isInteger(value) ? 0 : 4);
/** An amount with its sign, in the colour of its sign. */
export const gain = (value, text = signed(value)) => el('span', { class: value > 0 ? 'up' : value < 0 ? 'down' : null }, text);

export function tile(label, value, detail) {
  return el('div', { class: 'tile' }, el('dt', {}, label), el('dd', {}, el('div', { class: 'value' }, value), detail && el('div', { class: 'detail' }, detail)));
}

export function panel(title, ...children) {
  return el('section', { class: 'panel' }, el('h2', {}, title), ...children);
}

/** Names and values, one below the other. */
export function facts(pairs) {
  return el('dl', { class: 'facts' }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== '').flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}
