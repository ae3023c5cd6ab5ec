/* What every page of results shares: numbers as text, the choice of theme, printing. */
'use strict';

const TbotPage = (() => {
  const root = document.documentElement;

  const fixed = (digits) => new Intl.NumberFormat('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const formats = [0, 1, 2, 3, 4, 5, 6].map(fixed);
  /** A number with so many decimals (at most 6); never a negative zero. */
  const number = (value, digits) => formats[digits].format(value === 0 ? 0 : value);
  /** Decimals that show steps of this size. */
  const digitsFor = (step) => (step > 0 ? Math.min(6, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 2);
  const percent = (value, step) => `${number(value * 100, step === undefined ? 2 : digitsFor(step * 100))} %`;

  const THEME = 'tbot-theme';
  const systemDark = matchMedia('(prefers-color-scheme: dark)');
  function remembered() {
    // Storage may be closed to a page from a file.
    try { return localStorage.getItem(THEME); } catch { return null; }
  }
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === 'dark' : systemDark.matches;
  }

  /** Puts the theme button to work and calls `redraw` whenever the colours change. */
  function start(redraw) {
    const button = document.getElementById('theme');
    function show() {
      button.textContent = isDark() ? 'Light theme' : 'Dark theme';
      redraw();
    }
    const stored = remembered();
    if (stored === 'dark' || stored === 'light') root.dataset.theme = stored;
    button.hidden = false;
    button.addEventListener('click', () => {
      root.dataset.theme = isDark() ? 'light' : 'dark';
      try { localStorage.setItem(THEME, root.dataset.theme); } catch { /* The choice lasts for this page. */ }
      show();
    });
    systemDark.addEventListener('change', show);
    let before;
    window.addEventListener('beforeprint', () => {
      before = root.dataset.theme;
      root.dataset.theme = 'light';
      redraw();
    });
    window.addEventListener('afterprint', () => {
      if (before) root.dataset.theme = before;
      else delete root.dataset.theme;
      redraw();
    });
    show();
  }

  return { number, digitsFor, percent, start };
})();
