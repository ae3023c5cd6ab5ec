// A line of a log, whatever its form.

import { el, utc } from './shared_utils.js';

/** A line of a log in its parts, whatever its form. */
export function parseLine(line) {
  try {
    const { utc: at = '', level: rank = 'info', strategy = '', event = '', message = '', detail = {} } = JSON.parse(line);
    const more = detail && Object.keys(detail).length > 0 ? ` ${JSON.stringify(detail)}` : '';
    return { at, rank, event, text: `${strategy ? `[${strategy}] ` : ''}${message}${more}` };
  } catch {
    const found = /^(\d{4}-\d\d-\d\dT[\d:.]+Z),(debug|info|warn|error),([^,]*),([^,]*),(.*)$/s.exec(line);
    if (!found) return { at: '', rank: 'info', event: '', text: line };
    const [, at, rank, strategy, event, text] = found;
    return { at, rank, event, text: `${strategy ? `[${strategy}] ` : ''}${text}` };
  }
}

/** The parts of a line as they are shown. */
export function logLine({ at, rank, event, text }) {
  return el('div', { class: 'line', data: { level: rank } },
    el('time', { datetime: at || null }, at ? utc(at) : ''), el('span', { class: 'level' }, rank),
    el('span', { class: 'text' }, event && el('span', { class: 'event' }, `${event} `), text));
}
