// The lab: sliders, a card for each network, and the curve of confidence against noise.

import { $, drawPixels, element, percent, steady } from './view.js';

const SLIDERS = { sigma: '', epsilon: '', rotation: '°', right: ' px', down: ' px' };
const PAUSE = 60; // ms
const SVG = 'http://www.w3.org/2000/svg';
const LEFT = 56, RIGHT = 430, TOP = 10, BOTTOM = 170; // of the curve's plot, in the viewBox

export class Lab {
  // ask(values) → the API's answer, or null where a newer question has been asked.
  constructor(ask) {
    this.ask = ask;
    this.seen = null;
    this.later = steady(PAUSE, () => this.#now());
    for (const name of Object.keys(SLIDERS)) $(name).addEventListener('input', () => { this.#values(); this.later(); });
    $('reset').addEventListener('click', () => {
      for (const name of Object.keys(SLIDERS)) $(name).value = 0;
      this.#values();
      this.later();
    });
    this.#values();
  }

  // A new digit: pixels as the network saw them, or null for none; and what it really shows.
  show(pixels, label) {
    this.seen = pixels;
    this.label = label;
    if (pixels) this.later();
    else this.#forget();
  }

  #values() {
    for (const [name, unit] of Object.entries(SLIDERS)) $(`${name}-value`).textContent = $(name).value.replace('-', '−') + unit;
  }

  async #now() {
    if (!this.seen) return;
    const values = Object.fromEntries(Object.keys(SLIDERS).map((name) => [name, Number($(name).value)]));
    const answer = await this.ask({ image: this.seen, label: this.label, ...values });
    if (answer && this.seen) this.#draw(answer, values.sigma);
  }

  #forget() {
    $('networks').replaceChildren(element('p', 'empty', 'Draw a digit first.'));
    $('curve').parentElement.hidden = true;
  }

  #draw(answer, sigma) {
    const cards = answer.models.map((model, i) => {
      const card = element('article', 'card');
      const right = model.label === answer.label;
      card.classList.toggle('wrong', !right);
      colour(card, i, answer.models.length);
      const picture = element('canvas');
      picture.setAttribute('role', 'img');
      picture.setAttribute('aria-label', 'What this network was shown');
      const track = element('span', 'track'), fill = element('span', 'fill');
      fill.style.transform = `scaleX(${model.confidence})`;
      track.append(fill);
      const reads = element('p', 'reads', right ? `reads ${model.label}` : `reads ${model.label}, not ${answer.label}`);
      card.append(element('h3', '', nameOf(model)), picture, reads, track, element('p', 'share', `${percent(model.confidence)} for ${answer.label}`));
      return [card, picture, model];
    });
    $('networks').replaceChildren(...cards.map(([card]) => card));
    for (const [, picture, model] of cards) drawPixels(picture, model.seen, answer.side);
    $('curve').parentElement.hidden = false;
    drawCurve($('curve'), answer, sigma);
    $('curve-title').textContent = `Probability of ${answer.label} as noise grows, for each network`;
  }
}

const nameOf = (model) => (model.sigma === null ? model.model : `trained at σ ${model.sigma}`);

// Light to dark by noise level; the style sheet holds both ends.
function colour(node, i, count) {
  node.style.setProperty('--level', `${count > 1 ? Math.round((100 * i) / (count - 1)) : 100}%`);
}

function drawCurve(svg, answer, sigma) {
  const sigmas = answer.curve_sigmas, most = sigmas.at(-1);
  const x = (s) => LEFT + (s / most) * (RIGHT - LEFT), y = (p) => BOTTOM - p * (BOTTOM - TOP);
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    parts.push(shape('line', { class: 'grid', x1: LEFT, x2: RIGHT, y1: y(share), y2: y(share) }));
    parts.push(text(`${share * 100} %`, { x: LEFT - 8, y: y(share) + 4, 'text-anchor': 'end' }));
  }
  for (let s = 0; s <= most + 1e-9; s += 0.1) parts.push(text(s ? s.toFixed(1) : 'σ 0', { x: x(s), y: BOTTOM + 20, 'text-anchor': 'middle' }));
  parts.push(shape('line', { class: 'now', x1: x(sigma), x2: x(sigma), y1: TOP, y2: BOTTOM }));
  const ends = spread(answer.models.map((model) => y(model.curve.at(-1))));
  answer.models.forEach((model, i) => {
    const points = model.curve.map((p, j) => `${x(sigmas[j]).toFixed(1)},${y(p).toFixed(1)}`).join(' ');
    const line = shape('polyline', { class: 'series', points });
    const label = text(model.sigma === null ? '' : `σ ${model.sigma}`, { class: 'series-name', x: RIGHT + 6, y: ends[i] + 4 });
    for (const node of [line, label]) colour(node, i, answer.models.length);
    parts.push(line, label);
  });
  svg.replaceChildren(...parts);
}

// Heights at least 15 apart, in the order they had, so that labels do not lie on one another.
function spread(heights) {
  const order = heights.map((_, i) => i).sort((a, b) => heights[b] - heights[a]), out = [];
  let ceiling = BOTTOM + 4;
  for (const i of order) { out[i] = Math.min(heights[i], ceiling); ceiling = out[i] - 15; }
  return out;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function text(content, attributes) {
  const made = shape('text', attributes);
  made.textContent = content;
  return made;
}
