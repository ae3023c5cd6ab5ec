/*
 * Figures in SVG: a frame with a read-out, scales and colours. A plain script that defines `TbotFigures`, beside
 * `TbotCharts` and `TbotPage`.
 */
'use strict';

const TbotFigures = (() => {
  const { element, math } = TbotCharts;
  const { number, digitsFor } = TbotPage;

  const svg = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  /**
   * A focusable figure with a read-out of one item at a time: under the pointer, or stepped through with the arrow
   * keys. `items` are {text, node}; `step(index, key)` gives the next index of a key.
   */
  function figure(host, { label, width, height, items, step, hint }) {
    const readout = element('p', { class: 'readout', role: 'status' }, hint);
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' });
    const frame = element('div', { class: 'figure', role: 'img', tabindex: '0', 'aria-label': label });
    frame.append(picture);
    host.replaceChildren(readout, frame);
    let at = -1;
    const show = (index) => {
      at = index;
      readout.textContent = items[index]?.text ?? hint;
    };
    frame.addEventListener('keydown', (event) => {
      if (!event.key.startsWith('Arrow') || items.length === 0) return;
      event.preventDefault();
      const forward = event.key === 'ArrowRight' || event.key === 'ArrowDown';
      const next = at < 0 ? 0 : step ? step(at, event.key) : at + (forward ? 1 : -1);
      show(Math.min(items.length - 1, Math.max(0, next)));
    });
    return { picture, show };
  }

  /** Draws at the width of the host, and again when that changes: letters keep their size on every screen. */
  function responsive(host, most, draw) {
    let last = 0;
    const fit = () => {
      const width = Math.min(most, Math.floor(host.clientWidth));
      if (width < 100 || width === last) return;
      last = width;
      draw(width);
    };
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(host);
    fit();
    return () => {
      last = 0;
      fit();
    };
  }

  function linear(low, high, from, to) {
    const [a, b] = high > low ? [low, high] : [low - 0.5, low + 0.5];
    return Object.assign((v) => from + (v - a) / (b - a) * (to - from), { low: a, high: b, invert: (at) => a + (at - from) / (to - from) * (b - a) });
  }
  const spread = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = (high - low) * 0.04;
    return [low - pad, high + pad];
  };
  /** Where a value of a parameter lies: words and logarithms count, too. */
  const position = (axis) => (value) => (axis.log ? Math.log(value) : value);

  function ticks(low, high, pixels, count) {
    const found = math.niceTicks(low, high, count ?? pixels / 42);
    return found.values.map((v) => [v, number(v, digitsFor(found.step))]);
  }

  // Viridis, light enough at one end and dark enough at the other for every kind of sight.
  const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
  function viridis(share) {
    const at = Math.min(1, Math.max(0, share)) * (VIRIDIS.length - 1);
    const k = Math.min(VIRIDIS.length - 2, Math.floor(at));
    const mixed = VIRIDIS[k].map((c, i) => Math.round(c + (VIRIDIS[k + 1][i] - c) * (at - k)));
    return `rgb(${mixed.join(',')})`;
  }

  /** Powers of ten between two values; the ends where there are fewer than two. */
  function decades(low, high) {
    const found = [];
    for (let k = Math.ceil(Math.log10(low)); k <= Math.log10(high); k++) found.push([10 ** k, k < -3 || k > 5 ? `1e${k}` : String(Number((10 ** k).toPrecision(1)))]);
    return found.length >= 2 ? found : [low, high].map((v) => [v, String(Number(v.toPrecision(2)))]);
  }

  return { svg, figure, responsive, linear, spread, position, ticks, decades, viridis };
})();
