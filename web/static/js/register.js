// Counts the password while it is typed.

import { byId, ready } from './shared_utils.js';
import { watchPassword } from './password.js';

watchPassword({
  password: byId('password'), confirm: byId('password_confirm'), username: byId('username'), email: byId('email'),
  count: byId('password-count'), match: byId('confirm-state'),
})();
byId('faults')?.focus();
ready();
