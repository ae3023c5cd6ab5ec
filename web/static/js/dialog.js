// One way to ask before something is done: a modal dialog that may want the password, a word or other fields.

import { ApiError, el, showFaults } from './shared_utils.js';

let count = 0;

function input(prefix, { name, label, type = 'text', hint, required = true, value = '', autocomplete = 'off', options }) {
  const id = `${prefix}-${name}`;
  const shared = { id, name, required, 'aria-describedby': hint ? `${id}-hint` : null };
  const control = options
    ? el('select', shared, options.map(([key, text]) => el('option', { value: key, selected: key === value }, text)))
    : el('input', { ...shared, type, value, autocomplete, spellcheck: 'false', maxlength: '512' });
  return el('div', { class: 'field' }, el('label', { for: id }, label), control, hint && el('p', { class: 'hint', id: `${id}-hint` }, hint));
}

/**
 * Asks, and does it: `act(values)` runs when it is confirmed, and its refusal is shown in the dialog, which stays open.
 * Gives what `act` gave, or null if it was called off.
 *
 * `body`: sentences or elements. `isNote`: there is nothing to call off. `word`: must be typed. `password`: asks for the
 * current password as `current_password`.
 */
export function ask({ title, body = [], action, danger = false, wide = false, isNote = false, word, password = false, fields = [], act = (values) => values }) {
  const prefix = `ask-${++count}`;
  const all = [...fields];
  if (word) all.push({ name: 'word', label: `Type ${word} to confirm` });
  if (password) all.push({ name: 'current_password', label: 'Your password', type: 'password', autocomplete: 'current-password' });
  const said = [body].flat().map((part) => (typeof part === 'string' ? el('p', {}, part) : part));
  const fault = el('p', { class: 'summary', role: 'alert', hidden: true });
  const confirm = el('button', { class: `primary${danger ? ' danger' : ''}` }, action);
  const form = el('form', { method: 'dialog', novalidate: true },
    el('h2', { id: `${prefix}-title` }, title), el('div', { class: 'body', id: `${prefix}-body` }, said), all.map((field) => input(prefix, field)), fault,
    el('div', { class: 'actions' }, isNote ? null : el('button', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel'), confirm));
  const dialog = el('dialog', { class: wide ? 'wide' : null, 'aria-labelledby': `${prefix}-title`, 'aria-describedby': `${prefix}-body` }, form);
  const opener = document.activeElement;
  document.body.append(dialog);
  return new Promise((resolve) => {
    let result = null;
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      resolve(result);
    });
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      fault.hidden = true;
      const values = Object.fromEntries(new FormData(form));
      const missing = {};
      for (const field of all) if (field.required !== false && !values[field.name]) missing[field.name] = 'This is needed.';
      if (word && values.word !== word) missing.word = `Type ${word}, in capitals.`;
      const { first } = showFaults(form, missing);
      if (first) {
        first.focus();
        return;
      }
      delete values.word;
      confirm.disabled = true;
      try {
        result = await act(values) ?? true;
        dialog.close();
      } catch (error) {
        if (!(error instanceof ApiError)) console.error(error);
        const shown = showFaults(form, error.fields ?? {});
        const beside = Object.keys(error.fields ?? {}).length > 0 && shown.rest.length === 0;
        fault.textContent = beside ? '' : [error.message, ...shown.rest].join(' ');
        fault.hidden = beside;
        if (form.elements.current_password) form.elements.current_password.value = '';
        (shown.first ?? form.elements.current_password ?? confirm).focus();
      } finally {
        confirm.disabled = false;
      }
    });
    dialog.showModal();
    (form.querySelector('input, select') ?? (danger ? form.querySelector('button[type="button"]') : confirm)).focus();
  });
}

/** Shows something to read. */
export function tell({ title, body, wide }) {
  return ask({ title, body, wide, action: 'Close', isNote: true });
}
