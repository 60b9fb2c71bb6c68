// Lines over an axis, as SVG.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 480, LEFT = 56, RIGHT = 424, TOP = 12;

export function shape(tag, attributes, content) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

// Light to dark by noise level; the style sheet holds both ends.
export function colour(node, i, count) {
  node.style.setProperty('--level', `${count > 1 ? Math.round((100 * i) / (count - 1)) : 100}%`);
}

// series: [{ name, points: [[x, y], …], place, count, dashed }]; ys, xs: [[value, text], …] with a line or a mark each.
export function chart(svg, { series, xs, ys, at = null, height = 200 }) {
  const bottom = height - 30;
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  const [left, right] = [xs[0][0], xs.at(-1)[0]], [low, high] = [ys[0][0], ys.at(-1)[0]];
  const x = (v) => LEFT + ((v - left) / (right - left || 1)) * (RIGHT - LEFT);
  const y = (v) => bottom - (Math.min(Math.max((v - low) / (high - low || 1), 0), 1)) * (bottom - TOP);
  const parts = [];
  for (const [value, name] of ys) {
    parts.push(shape('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y(value), y2: y(value) }));
    parts.push(shape('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, name));
  }
  for (const [value, name] of xs) parts.push(shape('text', { x: x(value), y: bottom + 20, 'text-anchor': 'middle' }, name));
  if (at !== null) parts.push(shape('line', { class: 'now', x1: x(at), x2: x(at), y1: TOP, y2: bottom }));
  const drawn = series.filter((line) => line.points.length);
  const ends = spread(drawn.map((line) => y(line.points.at(-1)[1])), TOP, bottom);
  drawn.forEach((line, i) => {
    const points = line.points.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(' ');
    const path = shape('polyline', { class: line.dashed ? 'series dashed' : 'series', points });
    const label = shape('text', { class: 'series-name', x: x(line.points.at(-1)[0]) + 6, y: ends[i] + 4 }, line.name);
    for (const node of [path, label]) colour(node, line.place, line.count);
    parts.push(path, label);
  });
  svg.replaceChildren(...parts);
}

// Heights at least 15 apart between top and bottom, in the order they had, so that labels do not lie on one another.
export function spread(heights, top, bottom) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[b] - heights[a]), out = [];
  let floor = bottom + 4;
  for (const i of order) { out[i] = Math.min(heights[i], floor); floor = out[i] - 15; }
  let ceiling = top;
  for (const i of order.reverse()) { out[i] = Math.max(out[i], ceiling); ceiling = out[i] + 15; }
  return out;
}
