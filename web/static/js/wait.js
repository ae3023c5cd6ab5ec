// Follows the provisioning and goes on by itself.

import { byId, duration, ready } from './shared_utils.js';

const PACE = 1_000;
const began = Date.now();

function show({ state, step, steps_done: done, steps_total: total, message }) {
  const bar = byId('bar');
  bar.max = total;
  bar.value = done;
  bar.setAttribute('aria-valuemax', total);
  bar.setAttribute('aria-valuenow', done);
  [...byId('steps').children].forEach((item, k) => {
    const isNow = item.dataset.step === step;
    let word = 'waiting';
    if (k < done || state === 'done') word = 'done';
    else if (isNow && (state === 'failed' || state === 'running')) word = state;
    item.dataset.state = word;
    item.querySelector('.step-state').textContent = word;
  });
  const failed = state === 'failed';
  const text = byId('message');
  if (text.textContent !== message) text.textContent = message;
  text.classList.toggle('down', failed);
}

const ask = (path) => fetch(path, { headers: { Accept: 'application/json' } });

async function follow() {
  const elapsed = byId('elapsed');
  try {
    // The phase is told in every phase; the status only in this one.
    const { phase } = await (await ask('/api/v1/phase')).json();
    const response = phase === 'provisioning' ? await ask('/api/v1/provisioning/status') : null;
    if (!response || response.status === 404) {
      location.replace('/');
      return;
    }
    if (response.ok) show(await response.json());
    elapsed.textContent = response.ok ? `${duration((Date.now() - began) / 1000)} so far` : 'Waiting for the core.';
  } catch {
    elapsed.textContent = 'TradeBot does not answer. It may be restarting.';
  }
  ready();
  setTimeout(follow, PACE);
}

follow();
