// Sweeps and walk-forward analyses: the list with the form for a new one, or one of them.

import { startPanel } from './panel.js';

const id = location.pathname.split('/')[2];
// Only the one that is shown is loaded.
if (id) {
  const { startSweep } = await import('./sweep_result.js');
  startPanel(startSweep(id));
} else {
  const { startList } = await import('./run_list.js');
  startPanel(startList({ list: 'sweeps', page: '/sweep' }));
}
