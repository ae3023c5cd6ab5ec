// What every panel does: it listens, passes keys on to the dashboard, and knows whether it can be seen.

import { byId, el, isFramed, onShortcut } from './shared_utils.js';
import { listen, onEvent, onStale, staleText } from './events.js';
import { showMode } from './mode.js';

const seen = new Set();

/** Calls `listener(isShown)` when the dashboard shows or hides the panel. */
export function onShown(listener) {
  seen.add(listener);
}

function focusFilter() {
  const filter = document.querySelector('input[type="search"]:not([disabled])');
  filter?.focus();
  filter?.select();
}

/** Starts a panel: `on(event)` is called for what happens. */
export function startPanel(on = () => {}) {
  onEvent(on);
  if (isFramed) {
    window.addEventListener('message', ({ origin, source, data }) => {
      if (origin !== location.origin || source !== window.parent || typeof data !== 'object' || data === null) return;
      if (data.kind === 'shown' || data.kind === 'hidden') for (const listener of seen) listener(data.kind === 'shown');
      if (data.kind === 'filter') focusFilter();
    });
  } else {
    // The dashboard says it for its frames.
    const note = el('p', { class: 'stale', role: 'status', hidden: true });
    byId('main').prepend(note);
    onEvent(({ event, data }) => { if (event === 'status') showMode(data); });
    onStale((since) => {
      note.hidden = !since;
      note.textContent = since ? staleText(since) : '';
    });
  }
  onShortcut((key) => {
    if (key === '/') focusFilter();
    else if (isFramed) window.parent.postMessage({ kind: 'key', key }, location.origin);
  });
  listen();
}
