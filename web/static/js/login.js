// Counts down while logins are locked.

import { byId, duration, ready } from './shared_utils.js';

// A login belongs to the whole window.
if (window.top !== window) window.top.location.assign('/login');

const wait = byId('retry-after');
if (wait) {
  const end = Date.now() + Number(wait.dataset.seconds) * 1000;
  const show = () => {
    const left = (end - Date.now()) / 1000;
    wait.textContent = left > 0 ? duration(left) : 'a moment';
    if (left > 0) setTimeout(show, 1000);
  };
  show();
}
byId('faults')?.focus();
ready();
