// The configuration: one form in the first run, one for each category later.

import { api, byId, outcome, ready, showFaults } from './shared_utils.js';
import { ask } from './dialog.js';

/** What the preset for the simulated broker fills in, where nothing stands yet. */
const SIM = { entity_code: 'DEMO', jurisdiction_code: 'USA', broker_code: 'SIM', bot_id: 'BOT1' };

for (const input of document.querySelectorAll('input.code')) {
  input.addEventListener('change', () => { input.value = input.value.trim().toUpperCase(); });
}

const form = byId('configuration');
if (form) {
  const preset = byId('preset-sim');
  preset.closest('.preset').hidden = false;
  preset.addEventListener('click', () => {
    for (const [name, value] of Object.entries(SIM)) {
      const input = form.elements[name];
      if (name === 'broker_code' || !input.value) input.value = value;
    }
    form.querySelector('button.primary').focus();
  });
  form.addEventListener('submit', (event) => {
    const missing = {};
    for (const input of form.querySelectorAll('[required]')) if (!input.value.trim()) missing[input.name] = 'This is needed.';
    const { first } = showFaults(form, missing);
    if (!first) return;
    event.preventDefault();
    first.focus();
  });
  byId('faults')?.focus();
}

for (const part of document.querySelectorAll('form[data-category]')) {
  part.addEventListener('submit', async (event) => {
    event.preventDefault();
    const values = {};
    for (const input of part.elements) {
      // An empty secret keeps what is stored.
      if (input.name && !(input.type === 'password' && input.value === '')) values[input.name] = input.value;
    }
    const { category } = part.dataset;
    const saved = part.querySelector('.outcome');
    outcome(saved, '');
    showFaults(part, {});
    const done = await ask({
      title: `Save ${part.querySelector('legend').firstChild.textContent.trim().toLowerCase()}`,
      body: 'The bot uses the new values from now on.',
      action: 'Save',
      password: true,
      act: async ({ current_password }) => {
        try {
          return await api(`/api/v1/configuration/${category}`, { method: 'PUT', body: { current_password, values } });
        } catch (error) {
          // Faults of the form are shown in the form, the password's in the dialog.
          if (!error.fields || Object.keys(error.fields).length === 0 || error.fields.current_password) throw error;
          return { faults: error.fields };
        }
      },
    });
    if (!done) return;
    if (done.faults) {
      const { first, rest } = showFaults(part, done.faults);
      first?.focus();
      outcome(saved, ['Nothing was changed.', ...rest].join(' '), 'bad');
      return;
    }
    for (const input of part.querySelectorAll('input[type="password"]')) {
      if (input.value) {
        input.value = '';
        input.placeholder = 'unchanged';
      }
    }
    outcome(saved, 'Saved.', 'good');
  });
}
ready();
