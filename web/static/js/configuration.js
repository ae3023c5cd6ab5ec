// The configuration: one form in the first run, one for each category later.

import { api, busy, byId, el, outcome, ready, showFaults } from './shared_utils.js';
import { ask } from './dialog.js';
import { startPanel } from './panel.js';

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

// ---------------------------------------------------------------- after the first run

const parts = [...document.querySelectorAll('form[data-category]')];
/** What is stored, by field; of secrets nothing is known but whether they are set. */
const stored = {};

function fillIn(part, values) {
  for (const [name, value] of Object.entries(values)) {
    const input = part.elements[name];
    if (!input) continue;
    if (typeof value === 'object') {
      input.value = '';
      input.placeholder = value.set ? 'set; empty keeps it' : 'not set';
      stored[name] = '';
    } else {
      input.value = value;
      stored[name] = input.value;
    }
  }
}

async function load() {
  const said = byId('load');
  try {
    const categories = await api('/api/v1/configuration');
    for (const part of parts) fillIn(part, categories[part.dataset.category] ?? {});
    outcome(said, '');
  } catch (error) {
    // What is stored is not known, so nothing may be saved over it.
    for (const part of parts) part.querySelector('button').disabled = true;
    outcome(said, error.message, 'bad');
  }
  ready();
}

/** While the bot is halted a file may be missing: then everything is written, also what is empty. */
const isHalted = document.documentElement.dataset.phase === 'error';

/** What is to be saved: what was changed. An empty secret keeps what is stored. */
function changed(part) {
  const inputs = [...part.elements].filter((input) => {
    if (!input.name || (input.type === 'password' && input.value === '')) return false;
    return isHalted || input.value !== stored[input.name];
  });
  return Object.fromEntries(inputs.map((input) => [input.name, input.value]));
}

async function save(part) {
  const { category } = part.dataset;
  const said = part.querySelector('.outcome');
  showFaults(part, {});
  const values = changed(part);
  const names = Object.keys(values);
  if (names.length === 0 && !isHalted) {
    outcome(said, 'Nothing was changed.');
    return;
  }
  outcome(said, '');
  const labels = names.map((name) => document.querySelector(`label[for="${name}"]`).firstChild.textContent.trim());
  const done = await ask({
    title: `Save ${part.querySelector('legend').firstChild.textContent.trim().toLowerCase()}`,
    body: isHalted ? 'What stands in the form is stored.' : `Changed: ${labels.join(', ')}. The bot uses the new values from now on.`,
    action: 'Save',
    password: true,
    act: async ({ current_password }) => {
      try {
        return await api(`/api/v1/configuration/${category}`, { method: 'PUT', body: { current_password, values } });
      } catch (error) {
        // Faults of the form are shown in the form, the password's in the dialog.
        const fields = error.fields ?? {};
        if (Object.keys(fields).length === 0 || fields.current_password) throw error;
        return { faults: fields };
      }
    },
  });
  if (!done) return;
  if (done.faults) {
    const { first, rest } = showFaults(part, done.faults);
    first?.focus();
    outcome(said, ['Nothing was changed.', ...rest].join(' '), 'bad');
    return;
  }
  await load();
  outcome(said, 'Saved.', 'good');
}

/** The channels of notices that a category configures, with their names. */
const CHANNELS = { smtp: [['email', 'e-mail']], alerts: [['slack', 'Slack'], ['pagerduty', 'PagerDuty'], ['sms', 'SMS']] };

/** Sends a test with what is stored. */
async function test(part, channel, name) {
  const said = part.querySelector('.outcome');
  outcome(said, `Sending a test by ${name} ...`);
  try {
    const { ok, detail } = await api('/api/v1/notifications/test', { method: 'POST', body: { channel } });
    outcome(said, ok ? `The test by ${name} was sent.` : `The test by ${name} was not delivered: ${detail}.`, ok ? 'good' : 'bad');
  } catch (error) {
    outcome(said, error.message, 'bad');
  }
}

if (!isHalted) {
  for (const part of parts) {
    for (const [channel, name] of CHANNELS[part.dataset.category] ?? []) {
      part.querySelector('.outcome').before(el('button', { type: 'button', on: { click: ({ currentTarget }) => busy(currentTarget, () => test(part, channel, name)) } }, `Test ${name}`));
    }
  }
}

for (const part of parts) {
  part.addEventListener('submit', (event) => {
    event.preventDefault();
    save(part);
  });
}
if (parts.length) {
  load();
  startPanel();
} else {
  ready();
}
