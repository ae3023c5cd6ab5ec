/*
 * The figures of a sweep: heat map, slices, parallel coordinates and the others. A plain script that defines
 * `TbotSweep`, after `TbotCharts`, `TbotPage` and `TbotFigures`. In a report it reads the block of data and draws everything.
 */
'use strict';

/**
 * The figures of some data, each a function of the element that it goes into. `place(id)` finds their controls.
 * `onChosen(conditions)` is called when parts of axes are chosen, with conditions of a filter.
 */
const TbotSweep = (data, place, onChosen) => {
  const { TimeChart, BarChart, element } = TbotCharts;
  const { number, digitsFor, percent } = TbotPage;
  const { svg, figure, responsive, linear, spread, position, ticks, decades, viridis } = TbotFigures;
  const [objective] = data.objectives;
  const more = data.more[0];
  const trials = data.trials.map(([id, status, params, values, reason]) => ({
    id, status, params, values, reason: reason ?? '', value: status === 'ok' || status === 'infeasible' ? values[0] : null,
  }));
  const finished = trials.filter((t) => t.value !== null && t.value !== undefined);
  // What misses a constraint is never better than what meets them.
  const ranked = [...finished].sort((a, b) => (a.status === 'infeasible') - (b.status === 'infeasible') || (more ? b.value - a.value : a.value - b.value) || a.id - b.id);
  const winner = finished.find((t) => t.id === data.winner);

  const text = (value) => (value === null || value === undefined ? 'n/a' : number(value, Math.abs(value) >= 1000 ? 0 : 4));
  const nameOf = (axis, value) => (value === null || value === undefined ? 'not used' : axis.words ? axis.words[value] : String(Number(value.toPrecision(6))));

  // ---------------------------------------------------------------- heat map

  function heatPanel(host) {
    const pair = place('heat-pair');
    const stat = place('heat-stat');
    data.heat.forEach((map, k) => pair.append(new Option(`${data.parameters[map.x].name} × ${data.parameters[map.y].name}`, k)));
    const redraw = responsive(host, 1000, (width) => {
      const map = data.heat[pair.value];
      const values = map[stat.value];
      const [x, y] = [data.parameters[map.x], data.parameters[map.y]];
      const [columns, lines] = [map.columns.length, map.lines.length];
      const known = values.filter((v) => v !== null);
      const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
      const letters = (names) => Math.max(...names.map((name) => name.length)) * 6.6;
      const [left, top] = [Math.min(width * 0.3, Math.max(44, letters(map.lines) + 14)), 8];
      const room = width - left - 8;
      const cell = Math.max(16, Math.min(46, Math.floor(420 / lines)));
      const wide = room / columns;
      const height = top + lines * cell + 86;
      const items = values.map((value, k) => ({
        text: `${x.name} ${map.columns[k % columns]}, ${y.name} ${map.lines[Math.floor(k / columns)]}: ${stat.value} ${objective} ${text(value)}, ${map.count[k]} trial${map.count[k] === 1 ? '' : 's'}`,
      }));
      const by = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: columns, ArrowDown: -columns };
      const { picture, show } = figure(host, {
        label: `${objective} heat map: ${stat.value} by ${x.name} and ${y.name}`, width, height, items,
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
        const most = Math.floor((left - 10) / 6.4);
        if (b % every(lines, lines * cell / 16) === 0) picture.append(svg('text', { x: left - 6, y: top + (lines - 0.5 - b) * cell + 4, 'text-anchor': 'end' }, name.length > most ? `${name.slice(0, most - 1)}…` : name));
      });
      map.columns.forEach((name, a) => {
        if (a % every(columns, room / (letters(map.columns) + 10)) === 0) picture.append(svg('text', { x: Math.min(left + (a + 0.5) * wide, width - name.length * 3.2), y: top + lines * cell + 16, 'text-anchor': 'middle' }, name));
      });
      const below = top + lines * cell + 34;
      picture.append(svg('text', { x: left + room / 2, y: below, 'text-anchor': 'middle' }, `${x.name} (upwards: ${y.name})`));
      const bar = Math.min(200, room - 140);
      for (let k = 0; k < 40; k++) picture.append(svg('rect', { x: left + 70 + k * bar / 40, y: below + 14, width: bar / 40 + 0.5, height: 12, fill: viridis(k / 39) }));
      const [good, bad] = more ? [high, low] : [low, high];
      picture.append(
        svg('text', { x: left + 64, y: below + 24, 'text-anchor': 'end' }, text(bad)), svg('text', { x: left + 76 + bar, y: below + 24 }, text(good)),
        svg('text', { x: left, y: below + 44 }, `${objective}; grey: no value${map.winner ? '; framed: the best trial' : ''}`));
    });
    pair.addEventListener('change', redraw);
    stat.addEventListener('change', redraw);
  }

  // ---------------------------------------------------------------- points

  /**
   * Dots over two axes. `kept` have a place on both; `others` only on the horizontal one: they lie in rows below.
   * `say(item)` is the read-out of a dot, `kind(item)` its class beside `dot`.
   */
  function points(host, options) {
    responsive(host, options.most ?? 700, (width) => drawPoints(host, options, width));
  }

  const outline = { ok: 'dot', infeasible: 'dot infeasible' };
  const sayTrial = (axes, xs, ys) => (t) => `trial ${t.id}: ${axes.x.name} ${nameOf(axes.x, xs(t))}, ${t.value === null ? `${t.status}${t.reason ? `: ${t.reason}` : ''}` : `${axes.y} ${text(ys(t))}${t.status === 'infeasible' ? ', misses a constraint' : ''}`}`;

  function drawPoints(host, { label, axes, xs, ys, kept, others = [], height, medians, line, topShare, members, say, diagonal }, width) {
    const rows = ['failed', 'pruned'].filter((status) => others.some((t) => t.status === status));
    const [left, right, top, bottom] = [62, 12, 8, 38 + rows.length * 16];
    const place_ = position(axes.x);
    const speak = say ?? sayTrial(axes, xs, ys);
    const [lowX, highX] = spread([...kept.map((t) => place_(xs(t))), ...others.map((t) => place_(xs(t))), ...(medians ?? []).map(([v]) => place_(v))]);
    const [lowY, highY] = spread([...kept.map(ys), ...(medians ?? line ?? []).map(([, v]) => v)]);
    const toX = linear(lowX, highX, left, width - right);
    const toY = linear(lowY, highY, height - bottom, top);
    const sorted = [...kept, ...others].sort((a, b) => place_(xs(a)) - place_(xs(b)) || (a.id ?? 0) - (b.id ?? 0));
    const { picture, show } = figure(host, { label, width, height, items: sorted.map((t) => ({ text: speak(t) })), hint: `${axes.x.name} against ${axes.y}. Point at a dot, or step with the arrow keys.` });
    for (const [value, name] of ticks(toY.low, toY.high, height - top - bottom)) {
      picture.append(svg('line', { x1: left, x2: width - right, y1: toY(value), y2: toY(value), class: 'axis' }), svg('text', { x: left - 6, y: toY(value) + 4, 'text-anchor': 'end' }, name));
    }
    const marks = axes.x.words ? axes.x.words.map((word, k) => [k, word]) : axes.x.log ? decades(Math.exp(toX.low), Math.exp(toX.high)) : ticks(toX.low, toX.high, width, width / 80);
    let free = 0;
    for (const [value, name] of marks) {
      const half = name.length * 3.4;
      const at = Math.min(width - half, Math.max(half, toX(place_(value))));
      if (at - half < free) continue;
      free = at + half + 6;
      picture.append(svg('text', { x: at, y: height - 20, 'text-anchor': 'middle' }, name));
    }
    picture.append(svg('text', { x: (left + width) / 2, y: height - 4, 'text-anchor': 'middle' }, axes.x.name));
    rows.forEach((status, k) => picture.append(svg('text', { x: left - 6, y: height - bottom + 18 + k * 16, 'text-anchor': 'end' }, status)));
    if (diagonal) {
      const [from, to] = [Math.max(toX.low, toY.low), Math.min(toX.high, toY.high)];
      if (to > from) picture.append(svg('line', { x1: toX(from), y1: toY(from), x2: toX(to), y2: toY(to), class: 'diagonal' }));
    }
    const best = new Set(ranked.slice(0, Math.max(1, Math.ceil(ranked.length * (topShare ?? 0)))).map((t) => t.id));
    sorted.forEach((t, k) => {
      const x = toX(place_(xs(t)));
      const row = rows.indexOf(t.status);
      let node;
      if (row >= 0) {
        const y = height - bottom + 14 + row * 16;
        const shape = t.status === 'failed' ? `M${x - 3} ${y - 3}l6 6m0 -6l-6 6` : `M${x - 3.5} ${y - 2.5}h7l-3.5 6z`;
        node = svg('path', { d: shape, class: `mark ${t.status === 'failed' ? 'cross' : 'triangle'}` });
      } else {
        const raised = members ? members.has(t.id) : topShare && best.has(t.id) && t.status !== 'infeasible';
        const kind = t === winner ? 'dot winner' : raised ? 'dot top' : outline[t.status] ?? 'dot';
        node = svg('circle', { cx: x.toFixed(1), cy: toY(ys(t)).toFixed(1), r: t === winner ? 5 : 2.5, class: kind });
      }
      node.addEventListener('pointerenter', () => show(k));
      picture.append(node);
    });
    const path = (list) => list.map(([v, y], k) => `${k ? 'L' : 'M'}${toX(place_(v)).toFixed(1)} ${toY(y).toFixed(1)}`).join('');
    if (medians?.length) {
      if (axes.x.words) for (const [v, y] of medians) picture.append(svg('line', { x1: toX(v) - 14, x2: toX(v) + 14, y1: toY(y), y2: toY(y), class: 'median' }));
      else picture.append(svg('path', { d: path(medians), class: 'median' }));
    }
    if (line?.length) picture.append(svg('path', { d: line.map(([v, y], k) => (k ? `H${toX(v).toFixed(1)}V${toY(y).toFixed(1)}` : `M${toX(v).toFixed(1)} ${toY(y).toFixed(1)}`)).join('') + `H${width - right}`, class: 'median' }));
  }

  function slices(host) {
    host.replaceChildren();
    data.parameters.forEach((axis, k) => {
      const kept = finished.filter((t) => t.params[k] !== null);
      if (new Set(kept.map((t) => t.params[k])).size < 2) return;
      const box = element('div');
      host.append(box);
      points(box, { label: `Slice: ${objective} against ${axis.name}`, axes: { x: axis, y: objective }, xs: (t) => t.params[k], ys: (t) => t.value, kept, others: trials.filter((t) => t.value === null && t.params[k] !== null), height: 260, medians: axis.medians, topShare: 0.01 });
    });
    if (!host.children.length) host.append(element('p', { class: 'muted' }, 'No parameter has two values with a result.'));
  }

  function history(host) {
    const id = { name: 'trial' };
    points(host, { label: `History: ${objective} by trial`, axes: { x: id, y: objective }, xs: (t) => t.id, ys: (t) => t.value, kept: finished, height: 260, line: data.best_so_far });
  }

  function front(host) {
    const members = new Set(data.front);
    const kept = finished.filter((t) => t.values[1] !== null);
    points(host, { label: `Pareto front: ${data.objectives[1]} against ${objective}`, axes: { x: { name: objective }, y: data.objectives[1] }, xs: (t) => t.values[0], ys: (t) => t.values[1], kept, members, height: 320, most: 900 });
  }

  // ---------------------------------------------------------------- out of sample

  function halves(host) {
    const axes = { x: { name: 'Sharpe ratio in sample' }, y: 'out of sample' };
    points(host, {
      label: 'Sharpe ratio of the chosen trial out of sample against in sample', axes, xs: (p) => p[0], ys: (p) => p[1], kept: data.halves.points, height: 300, diagonal: true,
      say: (p) => `in sample ${number(p[0], 2)}, out of sample ${number(p[1], 2)}`,
    });
  }

  function logits(host) {
    const { from, width, counts } = data.halves.logits;
    const total = counts.reduce((a, b) => a + b, 0);
    const edge = (value) => number(value, digitsFor(width));
    new BarChart(host, { label: 'Logit of the rank out of sample' }, {
      height: 240,
      head: ['Logit', 'Ways'],
      format: (value) => number(value, 0),
      edges: { from, width, format: (value, step) => number(value, digitsFor(step ?? width)) },
      lines: [{ at: 0, text: 'median' }],
      summary: `${number(total, 0)} ways to halve the sessions`,
      bars: counts.map((value, k) => {
        const start = Math.round(from / width + k) * width;
        return { label: `${edge(start)} to ${edge(start + width)}`, value, text: `${number(value, 0)} (${percent(value / total)})`, colour: start < 0 ? 'warn' : 'accent' };
      }),
    });
  }

  // ---------------------------------------------------------------- parallel coordinates

  /** Whether a trial lies within what was chosen on the axes; other figures and pages follow it. */
  let isWithin = () => true;
  const followers = onChosen ? [onChosen] : [];

  /** What is between two values of an axis, as conditions of a filter. */
  function conditions({ name, words }, [low, high]) {
    if (words) return words.filter((_, k) => k < low || k > high).map((word) => `${name}!=${word}`);
    return [`${name}>=${low}`, `${name}<=${high}`];
  }

  function parallel(host) {
    const select = place('parallel-share');
    const drawn = data.parameters.map((axis, k) => ({ axis, k })).filter(({ k }) => new Set(finished.map((t) => t.params[k])).size > 1);
    const axes = [
      ...drawn.map(({ axis, k }) => ({ ...axis, isParameter: true, of: (t) => t.params[k] })),
      { name: objective, of: (t) => t.value },
    ].map((axis) => {
      const values = finished.map(axis.of).filter((v) => v !== null);
      return { ...axis, low: Math.min(...values), high: Math.max(...values), isWhole: values.every(Number.isInteger) };
    });
    /** What is chosen, by axis: [low, high] in values of the axis. */
    const chosen = new Map();
    isWithin = (t) => [...chosen].every(([axis, [low, high]]) => axis.of(t) !== null && axis.of(t) >= low && axis.of(t) <= high);
    let mark = () => {};

    /** Chooses a part of an axis: the whole of it, or nothing that lies on it, is no choice. */
    function choose(axis, range) {
      let [low, high] = [...range].sort((a, b) => a - b);
      [low, high] = axis.isWhole ? [Math.ceil(low), Math.floor(high)] : [low, high].map((v) => Number(v.toPrecision(4)));
      if (low > high || (low <= axis.low && high >= axis.high)) chosen.delete(axis);
      else chosen.set(axis, [low, high]);
      mark();
    }
    function tell() {
      showChoices();
      const found = [...chosen].flatMap(([axis, range]) => conditions(axis, range));
      for (const follower of followers) follower(found);
    }

    // The same by keys: an axis, from, to.
    const end = (label) => element('input', { type: 'text', size: '8', 'aria-label': label, autocomplete: 'off' });
    const [which, from, to] = [element('select', { 'aria-label': 'Axis' }, ...axes.map(({ name }, k) => new Option(name, k))), end('From'), end('To')];
    const keep = element('button', {}, 'Keep only these');
    const form = element('form', { class: 'choose', novalidate: '' }, which, 'from', from, 'to', to, keep);
    const choices = element('div', { class: 'choices', role: 'status' });
    const area = element('div');
    host.replaceChildren(area, form, choices);
    const valueOf = (axis, words) => {
      const typed = words.trim();
      const k = axis.words?.indexOf(typed) ?? -1;
      return k >= 0 ? k : Number(typed);
    };
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const axis = axes[which.value];
      const range = [from, to].map((input, k) => (input.value.trim() === '' ? [axis.low, axis.high][k] : valueOf(axis, input.value)));
      [from, to].forEach((input, k) => input.setAttribute('aria-invalid', String(!Number.isFinite(range[k]))));
      if (!range.every(Number.isFinite)) return;
      choose(axis, range);
      tell();
    });
    function showChoices() {
      const within = finished.filter(isWithin).length;
      choices.replaceChildren(...(chosen.size > 0 ? [`${number(within, 0)} of ${number(finished.length, 0)} lines`] : []), ...[...chosen].map(([axis, [low, high]]) => {
        const what = `${axis.name} ${low === high ? nameOf(axis, low) : `${nameOf(axis, low)} to ${nameOf(axis, high)}`}`;
        const button = element('button', { type: 'button', 'aria-label': `${what}: choose all of ${axis.name} again` }, `${what} \u2715`);
        button.addEventListener('click', () => {
          chosen.delete(axis);
          mark();
          tell();
        });
        return button;
      }));
    }

    const redraw = responsive(area, 1200, (width) => {
      const height = 320;
      const [top, bottom] = [36, 34];
      const side = Math.min(60, width * 0.13);
      const xs = (i) => side + i * (width - 2 * side - 16) / Math.max(1, axes.length - 1);
      const most = Math.max(4, Math.floor((width - 2 * side) / Math.max(1, axes.length - 1) / 7));
      const cut = (name) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
      // The better end of the objective is at the top.
      const scales = axes.map((axis) => {
        const ends = axis.isParameter || more ? [height - bottom, top] : [top, height - bottom];
        return linear(position(axis)(axis.low), position(axis)(axis.high), ...ends);
      });
      const toY = (i, v) => (v === null ? height - bottom + 14 : scales[i](position(axes[i])(v)));
      const fromY = (i, y) => (axes[i].log ? Math.exp(scales[i].invert(y)) : scales[i].invert(y));
      const best = new Set(ranked.slice(0, Math.max(1, Math.ceil(ranked.length * Number(select.value)))));
      const describe = (t) => `trial ${t.id}: ${axes.map((axis) => `${axis.name} ${axis.isParameter ? nameOf(axis, axis.of(t)) : text(t.value)}`).join(', ')}`;
      const items = [];
      const { picture, show } = figure(area, {
        label: `Parallel coordinates of ${axes.map(({ name }) => name).join(', ')}`, width, height, items,
        hint: 'Point at a highlighted line, or step through them, the best first, with the arrow keys. Draw along an axis to keep a part of it.',
      });
      // The best are drawn last, over the others.
      const lines = [...ranked].reverse().map((t) => {
        const node = svg('path', { d: axes.map((axis, i) => `${i ? 'L' : 'M'}${xs(i).toFixed(1)} ${toY(i, axis.of(t)).toFixed(1)}`).join('') });
        node.addEventListener('pointerenter', () => { if (items.some((item) => item.trial === t)) show(items.findIndex((item) => item.trial === t)); });
        return { t, node };
      });
      const bands = axes.map((_, i) => svg('rect', { x: xs(i) - 7, width: 14, class: 'brush' }));
      /** Which lines are highlighted: of what is chosen all, else the best. */
      mark = () => {
        for (const { t, node } of lines) {
          const within = isWithin(t);
          const raised = chosen.size > 0 ? within : best.has(t);
          node.setAttribute('class', `trial${within ? '' : ' out'}${raised ? (t === winner ? ' winner' : ' top') : ''}`);
        }
        items.splice(0, items.length, ...ranked.filter((t) => (chosen.size > 0 ? isWithin(t) : best.has(t))).map((t) => ({ text: describe(t), trial: t })));
        axes.forEach((axis, i) => {
          const [low, high] = (chosen.get(axis) ?? [axis.low, axis.low]).map((v) => toY(i, v));
          bands[i].setAttribute('y', Math.min(low, high) - 3);
          bands[i].setAttribute('height', chosen.has(axis) ? Math.abs(high - low) + 6 : 0);
        });
      };
      picture.append(...lines.map(({ node }) => node));
      axes.forEach((axis, i) => {
        const name = (v) => cut(axis.isParameter ? nameOf(axis, v) : text(v));
        const [below, above] = axis.isParameter || more ? [axis.low, axis.high] : [axis.high, axis.low];
        picture.append(
          svg('line', { x1: xs(i), x2: xs(i), y1: top, y2: height - bottom, class: 'axis' }), svg('text', { x: xs(i), y: 12, 'text-anchor': 'middle' }, cut(axis.name)),
          svg('text', { x: xs(i), y: height - 4, 'text-anchor': 'middle' }, name(below)), svg('text', { x: xs(i), y: top - 4, 'text-anchor': 'middle' }, name(above)), bands[i], grip(axis, i));
      });
      mark();

      /** The place of an axis that can be drawn along; a click on it chooses all of it again. */
      function grip(axis, i) {
        const node = svg('rect', { x: xs(i) - 14, y: top - 4, width: 28, height: height - top - bottom + 8, class: 'grip' });
        const at = (event) => (event.clientY - picture.getBoundingClientRect().top) * height / picture.getBoundingClientRect().height;
        let start = null;
        node.addEventListener('pointerdown', (event) => {
          start = at(event);
          node.setPointerCapture(event.pointerId);
        });
        node.addEventListener('pointermove', (event) => {
          if (start !== null && Math.abs(at(event) - start) > 3) choose(axis, [fromY(i, start), fromY(i, at(event))]);
        });
        const finish = (event) => {
          if (start === null) return;
          if (event.type === 'pointerup' && Math.abs(at(event) - start) <= 3) {
            chosen.delete(axis);
            mark();
          }
          start = null;
          tell();
        };
        node.addEventListener('pointerup', finish);
        node.addEventListener('pointercancel', finish);
        return node;
      }
    });
    select.addEventListener('change', redraw);
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
    const { growth, closes } = data.curves;
    const length = Math.max(...growth.map(([, values]) => values.length));
    const dated = closes.length >= length && length > 0;
    new TimeChart(host, { label: 'Equity of the best trials, in sample' }, {
      times: dated ? Float64Array.from([closes[0] - 23400, ...closes.slice(0, length)]) : new Float64Array(length + 1),
      // Data whose sessions are not those of the exchange: they are counted.
      names: dated ? undefined : (i) => `session ${i}`,
      x: Float64Array.from({ length: length + 1 }, (_, i) => i),
      panes: [{
        label: 'Growth of one dollar, session by session', height: 240, format: (v, step) => number(v, step === undefined ? 4 : digitsFor(step)), baseline: 1,
        series: growth.map(([id, values], k) => ({ name: `trial ${id}`, kind: 'line', values: Float64Array.from({ length: length + 1 }, (_, i) => (i === 0 ? 1 : values[Math.min(i, values.length) - 1])), dash: k })),
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
      ...(trials.some((t) => t.reason) ? [{ name: 'Reason', of: (t) => t.reason || null, text: (t) => t.reason }] : []),
    ];
    let [by, down] = [2 + data.parameters.length, more];
    const filter = place('trial-filter');
    const cells = trials.map((t) => ({ t, words: columns.map((c) => c.text(t)) }));
    const order = (a, b) => (a === b ? 0 : a === null ? 1 : b === null ? -1 : (a < b ? -1 : 1) * (down ? -1 : 1));
    function draw() {
      const wanted = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const kept = cells.filter(({ t, words }) => isWithin(t) && wanted.every((w) => words.some((word) => word.toLowerCase() === w || (Number.isNaN(Number(w)) && word.toLowerCase().includes(w)))));
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
    followers.push(draw);
    host.hidden = false;
    draw();
  }

  // ---------------------------------------------------------------- all of it

  const parts = {
    'chart-heat': heatPanel, 'chart-slices': slices, 'chart-parallel': parallel, 'chart-importance': importance,
    'chart-history': history, 'chart-curves': curves, 'chart-halves': halves, 'chart-logits': logits, 'chart-front': front, 'trial-table': table,
  };

  /** Draws what has a place: all figures, or those of these ids. */
  function draw(ids = Object.keys(parts)) {
    for (const id of ids) {
      const host = place(id);
      if (!host) continue;
      if (finished.length === 0 && id !== 'trial-table') {
        host.replaceChildren(element('p', { class: 'muted' }, 'No trial has a result.'));
        continue;
      }
      try {
        parts[id](host);
      } catch (error) {
        host.replaceChildren(element('p', { class: 'failed' }, `This figure could not be drawn: ${error.message}`));
        console.error(error);
      }
    }
  }

  return { draw };
};

{
  const embedded = document.getElementById('report-data');
  if (embedded) {
    TbotSweep(JSON.parse(embedded.textContent), (id) => document.getElementById(id)).draw();
    TbotPage.start(TbotCharts.redrawAll);
    document.documentElement.dataset.ready = '1';
  }
}
