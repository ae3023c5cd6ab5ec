// A panel that has nothing to fetch yet.

import { ready } from './shared_utils.js';
import { startPanel } from './panel.js';

startPanel();
ready();
