/*
 * Charts on canvas: lines, areas and candles over a shared time axis, and bars.
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

  // ---------------------------------------------------------------- series over time

  const MARK_SIZE = 5.5;
  const PANE_GAP = 22;
  const AXIS_HEIGHT = 24;

  /** Draws one mark. Shapes differ, so that colour is never needed to tell them apart. */
  function drawMark(g, shape, x, y, size, fill, edge) {
    g.beginPath();
    if (shape === 'up' || shape === 'down') {
      // The tip is at the price, so that an exit on the same candle does not cover it.
      const base = y + (shape === 'up' ? size : -size) * 1.8;
      g.moveTo(x, y);
      g.lineTo(x + size, base);
      g.lineTo(x - size, base);
      g.closePath();
    } else if (shape === 'cross') {
      const arm = size * 0.8;
      g.moveTo(x - arm, y - arm);
      g.lineTo(x + arm, y + arm);
      g.moveTo(x + arm, y - arm);
      g.lineTo(x - arm, y + arm);
      g.lineWidth = 4.5;
      g.strokeStyle = edge;
      g.stroke();
      g.lineWidth = 2;
      g.strokeStyle = fill;
      g.stroke();
      return;
    } else {
      g.arc(x, y, size * 0.8, 0, 2 * Math.PI);
    }
    g.fillStyle = fill;
    g.fill();
    g.lineWidth = 1.25;
    g.strokeStyle = edge;
    g.stroke();
  }

  /**
   * Panes over one shared time axis.
   *
   * data: { times: seconds UTC, x?: positions (default 0, 1, ...), panes: [...], marks?: [...], table?,
   *         names?: (index) => what a point is called that has no time }
   * pane: { label, height, format(value, step?), series: [{name, kind: 'line'|'area', values, colour, dash?}],
   *         candles?: {open, high, low, close}, baseline?, include?: values the axis must show, note?: {index, text} }
   * mark: { index, y, shape: 'up'|'down'|'cross'|'dot', colour, text, to?: {x, y} }
   */
  class TimeChart extends Chart {
    constructor(host, options, data) {
      super(host, {
        hint: 'Drag to pan. Click, then turn the wheel to zoom (or hold Ctrl). Keys: arrows move the cursor, Shift + arrows pan, + and − zoom, Home shows everything.',
        ...options,
      });
      this.zone = options.zone ?? UTC;
      this.tableButton.before(
        this.button('−', () => this.zoom(1.6), 'Zoom out'),
        this.button('+', () => this.zoom(1 / 1.6), 'Zoom in'),
        this.button('Reset', () => this.reset(), 'Reset: show everything'));
      this.pointers = new Map();
      this.listen();
      this.setData(data);
    }

    setData(data) {
      this.data = data;
      this.x = data.x ?? Float64Array.from(data.times, (_, i) => i);
      this.marks = data.marks ?? [];
      this.cursor = null;
      this.reset();
      if (!this.table.hidden) this.fillTable();
    }

    limits() {
      const pad = this.data.panes.some((pane) => pane.candles) ? 0.75 : 0;
      const last = this.x.length - 1;
      if (last < 0) return [0, 1];
      const [a, b] = [this.x[0] - pad, this.x[last] + pad];
      return b > a ? [a, b] : [a - 0.5, b + 0.5];
    }

    reset() {
      this.view = this.limits();
      this.invalidate();
    }

    /** Shows [a, b], kept inside the data and no narrower than a few points. */
    setView(a, b) {
      const [low, high] = this.limits();
      const least = Math.min(high - low, 8 * (high - low) / Math.max(8, this.x.length));
      const width = Math.min(high - low, Math.max(least, b - a));
      const middle = (a + b) / 2;
      const from = Math.min(Math.max(low, middle - width / 2), high - width);
      this.view = [from, from + width];
      this.invalidate();
    }

    /** Scales the visible span by `factor` around a position (the cursor, else the middle). */
    zoom(factor, around = this.cursor === null ? (this.view[0] + this.view[1]) / 2 : this.x[this.cursor]) {
      const [a, b] = this.view;
      this.setView(around - (around - a) * factor, around + (b - around) * factor);
    }

    pan(share) {
      const shift = (this.view[1] - this.view[0]) * share;
      const [low, high] = this.limits();
      const bounded = Math.min(Math.max(shift, low - this.view[0]), high - this.view[1]);
      this.setView(this.view[0] + bounded, this.view[1] + bounded);
    }

    key(event) {
      switch (event.key) {
        case 'ArrowLeft':
        case 'ArrowRight': {
          const sign = event.key === 'ArrowLeft' ? -1 : 1;
          if (event.shiftKey) this.pan(sign * 0.2);
          else this.moveCursor(sign);
          return true;
        }
        case 'PageUp': this.pan(-0.9); return true;
        case 'PageDown': this.pan(0.9); return true;
        case 'ArrowUp':
        case '+':
        case '=': this.zoom(1 / 1.6); return true;
        case 'ArrowDown':
        case '-':
        case '_': this.zoom(1.6); return true;
        case 'Home':
        case '0': this.reset(); return true;
        case 'End': this.setCursor(this.x.length - 1); this.follow(); return true;
        case 'Escape': this.setCursor(null); return true;
        default: return false;
      }
    }

    /** Moves the cursor by a pixel or a point, whichever is more, and keeps it in view. */
    moveCursor(sign) {
      if (this.x.length === 0) return;
      const [from, to] = this.visible();
      const step = Math.max(1, Math.round((to - from) / 150));
      const start = this.cursor ?? (sign > 0 ? from - step : to - 1 + step);
      let target = Math.min(this.x.length - 1, Math.max(0, start + sign * step));
      // A step over many points still stops at a mark between them: keys reach every trade.
      for (const { index, hidden } of this.marks) {
        if (!hidden && (index - start) * sign > 0 && (target - index) * sign > 0) target = index;
      }
      this.setCursor(target);
      this.follow();
    }

    follow() {
      const [a, b] = this.view;
      const x = this.x[this.cursor];
      if (x < a) this.setView(x, x + (b - a));
      if (x > b) this.setView(x - (b - a), x);
    }

    listen() {
      const at = (event) => event.clientX - this.plot.getBoundingClientRect().left;
      this.plot.addEventListener('pointerdown', (event) => {
        if (event.button !== 0) return;
        this.plot.focus({ preventScroll: true });
        this.plot.setPointerCapture(event.pointerId);
        this.pointers.set(event.pointerId, at(event));
        this.grip = { view: this.view, at: [...this.pointers.values()] };
        if (this.frame && event.pointerType === 'touch') this.setCursor(this.nearest(at(event)));
      });
      this.plot.addEventListener('pointermove', (event) => {
        if (!this.frame) return;
        if (!this.pointers.has(event.pointerId)) {
          this.setCursor(this.nearest(at(event)));
          return;
        }
        this.pointers.set(event.pointerId, at(event));
        const now = [...this.pointers.values()];
        const { view, at: then } = this.grip;
        const unit = (view[1] - view[0]) / this.frame.width;
        if (now.length >= 2 && then.length >= 2) {
          // Two fingers: the points under them stay under them.
          const spread = Math.max(10, Math.abs(now[1] - now[0])) / Math.max(10, Math.abs(then[1] - then[0]));
          const middle = view[0] + ((then[0] + then[1]) / 2 - this.frame.left) * unit;
          const shift = ((now[0] + now[1]) / 2 - (then[0] + then[1]) / 2) * unit / spread;
          this.setView(middle - (middle - view[0]) / spread - shift, middle + (view[1] - middle) / spread - shift);
        } else if (Math.abs(now[0] - then[0]) > 3 || this.grip.moved) {
          this.grip.moved = true;
          const [low, high] = this.limits();
          const shift = Math.min(Math.max((then[0] - now[0]) * unit, low - view[0]), high - view[1]);
          this.setView(view[0] + shift, view[1] + shift);
        }
      });
      for (const name of ['pointerup', 'pointercancel']) {
        this.plot.addEventListener(name, (event) => {
          this.pointers.delete(event.pointerId);
          this.grip = { view: this.view, at: [...this.pointers.values()] };
        });
      }
      this.plot.addEventListener('dblclick', () => this.reset());
      this.plot.addEventListener('wheel', (event) => {
        // Without focus the wheel belongs to the page: a chart must not trap who scrolls past it.
        if (!this.frame || !(event.ctrlKey || event.metaKey || document.activeElement === this.plot)) return;
        event.preventDefault();
        if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
          this.pan((event.deltaX || event.deltaY) / 1000);
          return;
        }
        const [a, b] = this.view;
        const around = a + (at(event) - this.frame.left) / this.frame.width * (b - a);
        this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 300))), around);
      }, { passive: false });
    }

    /** Indices [from, to) of the points in view. */
    visible() {
      const [a, b] = this.view;
      return [upperBound(this.x, a - 1e-9), upperBound(this.x, b + 1e-9)];
    }

    /** The point nearest to a pixel. */
    nearest(pixel) {
      if (this.x.length === 0) return null;
      const [a, b] = this.view;
      const x = a + (pixel - this.frame.left) / this.frame.width * (b - a);
      const after = Math.min(this.x.length - 1, upperBound(this.x, x));
      const before = Math.max(0, after - 1);
      return x - this.x[before] < this.x[after] - x ? before : after;
    }

    /** Lowest and highest value of a pane between two points, widened to what its axis must show. */
    range(pane, from, to) {
      let low = Infinity;
      let high = -Infinity;
      const take = (v) => {
        if (v < low) low = v;
        if (v > high) high = v;
      };
      for (const line of pane.series) for (let i = from; i < to; i++) take(line.values[i]);
      if (pane.candles) {
        for (let i = from; i < to; i++) {
          take(pane.candles.low[i]);
          take(pane.candles.high[i]);
        }
        for (const mark of this.marks) if (mark.index >= from && mark.index < to) take(mark.y);
      }
      for (const v of pane.include ?? []) take(v);
      if (!Number.isFinite(low)) return [0, 1];
      if (low === high) {
        const room = Math.abs(low) * 0.01 || 1;
        return [low - room, high + room];
      }
      const room = (high - low) * 0.06;
      const include = pane.include ?? [];
      return [include.includes(low) ? low : low - room, include.includes(high) ? high : high + room];
    }

    draw() {
      const { panes, times } = this.data;
      const height = panes.reduce((sum, pane) => sum + pane.height + PANE_GAP, AXIS_HEIGHT);
      const begun = this.begin(height);
      if (!begun) return;
      const { g, width } = begun;
      const [from, to] = this.visible();
      const drawFrom = Math.max(0, from - 1);
      const drawTo = Math.min(this.x.length, to + 1);
      const plans = panes.map((pane) => {
        const [low, high] = this.range(pane, from, to);
        return { pane, low, high, ticks: axisTicks(low, high, pane.height) };
      });
      const labelWidth = Math.max(28, ...plans.flatMap((p) => p.ticks.values.map((v) => g.measureText(p.pane.format(v, p.ticks.step)).width)));
      const left = Math.ceil(labelWidth) + 10;
      const right = width - 10;
      this.frame = { left, width: right - left };
      const [a, b] = this.view;
      const scale = (right - left) / (b - a);
      const toPixel = (x) => left + (x - a) * scale;

      const most = Math.max(2, Math.floor((right - left) / 72));
      const ticks = this.data.names
        ? niceTicks(from, Math.max(from, to - 1), most).values.filter(Number.isInteger).map((index) => ({ index, text: String(index) }))
        : timeTicks(times, from, to, this.zone, most);
      let top = PANE_GAP;
      for (const plan of plans) {
        this.drawPane(g, plan, { top, left, right, toPixel, drawFrom, drawTo, ticks });
        top += plan.pane.height + PANE_GAP;
      }
      this.drawTimeAxis(g, ticks, toPixel, top - PANE_GAP, left, right);
      this.drawCursor(g, plans, toPixel, top - PANE_GAP, left, right);
      this.say();
    }

    drawPane(g, plan, { top, left, right, toPixel, drawFrom, drawTo, ticks }) {
      const { pane, low, high } = plan;
      const c = this.colours;
      const y = (v) => top + pane.height * (1 - (v - low) / (high - low));
      plan.y = y;
      this.valueAxis(g, plan.ticks, y, left, right, pane.format);
      g.strokeStyle = c.grid;
      g.lineWidth = 1;
      for (const tick of ticks) {
        const at = Math.round(toPixel(this.x[tick.index])) + 0.5;
        g.beginPath();
        g.moveTo(at, top);
        g.lineTo(at, top + pane.height);
        g.stroke();
      }
      g.textAlign = 'left';
      g.fillStyle = c.muted;
      g.fillText(pane.label, left, top - 11);
      g.save();
      g.beginPath();
      g.rect(left, top - 1, right - left, pane.height + 2);
      g.clip();
      if (pane.baseline !== undefined && pane.baseline > low && pane.baseline < high) {
        const at = Math.round(y(pane.baseline)) + 0.5;
        g.setLineDash([4, 4]);
        g.strokeStyle = c.muted;
        g.beginPath();
        g.moveTo(left, at);
        g.lineTo(right, at);
        g.stroke();
        g.setLineDash([]);
      }
      if (pane.candles) this.drawCandles(g, pane.candles, drawFrom, drawTo, toPixel, y);
      pane.series.forEach((line, k) => this.drawLine(g, line, k, drawFrom, drawTo, toPixel, y));
      if (pane.candles) this.drawMarks(g, toPixel, y, left, right);
      if (pane.note && pane.note.index >= drawFrom && pane.note.index < drawTo) this.drawNote(g, pane, toPixel, y, left, right);
      g.restore();
    }

    colourOf(name, k = 0) {
      return this.colours[name] ?? this.colours.series[k % this.colours.series.length];
    }

    drawLine(g, line, k, from, to, toPixel, y) {
      const kept = columns(this.x, line.values, from, to, toPixel);
      if (kept.length === 0) return;
      const colour = this.colourOf(line.colour, k);
      const trace = () => {
        g.beginPath();
        kept.forEach((i, n) => (n === 0 ? g.moveTo(toPixel(this.x[i]), y(line.values[i])) : g.lineTo(toPixel(this.x[i]), y(line.values[i]))));
      };
      if (line.kind === 'area') {
        trace();
        g.lineTo(toPixel(this.x[kept[kept.length - 1]]), y(0));
        g.lineTo(toPixel(this.x[kept[0]]), y(0));
        g.closePath();
        g.globalAlpha = 0.2;
        g.fillStyle = colour;
        g.fill();
        g.globalAlpha = 1;
      }
      trace();
      g.strokeStyle = colour;
      g.lineWidth = 1.5;
      g.setLineDash(DASHES[(line.dash ?? 0) % DASHES.length]);
      g.stroke();
      g.setLineDash([]);
      if (kept.length === 1) drawMark(g, 'dot', toPixel(this.x[kept[0]]), y(line.values[kept[0]]), 3, colour, colour);
    }

    /** Rising candles are hollow, falling ones filled. Too narrow to see, they become low-high bars. */
    drawCandles(g, { open, high, low, close }, from, to, toPixel, y) {
      const c = this.colours;
      const step = toPixel(1) - toPixel(0);
      g.lineWidth = 1;
      if (step < 2) {
        g.strokeStyle = c.muted;
        g.beginPath();
        let i = from;
        while (i < to) {
          const column = Math.floor(toPixel(this.x[i]));
          let [bottom, top] = [low[i], high[i]];
          for (i++; i < to && Math.floor(toPixel(this.x[i])) === column; i++) {
            bottom = Math.min(bottom, low[i]);
            top = Math.max(top, high[i]);
          }
          g.moveTo(column + 0.5, y(top) - 0.5);
          g.lineTo(column + 0.5, y(bottom) + 0.5);
        }
        g.stroke();
        return;
      }
      const body = Math.max(1, Math.min(14, Math.floor(step * 0.7)));
      for (let i = from; i < to; i++) {
        const x = Math.round(toPixel(this.x[i])) + 0.5;
        const rising = close[i] >= open[i];
        const [upper, lower] = [y(Math.max(open[i], close[i])), y(Math.min(open[i], close[i]))];
        g.strokeStyle = rising ? c.up : c.down;
        g.beginPath();
        g.moveTo(x, y(high[i]));
        g.lineTo(x, upper);
        g.moveTo(x, lower);
        g.lineTo(x, y(low[i]));
        g.stroke();
        const [boxTop, boxHeight] = [Math.round(upper) + 0.5, Math.max(0.5, Math.round(lower - upper))];
        // Too narrow for a hollow to be seen, both kinds are filled.
        if (!rising || body < 4) {
          g.fillStyle = rising ? c.up : c.down;
          g.fillRect(x - body / 2, boxTop, body, boxHeight);
        }
        if (body >= 4) g.strokeRect(x - body / 2, boxTop, body, boxHeight);
      }
    }

    drawMarks(g, toPixel, y, left, right) {
      const c = this.colours;
      const many = this.marks.length > 400;
      const inside = (pixel) => pixel > left - 10 && pixel < right + 10;
      g.lineWidth = 1.25;
      g.setLineDash([3, 3]);
      for (const mark of this.marks) {
        if (!mark.to) continue;
        const [x1, x2] = [toPixel(mark.x), toPixel(mark.to.x)];
        if (Math.max(x1, x2) < left || Math.min(x1, x2) > right) continue;
        g.strokeStyle = this.colourOf(mark.to.colour);
        g.beginPath();
        g.moveTo(x1, y(mark.y));
        g.lineTo(x2, y(mark.to.y));
        g.stroke();
      }
      g.setLineDash([]);
      for (const mark of this.marks) {
        const x = toPixel(mark.x);
        if (!mark.hidden && inside(x)) drawMark(g, mark.shape, x, y(mark.y), many ? 4 : MARK_SIZE, this.colourOf(mark.colour), c.panel);
      }
    }

    drawNote(g, pane, toPixel, y, left, right) {
      const { index, text } = pane.note;
      const [x, value] = [toPixel(this.x[index]), pane.series[0].values[index]];
      const width = g.measureText(text).width;
      const c = this.colours;
      drawMark(g, 'dot', x, y(value), 4, c.text, c.panel);
      const at = x + 10 + width < right ? x + 8 : x - 8 - width;
      if (at < left) return;
      g.textAlign = 'left';
      g.lineWidth = 3;
      g.strokeStyle = c.panel;
      // Towards zero, away from the line.
      const height = y(value) + (y(0) < y(value) ? -14 : 14);
      g.strokeText(text, at, height);
      g.fillStyle = c.text;
      g.fillText(text, at, height);
    }

    drawTimeAxis(g, ticks, toPixel, top, left, right) {
      g.fillStyle = this.colours.muted;
      let free = left - 8;
      for (const tick of ticks) {
        const width = g.measureText(tick.text).width;
        const at = Math.min(Math.max(toPixel(this.x[tick.index]) - width / 2, left - 4), right - width);
        if (at < free) continue;
        g.textAlign = 'left';
        g.fillText(tick.text, at, top + 13);
        free = at + width + 12;
      }
    }

    drawCursor(g, plans, toPixel, bottom, left, right) {
      if (this.cursor === null) return;
      const c = this.colours;
      const x = Math.round(toPixel(this.x[this.cursor])) + 0.5;
      if (x < left - 1 || x > right + 1) return;
      g.strokeStyle = c.text;
      g.globalAlpha = 0.6;
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(x, PANE_GAP);
      g.lineTo(x, bottom);
      g.stroke();
      g.globalAlpha = 1;
      for (const { pane, y } of plans) {
        pane.series.forEach((line, k) => {
          drawMark(g, 'dot', x, y(line.values[this.cursor]), 4, this.colourOf(line.colour, k), c.panel);
        });
      }
    }

    /** What a point is called. */
    stamp(i) {
      return this.data.names ? this.data.names(i) : timeText(this.data.times[i], this.zone);
    }

    /** Puts the values at the cursor (else the last ones) into the read-out. */
    say() {
      const i = this.cursor ?? this.x.length - 1;
      if (i < 0) {
        this.readout.replaceChildren('No data');
        return;
      }
      const parts = [element('span', {}, this.stamp(i))];
      for (const pane of this.data.panes) {
        const format = pane.readout ?? pane.format;
        if (pane.candles) {
          for (const [name, values] of [['O', pane.candles.open], ['H', pane.candles.high], ['L', pane.candles.low], ['C', pane.candles.close]]) {
            parts.push(element('span', {}, `${name} `, element('b', {}, format(values[i]))));
          }
        }
        pane.series.forEach((line, k) => {
          const key = element('i', { class: 'key', 'aria-hidden': 'true' });
          key.style.background = this.colourOf(line.colour, k);
          parts.push(element('span', {}, key, `${line.name} `, element('b', {}, format(line.values[i]))));
        });
      }
      if (this.cursor !== null) {
        for (const mark of this.marks.filter((m) => m.index === i && !m.hidden).slice(0, 3)) parts.push(element('span', { class: 'mark' }, mark.text));
      }
      this.readout.replaceChildren(...parts);
    }

    tableContent() {
      if (this.data.table) return this.data.table();
      const columnsOf = this.data.panes.flatMap((pane) => [
        ...(pane.candles ? ['open', 'high', 'low', 'close'].map((name) => ({ name, values: pane.candles[name], format: pane.readout ?? pane.format })) : []),
        ...pane.series.map((line) => ({ name: line.name, values: line.values, format: pane.readout ?? pane.format })),
      ]);
      return {
        head: ['Time', ...columnsOf.map((column) => column.name)],
        rows: Array.from(this.data.times, (_, i) => [this.stamp(i), ...columnsOf.map((column) => column.format(column.values[i]))]),
      };
    }
  }

  // ---------------------------------------------------------------- bars

  /**
   * Bars from zero. data: { bars: [{label, value, text, colour?}], height, format(value), edges?: {from, width,
   * format}, lines?: [{at, text, side?: 'left'}] }. With `edges` the bars are the bins of a histogram and lines stand at
   * values of its axis; without, each bar has its label below.
   */
  class BarChart extends Chart {
    constructor(host, options, data) {
      super(host, { hint: 'Point at a bar, or use the arrow keys, to read it.', ...options });
      this.data = data;
      for (const name of ['pointermove', 'pointerdown']) {
        this.plot.addEventListener(name, (event) => {
          if (!this.frame) return;
          const k = Math.floor((event.clientX - this.plot.getBoundingClientRect().left - this.frame.left) / this.frame.step);
          this.setCursor(k >= 0 && k < this.data.bars.length ? k : null);
        });
      }
      this.invalidate();
    }

    key(event) {
      const last = this.data.bars.length - 1;
      const moves = {
        ArrowRight: () => (this.cursor === null ? 0 : Math.min(last, this.cursor + 1)),
        ArrowLeft: () => (this.cursor === null ? last : Math.max(0, this.cursor - 1)),
        Home: () => 0,
        End: () => last,
        Escape: () => null,
      };
      if (!moves[event.key]) return false;
      this.setCursor(moves[event.key]());
      return true;
    }

    draw() {
      const { bars, height, format, edges } = this.data;
      const begun = this.begin(height + AXIS_HEIGHT);
      if (!begun) return;
      const { g, width } = begun;
      const c = this.colours;
      const values = bars.map((bar) => bar.value);
      const low = Math.min(0, ...values);
      const high = Math.max(0, ...values);
      const room = (high - low || 1) * 0.06;
      const bottom = low < 0 ? low - room : 0;
      const top = high > 0 ? high + room : room;
      const ticks = axisTicks(bottom, top, height);
      const left = Math.ceil(Math.max(20, ...ticks.values.map((v) => g.measureText(format(v, ticks.step)).width))) + 10;
      const right = width - 10;
      const step = (right - left) / Math.max(1, bars.length);
      this.frame = { left, step };
      // The texts of the lines stand above the bars.
      const above = 4 + 16 * (this.data.lines?.length ?? 0);
      const y = (v) => above + (height - above) * (1 - (v - bottom) / (top - bottom));
      this.valueAxis(g, ticks, y, left, right, format);
      const gap = edges ? Math.min(1, step * 0.1) : Math.min(24, step * 0.3);
      bars.forEach((bar, k) => {
        g.fillStyle = this.colours[bar.colour] ?? c.accent;
        g.globalAlpha = this.cursor === null || this.cursor === k ? 0.9 : 0.5;
        const [from, to] = [y(Math.max(0, bar.value)), y(Math.min(0, bar.value))];
        // What is there must be seen, however small.
        const tall = bar.value === 0 ? 0 : Math.max(1, to - from);
        g.fillRect(left + k * step + gap / 2, to - from < 1 && bar.value < 0 ? from : to - tall, Math.max(1, step - gap), tall);
      });
      g.globalAlpha = 1;
      g.strokeStyle = c.muted;
      g.lineWidth = 1;
      g.beginPath();
      g.moveTo(left, Math.round(y(0)) + 0.5);
      g.lineTo(right, Math.round(y(0)) + 0.5);
      g.stroke();
      if (edges) this.drawEdges(g, left, right, step, height);
      else this.drawLabels(g, left, step, height);
      this.say();
    }

    drawEdges(g, left, right, step, height) {
      const { edges, bars, lines } = this.data;
      const toPixel = (v) => left + (v - edges.from) / edges.width * step;
      const c = this.colours;
      const ticks = niceTicks(edges.from, edges.from + edges.width * bars.length, (right - left) / 80);
      g.fillStyle = c.muted;
      for (const value of ticks.values) {
        const text = edges.format(value, ticks.step);
        const width = g.measureText(text).width;
        g.textAlign = 'left';
        g.fillText(text, Math.min(Math.max(toPixel(value) - width / 2, left - 8), right - width + 8), height + 13);
      }
      (lines ?? []).forEach(({ at, text, side }, k) => {
        const x = Math.round(toPixel(at)) + 0.5;
        g.strokeStyle = c.text;
        g.setLineDash([3, 3]);
        g.beginPath();
        g.moveTo(x, 4);
        g.lineTo(x, height);
        g.stroke();
        g.setLineDash([]);
        const width = g.measureText(text).width;
        const [fitsLeft, fitsRight] = [x - width - 8 > left, x + width + 8 < right];
        const toLeft = side === 'left' ? fitsLeft : !fitsRight;
        const textAt = toLeft ? x - 5 - width : x + 5;
        g.lineWidth = 3;
        g.strokeStyle = c.panel;
        g.strokeText(text, textAt, 10 + k * 16);
        g.fillStyle = c.text;
        g.fillText(text, textAt, 10 + k * 16);
        g.lineWidth = 1;
      });
    }

    drawLabels(g, left, step, height) {
      g.fillStyle = this.colours.muted;
      g.textAlign = 'center';
      let free = -Infinity;
      this.data.bars.forEach((bar, k) => {
        const middle = left + (k + 0.5) * step;
        let text = bar.label;
        while (text.length > 3 && g.measureText(text).width > Math.max(step - 6, 40)) text = `${text.slice(0, -2)}…`;
        const half = g.measureText(text).width / 2;
        if (middle - half < free) return;
        g.fillText(text, middle, height + 13);
        free = middle + half + 6;
      });
    }

    say() {
      const bar = this.cursor === null ? null : this.data.bars[this.cursor];
      this.readout.replaceChildren(bar ? element('span', {}, `${bar.label}: `, element('b', {}, bar.text)) : element('span', {}, this.data.summary ?? ''));
    }

    tableContent() {
      return { head: this.data.head, rows: this.data.bars.map((bar) => [bar.label, bar.text]) };
    }
  }

  /** Draws every chart again at once: after a change of theme, before printing. */
  function redrawAll() {
    for (const chart of charts) chart.draw();
  }

  return { TimeChart, BarChart, redrawAll, zoneOf, UTC, timeText, element, math: { roundStep, niceTicks, axisTicks, upperBound, columns, timeTicks } };
})();
