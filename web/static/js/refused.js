// A page without anything to do.

import { ready } from './shared_utils.js';

ready();
