/*
 * Charts on canvas: what all of them share. Series over time are in `charts_series.js`, bars in `charts_bars.js`.
 *
 * A plain script that defines `TbotCharts`; it is inlined into reports and served to pages. It asks the
 * network for nothing, sets no inline style in markup and takes its colours from CSS custom properties.
 * Every draw costs no more than the visible points: series are reduced to the first, lowest, highest and
 * last value of each pixel column, so that no extreme is ever lost.
 */
'use strict';

const TbotCharts = (() => {
  // ---------------------------------------------------------------- numbers and axes

  /** The smallest of 1, 2, 5 times a power of ten that is at least `width`. */
  function roundStep(width) {
    const power = 10 ** Math.floor(Math.log10(width));
    for (const step of [1, 2, 5]) {
      if (step * power >= width * (1 - 1e-9)) return step * power;
    }
    return 10 * power;
  }

  /** Round values in [low, high], about `count` of them: {step, values}. */
  function niceTicks(low, high, count) {
    if (!(high > low)) return { step: 0, values: Number.isFinite(low) ? [low] : [] };
    const step = roundStep((high - low) / Math.max(1, count));
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) values.push(k === 0 ? 0 : k * step);
    return { step, values };
  }

  /** Values for the labels of an axis of `height` pixels: at least two, where the range allows. */
  function axisTicks(low, high, height) {
    let ticks;
    for (let count = height / 42; count < 40; count *= 1.5) {
      ticks = niceTicks(low, high, count);
      if (ticks.values.length >= 2) break;
    }
    return ticks;
  }

  /** Number of elements of the ascending `values` that are <= x. */
  function upperBound(values, x) {
    let from = 0;
    let to = values.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (values[middle] <= x) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Indices `from..to` reduced to the first, lowest, highest and last of each pixel column, ascending. */
  function columns(x, y, from, to, toPixel) {
    const kept = [];
    let i = from;
    while (i < to) {
      const column = Math.floor(toPixel(x[i]));
      const first = i;
      let low = i;
      let high = i;
      for (i++; i < to && Math.floor(toPixel(x[i])) === column; i++) {
        if (y[i] < y[low]) low = i;
        if (y[i] > y[high]) high = i;
      }
      const last = i - 1;
      for (const k of [first, Math.min(low, high), Math.max(low, high), last]) {
        if (kept.length === 0 || k > kept[kept.length - 1]) kept.push(k);
      }
    }
    return kept;
  }

  // ---------------------------------------------------------------- time

  const DAY = 86400;

  /** A zone from its changes: [[from, offset], ...] in seconds; without changes it is UTC. */
  function zoneOf(name, changes) {
    const from = changes.map((change) => change[0]);
    return {
      name,
      offset: (t) => (changes.length === 0 ? 0 : changes[Math.max(0, upperBound(from, t) - 1)][1]),
    };
  }

  const UTC = zoneOf('UTC', []);
  const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
  const two = (n) => String(n).padStart(2, '0');

  /** Calendar fields of `t` (seconds UTC) in a zone. */
  function fields(t, zone) {
    const d = new Date((t + zone.offset(t)) * 1000);
    return {
      year: d.getUTCFullYear(), month: d.getUTCMonth(), day: d.getUTCDate(), hour: d.getUTCHours(), minute: d.getUTCMinutes(), second: d.getUTCSeconds(),
    };
  }

  const dateText = (f) => `${f.year}-${two(f.month + 1)}-${two(f.day)}`;
  const clockText = (f) => `${two(f.hour)}:${two(f.minute)}${f.second ? `:${two(f.second)}` : ''}`;

  /** `2024-03-26 10:30 ET (14:30 UTC)`. */
  function timeText(t, zone) {
    const local = fields(t, zone);
    const text = `${dateText(local)} ${clockText(local)} ${zone.name}`;
    return zone === UTC ? text : `${text} (${clockText(fields(t, UTC))} UTC)`;
  }

  // Number of a unit of local time, and the label at its beginning. From coarse to fine.
  const UNITS = [
    { of: (s, f) => Math.floor(f.year / 5), text: (f) => `${f.year}` },
    { of: (s, f) => f.year, text: (f) => `${f.year}` },
    { of: (s, f) => f.year * 4 + Math.floor(f.month / 3), text: (f) => (f.month < 3 ? `${f.year}` : MONTHS[f.month]) },
    { of: (s, f) => f.year * 12 + f.month, text: (f) => (f.month === 0 ? `Jan ${f.year}` : MONTHS[f.month]) },
    { of: (s) => Math.floor((s / DAY + 3) / 7), text: (f) => `${f.day} ${MONTHS[f.month]}` },
    { of: (s) => Math.floor(s / DAY), text: (f) => `${f.day} ${MONTHS[f.month]}` },
    ...[14400, 7200, 3600, 1800, 900, 300, 60].map((unit) => ({ of: (s) => Math.floor(s / unit), text: clockText, clock: true })),
  ];

  /**
   * Points of `times[from..to]` at which a unit of local time begins, for the finest unit that gives at
   * most `most` of them: [{index, text}]. Positions are points, not instants, so nights take no room.
   */
  function timeTicks(times, from, to, zone, most) {
    let best = [];
    for (const unit of UNITS) {
      const found = [];
      let last = null;
      let lastDay = null;
      for (let i = Math.max(0, from - 1); i < to && found.length <= most; i++) {
        const local = times[i] + zone.offset(times[i]);
        const f = unit.of.length > 1 || unit.clock ? fields(times[i], zone) : null;
        const number = unit.of(local, f);
        const day = Math.floor(local / DAY);
        if (last !== null && number !== last && i >= from) {
          const at = f ?? fields(times[i], zone);
          const newDay = unit.clock && lastDay !== day;
          found.push({ index: i, text: newDay ? `${at.day} ${MONTHS[at.month]}` : unit.text(at) });
        }
        last = number;
        lastDay = day;
      }
      if (found.length > most) break;
      if (found.length > best.length) best = found;
    }
    return best;
  }

  // ---------------------------------------------------------------- elements

  /** An element with attributes and children; text goes in as text, never as markup. */
  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function palette() {
    const css = getComputedStyle(document.documentElement);
    const colour = (name) => css.getPropertyValue(`--${name}`).trim();
    return {
      text: colour('text'), muted: colour('muted'), line: colour('line'), grid: colour('grid'), panel: colour('panel'),
      accent: colour('accent'), up: colour('up'), down: colour('down'), warn: colour('warn'),
      series: [1, 2, 3, 4, 5, 6].map((k) => colour(`series-${k}`)), font: css.getPropertyValue('--font').trim() || 'system-ui, sans-serif',
    };
  }

  /** Room for the labels below a chart. */
  const AXIS_HEIGHT = 24;
  const DASHES = [[], [7, 3], [2, 3], [10, 3, 2, 3], [4, 4], [1, 4]];
  const charts = new Set();
  let numbered = 0;

  /** What all charts share: the frame, its buttons, the read-out, the table, sharp drawing at any size. */
  class Chart {
    constructor(host, options) {
      this.host = host;
      this.options = options;
      this.cursor = null;
      const id = `chart-${++numbered}`;
      this.readout = element('output', { class: 'chart-readout', 'aria-live': 'off' });
      this.buttons = element('div', { class: 'chart-buttons' });
      this.canvas = element('canvas', { 'aria-hidden': 'true' });
      this.plot = element('div', {
        class: 'chart-plot', role: 'application', tabindex: '0', 'aria-label': options.label, 'aria-describedby': `${id}-hint`,
      }, this.canvas);
      this.hint = element('p', { class: 'chart-hint', id: `${id}-hint` }, options.hint);
      this.table = element('div', { class: 'scroll chart-table', role: 'region', tabindex: '0', 'aria-label': `${options.label}: table`, hidden: '' });
      this.tableButton = this.button('Show as table', () => this.toggleTable());
      this.tableButton.setAttribute('aria-expanded', 'false');
      host.append(element('div', { class: 'chart-bar' }, this.readout, this.buttons), this.plot, this.hint, this.table);
      this.plot.addEventListener('keydown', (event) => {
        if (!event.altKey && !event.ctrlKey && !event.metaKey && this.key(event)) event.preventDefault();
      });
      // A finger that is lifted leaves too, but what it pointed at should stay to be read.
      this.plot.addEventListener('pointerleave', (event) => { if (event.pointerType !== 'touch') this.setCursor(null); });
      this.plot.addEventListener('focus', () => { this.readout.setAttribute('aria-live', 'polite'); });
      this.plot.addEventListener('blur', () => {
        this.readout.setAttribute('aria-live', 'off');
        this.setCursor(null);
      });
      this.pending = 0;
      this.watcher = new ResizeObserver(() => this.invalidate());
      this.watcher.observe(this.plot);
      charts.add(this);
    }

    button(text, action, label = text) {
      const node = element('button', { type: 'button', 'aria-label': label }, text);
      node.addEventListener('click', action);
      this.buttons.append(node);
      return node;
    }

    /** Takes the chart off the page. */
    destroy() {
      this.watcher.disconnect();
      cancelAnimationFrame(this.pending);
      charts.delete(this);
      this.host.replaceChildren();
    }

    invalidate() {
      if (!this.pending) {
        this.pending = requestAnimationFrame(() => {
          this.pending = 0;
          this.draw();
        });
      }
    }

    setCursor(cursor) {
      if (cursor === this.cursor) return;
      this.cursor = cursor;
      this.invalidate();
    }

    toggleTable() {
      const show = this.table.hidden;
      if (show) this.fillTable();
      this.table.hidden = !show;
      this.plot.hidden = show;
      this.hint.hidden = show;
      this.tableButton.textContent = show ? 'Show as chart' : 'Show as table';
      this.tableButton.setAttribute('aria-label', this.tableButton.textContent);
      this.tableButton.setAttribute('aria-expanded', String(show));
      this.invalidate();
    }

    fillTable() {
      const { head, rows } = this.tableContent();
      const cell = (tag) => (text, k) => element(tag, { class: k === 0 ? '' : 'number', ...(tag === 'th' ? { scope: 'col' } : {}) }, text);
      this.table.replaceChildren(element('table', {},
        element('thead', {}, element('tr', {}, ...head.map(cell('th')))),
        element('tbody', {}, ...rows.map((row) => element('tr', {}, ...row.map(cell('td')))))));
    }

    /** Sizes the canvas for the screen's pixels and clears it; null while there is no room. */
    begin(height) {
      const width = Math.floor(this.plot.clientWidth);
      if (width < 40) return null;
      const ratio = window.devicePixelRatio || 1;
      const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (this.canvas.width !== pixelWidth || this.canvas.height !== pixelHeight) {
        this.canvas.width = pixelWidth;
        this.canvas.height = pixelHeight;
        this.canvas.style.width = `${width}px`;
        this.canvas.style.height = `${height}px`;
      }
      const g = this.canvas.getContext('2d');
      g.setTransform(ratio, 0, 0, ratio, 0, 0);
      g.clearRect(0, 0, width, height);
      this.colours = palette();
      g.font = `12px ${this.colours.font}`;
      g.textBaseline = 'middle';
      g.lineJoin = 'round';
      return { g, width };
    }

    /** Horizontal grid lines with their labels left of the plot. */
    valueAxis(g, ticks, y, left, right, format) {
      g.textAlign = 'right';
      for (const value of ticks.values) {
        const at = Math.round(y(value)) + 0.5;
        g.strokeStyle = this.colours.grid;
        g.lineWidth = 1;
        g.beginPath();
        g.moveTo(left, at);
        g.lineTo(right, at);
        g.stroke();
        g.fillStyle = this.colours.muted;
        g.fillText(format(value, ticks.step), left - 6, at);
      }
    }
  }

  /** Draws every chart again at once: after a change of theme, before printing. */
  function redrawAll() {
    for (const chart of charts) chart.draw();
  }

  return { AXIS_HEIGHT, Chart, DASHES, redrawAll, zoneOf, UTC, timeText, element, math: { roundStep, niceTicks, axisTicks, upperBound, columns, timeTicks } };
})();
