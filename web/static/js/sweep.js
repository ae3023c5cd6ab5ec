// Sweeps and walk-forward analyses: the list with the form for a new one, or one of them.

import { startPanel } from './panel.js';
import { startList } from './run_list.js';
import { startSweep } from './sweep_result.js';

const id = location.pathname.split('/')[2];
startPanel(id ? startSweep(id) : startList({ list: 'sweeps', page: '/sweep' }));
