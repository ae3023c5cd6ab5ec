// Backtests: the list with the form for a new one, or one run.

import { startPanel } from './panel.js';
import { startList } from './run_list.js';
import { startBacktest } from './backtest_result.js';

const id = location.pathname.split('/')[2];
startPanel(id ? startBacktest(id) : startList({ list: 'backtests', page: '/backtest' }));
