/* Lines, areas and candles over a shared time axis: `TbotCharts.TimeChart`. A plain script, after `charts.js`. */
'use strict';

TbotCharts.TimeChart = (() => {
  const { AXIS_HEIGHT, Chart, DASHES, UTC, timeText, element } = TbotCharts;
  const { niceTicks, axisTicks, upperBound, columns, timeTicks } = TbotCharts.math;

  const MARK_SIZE = 5.5;
  const PANE_GAP = 22;

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

  return TimeChart;
})();
