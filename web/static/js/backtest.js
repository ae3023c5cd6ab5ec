// Backtests: the list with the form for a new one, or one run.

import { startPanel } from './panel.js';

const id = location.pathname.split('/')[2];
// Only the one that is shown is loaded.
if (id) {
  const { startBacktest } = await import('./backtest_result.js');
  startPanel(startBacktest(id));
} else {
  const { startList } = await import('./run_list.js');
  startPanel(startList({ list: 'backtests', page: '/backtest' }));
}
