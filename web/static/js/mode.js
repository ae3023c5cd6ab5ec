// Whether money is at stake: a band over the whole width, with a word and a colour of its own for each mode.

import { byId, el } from './shared_utils.js';

const MODES = {
  live: ['LIVE', 'Orders go to the broker and trade real money.'],
  paper: ['PAPER', 'Orders are filled by a simulated venue. No money is at stake.'],
  test: ['TEST', 'A day of TEST_MODE is running. Nothing of it reaches a broker, the ledger or the logs.'],
};

/** Shows how the bot trades now, by an answer of `GET /api/v1/status`. */
export function showMode({ mode, test_mode: isTest }) {
  const band = byId('mode');
  const now = mode ?? (isTest ? 'test' : null);
  if (!band || band.dataset.mode === (now ?? '')) return;
  band.dataset.mode = now ?? '';
  band.hidden = !now;
  document.body.classList.toggle('live', now === 'live');
  const [word, meaning] = MODES[now] ?? [String(now).toUpperCase(), ''];
  band.replaceChildren(...(now ? [el('strong', {}, word), ' ', meaning] : []));
}
