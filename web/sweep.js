/* The page of a sweep: reads the block of data and puts the figures in their places. */
'use strict';

(() => {
  const { TimeChart, BarChart, element, redrawAll, math } = TbotCharts;
  const { number, digitsFor, percent } = TbotPage;
  const data = JSON.parse(document.getElementById('report-data').textContent);
  const place = (id) => document.getElementById(id);
  const [objective] = data.objectives;
  const more = data.more[0];
  const trials = data.trials.map(([id, status, params, values]) => ({ id, status, params, values, value: status === 'ok' ? values[0] : null }));
  const finished = trials.filter((t) => t.value !== null && t.value !== undefined);
  const ranked = [...finished].sort((a, b) => (more ? b.value - a.value : a.value - b.value) || a.id - b.id);
  const winner = finished.find((t) => t.id === data.winner);

  const text = (value) => (value === null || value === undefined ? 'n/a' : number(value, Math.abs(value) >= 1000 ? 0 : 4));
  const nameOf = (axis, value) => (value === null || value === undefined ? 'not used' : axis.words ? axis.words[value] : String(Number(value.toPrecision(6))));

  // ---------------------------------------------------------------- figures in SVG

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

  function linear(low, high, from, to) {
    const [a, b] = high > low ? [low, high] : [low - 0.5, low + 0.5];
    return Object.assign((v) => from + (v - a) / (b - a) * (to - from), { low: a, high: b });
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

  // ---------------------------------------------------------------- heat map

  function heatPanel(host) {
    const pair = place('heat-pair');
    const stat = place('heat-stat');
    data.heat.forEach((map, k) => pair.append(new Option(`${data.parameters[map.x].name} × ${data.parameters[map.y].name}`, k)));
    function draw() {
      const map = data.heat[pair.value];
      const values = map[stat.value];
      const [x, y] = [data.parameters[map.x], data.parameters[map.y]];
      const [columns, lines] = [map.columns.length, map.lines.length];
      const known = values.filter((v) => v !== null);
      const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
      const [left, top, width] = [90, 8, 760];
      const cell = Math.max(14, Math.min(46, Math.floor(420 / lines)));
      const wide = (width - left - 130) / columns;
      const height = top + lines * cell + 46;
      const items = values.map((value, k) => ({
        text: `${x.name} ${map.columns[k % columns]}, ${y.name} ${map.lines[Math.floor(k / columns)]}: ${stat.value} ${objective} ${text(value)}, ${map.count[k]} trial${map.count[k] === 1 ? '' : 's'}`,
      }));
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: columns, ArrowDown: -columns };
      const { picture, show } = figure(host, {
        label: `Heat map: ${stat.value} ${objective} by ${x.name} and ${y.name}`, width, height, items,
        step: (at, key) => (at + by[key] >= 0 && at + by[key] < items.length ? at + by[key] : at),
        hint: 'Point at a cell, or move with the arrow keys.',
      });
      values.forEach((value, k) => {
        const [a, b] = [k % columns, Math.floor(k / columns)];
        const box = { x: left + a * wide, y: top + (lines - 1 - b) * cell, width: wide, height: cell, class: value === null ? 'cell empty' : 'cell' };
        const node = svg('rect', box);
        if (value !== null) node.setAttribute('fill', viridis(high > low ? (more ? value - low : high - value) / (high - low) : 1));
        node.addEventListener('pointerenter', () => show(k));
        picture.append(node);
      });
      if (map.winner) {
        const [a, b] = map.winner;
        picture.append(svg('rect', { x: left + a * wide, y: top + (lines - 1 - b) * cell, width: wide, height: cell, class: 'winner-cell' }));
      }
      const every = (count, room) => Math.max(1, Math.ceil(count / room));
      map.lines.forEach((name, b) => {
        if (b % every(lines, lines * cell / 16) === 0) picture.append(svg('text', { x: left - 6, y: top + (lines - 0.5 - b) * cell + 4, 'text-anchor': 'end' }, name));
      });
      map.columns.forEach((name, a) => {
        if (a % every(columns, (width - left - 130) / 52) === 0) picture.append(svg('text', { x: left + (a + 0.5) * wide, y: top + lines * cell + 16, 'text-anchor': 'middle' }, name));
      });
      picture.append(svg('text', { x: left + columns * wide / 2, y: height - 6, 'text-anchor': 'middle' }, `${x.name}  (vertical: ${y.name}${map.winner ? '; framed: the best trial' : ''})`));
      const barLeft = width - 100;
      for (let k = 0; k < 40; k++) {
        const share = 1 - k / 39;
        picture.append(svg('rect', { x: barLeft, y: top + k * (lines * cell) / 40, width: 14, height: (lines * cell) / 40 + 0.5, fill: viridis(share) }));
      }
      const [good, bad] = more ? [high, low] : [low, high];
      picture.append(svg('text', { x: barLeft + 20, y: top + 11 }, text(good)), svg('text', { x: barLeft + 20, y: top + lines * cell }, text(bad)));
    }
    pair.addEventListener('change', draw);
    stat.addEventListener('change', draw);
    draw();
  }

  // ---------------------------------------------------------------- points

  function points(host, { label, axes, xs, ys, kept, height, medians, line, topShare }) {
    const width = 420;
    const [left, right, top, bottom] = [62, 8, 8, 34];
    const place_ = position(axes.x);
    const [lowX, highX] = spread([...kept.map((t) => place_(xs(t))), ...(medians ?? []).map(([v]) => place_(v))]);
    const [lowY, highY] = spread([...kept.map(ys), ...(medians ?? line ?? []).map(([, v]) => v)]);
    const toX = linear(lowX, highX, left, width - right);
    const toY = linear(lowY, highY, height - bottom, top);
    const sorted = [...kept].sort((a, b) => place_(xs(a)) - place_(xs(b)) || a.id - b.id);
    const items = sorted.map((t) => ({ text: `trial ${t.id}: ${axes.x.name} ${nameOf(axes.x, xs(t))}, ${axes.y} ${text(ys(t))}` }));
    const { picture, show } = figure(host, { label, width, height, items, hint: `${axes.x.name} against ${axes.y}. Point at a dot, or step with the arrow keys.` });
    for (const [value, name] of ticks(toY.low, toY.high, height - top - bottom)) {
      picture.append(svg('line', { x1: left, x2: width - right, y1: toY(value), y2: toY(value), class: 'axis' }), svg('text', { x: left - 6, y: toY(value) + 4, 'text-anchor': 'end' }, name));
    }
    const marks = axes.x.words
      ? axes.x.words.map((word, k) => [k, word])
      : axes.x.log
        ? [...new Set(kept.map(xs))].sort((a, b) => a - b).filter((_, k, all) => k % Math.max(1, Math.floor(all.length / 4)) === 0).map((v) => [v, nameOf(axes.x, v)])
        : ticks(toX.low, toX.high, width, 5);
    for (const [value, name] of marks) picture.append(svg('text', { x: toX(place_(value)), y: height - bottom + 16, 'text-anchor': 'middle' }, name));
    picture.append(svg('text', { x: (left + width) / 2, y: height - 4, 'text-anchor': 'middle' }, axes.x.name));
    const best = new Set(ranked.slice(0, Math.max(1, Math.ceil(ranked.length * (topShare ?? 0)))).map((t) => t.id));
    sorted.forEach((t, k) => {
      const kind = t === winner ? 'dot winner' : topShare && best.has(t.id) ? 'dot top' : 'dot';
      const node = svg('circle', { cx: toX(place_(xs(t))).toFixed(1), cy: toY(ys(t)).toFixed(1), r: t === winner ? 4.5 : 2.5, class: kind });
      node.addEventListener('pointerenter', () => show(k));
      picture.append(node);
    });
    const path = (list) => list.map(([v, y], k) => `${k ? 'L' : 'M'}${toX(place_(v)).toFixed(1)} ${toY(y).toFixed(1)}`).join('');
    if (medians?.length) picture.append(svg('path', { d: path(medians), class: 'median' }));
    if (line?.length) picture.append(svg('path', { d: line.map(([v, y], k) => (k ? `H${toX(v).toFixed(1)}V${toY(y).toFixed(1)}` : `M${toX(v).toFixed(1)} ${toY(y).toFixed(1)}`)).join('') + `H${width - right}`, class: 'median' }));
  }

  function slices(host) {
    host.replaceChildren();
    data.parameters.forEach((axis, k) => {
      const kept = finished.filter((t) => t.params[k] !== null);
      if (new Set(kept.map((t) => t.params[k])).size < 2) return;
      const box = element('div');
      host.append(box);
      points(box, { label: `Slice: ${objective} against ${axis.name}`, axes: { x: axis, y: objective }, xs: (t) => t.params[k], ys: (t) => t.value, kept, height: 240, medians: axis.medians, topShare: 0.01 });
    });
    if (!host.children.length) host.append(element('p', { class: 'muted' }, 'No parameter has two values with a result.'));
  }

  function history(host) {
    const id = { name: 'trial' };
    points(host, { label: `History: ${objective} by trial`, axes: { x: id, y: objective }, xs: (t) => t.id, ys: (t) => t.value, kept: finished, height: 240, line: data.best_so_far });
  }

  function front(host) {
    const members = new Set(data.front);
    const kept = trials.filter((t) => t.status === 'ok' && t.values[0] !== null && t.values[1] !== null);
    points(host, { label: `Pareto front: ${data.objectives[1]} against ${objective}`, axes: { x: { name: objective }, y: data.objectives[1] }, xs: (t) => t.values[0], ys: (t) => t.values[1], kept, height: 300 });
    host.querySelectorAll('circle').forEach((node, k) => {
      const t = [...kept].sort((a, b) => a.values[0] - b.values[0] || a.id - b.id)[k];
      if (members.has(t.id)) node.setAttribute('class', 'dot top');
    });
  }

  // ---------------------------------------------------------------- parallel coordinates

  function parallel(host) {
    const select = place('parallel-share');
    const axes = data.parameters.map((axis, k) => ({ axis, k })).filter(({ k }) => new Set(finished.map((t) => t.params[k])).size > 1);
    function draw() {
      const width = 860;
      const height = 300;
      const [top, bottom] = [28, 24];
      const count = axes.length + 1;
      const xs = (i) => 60 + i * (width - 130) / Math.max(1, count - 1);
      const scales = axes.map(({ axis, k }) => {
        const values = finished.map((t) => t.params[k]).filter((v) => v !== null).map(position(axis));
        const scale = linear(Math.min(...values), Math.max(...values), height - bottom, top);
        return (t) => (t.params[k] === null ? height - bottom + 14 : scale(position(axis)(t.params[k])));
      });
      const values = finished.map((t) => t.value);
      const result = linear(Math.min(...values), Math.max(...values), more ? height - bottom : top, more ? top : height - bottom);
      const best = ranked.slice(0, Math.max(1, Math.ceil(ranked.length * Number(select.value))));
      const chosen = new Set(best);
      const describe = (t) => `trial ${t.id}: ${axes.map(({ axis, k }) => `${axis.name} ${nameOf(axis, t.params[k])}`).join(', ')}; ${objective} ${text(t.value)}`;
      const { picture, show } = figure(host, {
        label: `Parallel coordinates of ${axes.map(({ axis }) => axis.name).join(', ')} and ${objective}`, width, height,
        items: best.map((t) => ({ text: describe(t) })), hint: 'Point at a highlighted line, or step through them, the best first, with the arrow keys.',
      });
      const line = (t) => [...scales.map((scale) => scale(t)), result(t.value)].map((y, i) => `${i ? 'L' : 'M'}${xs(i).toFixed(1)} ${y.toFixed(1)}`).join('');
      for (const t of finished) if (!chosen.has(t)) picture.append(svg('path', { d: line(t), class: 'trial' }));
      [...best].reverse().forEach((t) => {
        const node = svg('path', { d: line(t), class: t === winner ? 'trial winner' : 'trial top' });
        node.addEventListener('pointerenter', () => show(best.indexOf(t)));
        picture.append(node);
      });
      [...axes.map(({ axis }) => axis), { name: objective }].forEach((axis, i) => {
        picture.append(svg('line', { x1: xs(i), x2: xs(i), y1: top, y2: height - bottom, class: 'axis' }), svg('text', { x: xs(i), y: 16, 'text-anchor': 'middle' }, axis.name));
        const known = axis.words !== undefined ? finished.map((t) => t.params[axes[i].k]).filter((v) => v !== null) : values;
        const ends = i < axes.length ? [nameOf(axis, Math.min(...known)), nameOf(axis, Math.max(...known))] : more ? [text(Math.min(...values)), text(Math.max(...values))] : [text(Math.max(...values)), text(Math.min(...values))];
        picture.append(svg('text', { x: xs(i), y: height - 4, 'text-anchor': 'middle' }, ends[0]), svg('text', { x: xs(i) + 4, y: top + 4 }, ends[1]));
      });
    }
    select.addEventListener('change', draw);
    draw();
  }

  // ---------------------------------------------------------------- importance, equity

  function importance(host) {
    new BarChart(host, { label: 'Importance of the parameters' }, {
      height: 190,
      head: ['Parameter', 'Share of variance'],
      format: percent,
      summary: `Share of the variance of ${objective}`,
      bars: data.importance.map(([label, share]) => ({ label, value: share ?? 0, text: share === null ? 'n/a' : percent(share), colour: 'accent' })),
    });
  }

  function curves(host) {
    const length = Math.max(...data.curves.map(([, values]) => values.length));
    new TimeChart(host, { label: 'Equity of the best trials, in sample' }, {
      times: data.closes.length >= length
        ? Float64Array.from([data.closes[0] - 23400, ...data.closes.slice(0, length)])
        : Float64Array.from({ length: length + 1 }, (_, i) => i * 86400),
      x: Float64Array.from({ length: length + 1 }, (_, i) => i),
      panes: [{
        label: 'Growth of one dollar, session by session', height: 240, format: (v, step) => number(v, step === undefined ? 4 : digitsFor(step)), baseline: 1,
        series: data.curves.map(([id, values], k) => ({ name: `trial ${id}`, kind: 'line', values: Float64Array.from({ length: length + 1 }, (_, i) => (i === 0 ? 1 : values[Math.min(i, values.length) - 1])), dash: k })),
      }],
    });
  }

  // ---------------------------------------------------------------- table

  const MOST_ROWS = 500;
  function table(host) {
    const [head, body] = [host.querySelector('thead'), host.querySelector('tbody')];
    const columns = [
      { name: 'Trial', of: (t) => t.id, text: (t) => String(t.id) },
      { name: 'Status', of: (t) => t.status, text: (t) => t.status },
      ...data.parameters.map((axis, k) => ({ name: axis.name, of: (t) => t.params[k], text: (t) => (t.params[k] === null ? '' : nameOf(axis, t.params[k])) })),
      ...data.objectives.map((name, k) => ({ name, of: (t) => t.values[k] ?? null, text: (t) => text(t.values[k]) })),
    ];
    let [by, down] = [2 + data.parameters.length, more];
    const filter = place('trial-filter');
    const cells = trials.map((t) => ({ t, words: columns.map((c) => c.text(t)) }));
    const order = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1 : (a < b ? -1 : 1) * (down ? -1 : 1));
    function draw() {
      const wanted = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const kept = cells.filter(({ words }) => wanted.every((w) => words.some((word) => word.toLowerCase() === w || (Number.isNaN(Number(w)) && word.toLowerCase().includes(w)))));
      kept.sort((a, b) => order(columns[by].of(a.t), columns[by].of(b.t)) || a.t.id - b.t.id);
      place('trial-count').textContent = `${kept.length} of ${trials.length} trials${kept.length > MOST_ROWS ? `, the first ${MOST_ROWS} shown` : ''}`;
      body.replaceChildren(...kept.slice(0, MOST_ROWS).map(({ words }) => element('tr', {}, ...words.map((word, k) => element(k ? 'td' : 'th', k ? { class: 'number' } : { scope: 'row' }, word)))));
      head.replaceChildren(element('tr', {}, ...columns.map((column, k) => {
        const button = element('button', { type: 'button', class: 'sort' }, `${column.name}${k === by ? (down ? ' ▼' : ' ▲') : ''}`);
        button.addEventListener('click', () => {
          [by, down] = k === by ? [by, !down] : [k, false];
          draw();
          head.querySelectorAll('button')[k].focus();
        });
        return element('th', { scope: 'col', class: k ? 'number' : '', 'aria-sort': k === by ? (down ? 'descending' : 'ascending') : 'none' }, button);
      })));
    }
    filter.addEventListener('input', draw);
    host.hidden = false;
    draw();
  }

  // ---------------------------------------------------------------- all of it

  const parts = {
    'chart-heat': heatPanel, 'chart-slices': slices, 'chart-parallel': parallel, 'chart-importance': importance,
    'chart-history': history, 'chart-curves': curves, 'chart-front': front, 'trial-table': table,
  };
  for (const [id, make] of Object.entries(parts)) {
    const host = place(id);
    if (!host) continue;
    if (finished.length === 0 && id !== 'trial-table') {
      host.replaceChildren(element('p', { class: 'muted' }, 'No trial has a result.'));
      continue;
    }
    try {
      make(host);
    } catch (error) {
      host.replaceChildren(element('p', { class: 'failed' }, `This figure could not be drawn: ${error.message}`));
      console.error(error);
    }
  }
  TbotPage.start(redrawAll);
  document.documentElement.dataset.ready = '1';
})();
