// Sweeps and walk-forward analyses: the list with the form for a new one, or one of them.

import { startPanel } from './panel.js';
import { el } from './shared_utils.js';

/** Loads a plain script. */
const script = (name) => new Promise((resolve, reject) => { document.head.append(el('script', { src: `/static/js/${name}.js`, on: { load: resolve, error: () => reject(new Error(`${name}.js could not be loaded`)) } })); });

const id = location.pathname.split('/')[2];
// Only the one that is shown is loaded.
if (id) {
  for (const name of ['page', 'figures', 'sweep_figures']) await script(name);
  const { startSweep } = await import('./sweep_result.js');
  startPanel(startSweep(id));
} else {
  const { startList } = await import('./run_list.js');
  startPanel(startList({ list: 'sweeps', page: '/sweep' }));
}
