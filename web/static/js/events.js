// What happens in the core, as it happens: one stream a tab. A frame of the dashboard is told by the dashboard; a panel
// that is opened alone holds the stream itself.

import { isFramed, leave, utc } from './shared_utils.js';

const KINDS = ['status', 'bot_state', 'progress', 'fill', 'alert', 'log', 'provisioning', 'settings', 'audit', 'test'];
const listeners = new Set();
const staleness = new Set();
let lost = null;

/** Calls `listener({event, data})` for everything that happens. */
export function onEvent(listener) {
  listeners.add(listener);
}

/** Calls `listener(since)` when the stream is lost (an instant) and when it is back (null). */
export function onStale(listener) {
  staleness.add(listener);
  listener(lost);
}

function tell(event) {
  for (const listener of listeners) listener(event);
}

function stale(since) {
  if (since === lost || (since && lost)) return;
  const wasLost = lost;
  lost = since;
  document.documentElement.toggleAttribute('data-stale', Boolean(since));
  for (const listener of staleness) listener(since);
  // What was missed meanwhile is fetched again.
  if (wasLost && !since) tell({ event: 'refresh', data: null });
}

const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 30_000;

function open(pause) {
  const stream = new EventSource('/api/v1/events');
  stream.addEventListener('open', () => {
    pause = FIRST_PAUSE;
    stale(null);
  });
  for (const kind of KINDS) {
    stream.addEventListener(kind, (message) => {
      try {
        tell({ event: kind, data: JSON.parse(message.data) });
      } catch {
        // What is no JSON is nothing that we know.
      }
    });
  }
  stream.addEventListener('error', async () => {
    stale(Date.now());
    if (stream.readyState !== EventSource.CLOSED) return;
    // The browser gives up where it was refused: the session may have ended.
    if (await sessionEnded()) leave('/login');
    else setTimeout(() => open(Math.min(pause * 2, LONGEST_PAUSE)), pause);
  });
  window.addEventListener('pagehide', () => stream.close(), { once: true });
}

async function sessionEnded() {
  try {
    const response = await fetch('/api/v1/session', { headers: { Accept: 'application/json' } });
    return response.status === 401;
  } catch {
    return false;
  }
}

/** Listens: to the dashboard in a frame, to the core otherwise. */
export function listen() {
  if (!isFramed) {
    open(FIRST_PAUSE);
    return;
  }
  window.addEventListener('message', ({ origin, source, data }) => {
    if (origin !== location.origin || source !== window.parent || typeof data !== 'object' || data === null) return;
    if (data.kind === 'event') tell(data.event);
    if (data.kind === 'stale') stale(data.since);
  });
  window.parent.postMessage({ kind: 'hello' }, location.origin);
}

/** Tells a frame what this window knows. */
export function pass(frame, message) {
  frame.contentWindow?.postMessage(message, location.origin);
}

export const staleText = (since) => `No news since ${utc(since).slice(11)} UTC. Trying to reconnect.`;
