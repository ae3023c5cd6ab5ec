/* Bars and histograms: `TbotCharts.BarChart`. A plain script, after `charts.js`. */
'use strict';

TbotCharts.BarChart = (() => {
  const { AXIS_HEIGHT, Chart, element } = TbotCharts;
  const { niceTicks, axisTicks } = TbotCharts.math;

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

  return BarChart;
})();
