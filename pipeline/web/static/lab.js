// The lab: sliders, a card for each network, and the curve of confidence against noise.

import { chart, colour } from './chart.js';
import { $, drawPixels, element, percent, steady } from './view.js';

const SLIDERS = ['sigma', 'epsilon', 'rotation', 'right', 'down'];
const PAUSE = 60; // ms

export class Lab {
  // ask(values) → the API's answer, or null where a newer question has been asked. onChange: a slider was moved.
  constructor(ask, onChange) {
    this.ask = ask;
    this.onChange = onChange;
    this.seen = null;
    this.side = 28;
    this.later = steady(PAUSE, () => this.#now());
    for (const name of SLIDERS) $(name).addEventListener('input', () => this.#moved());
    $('reset').addEventListener('click', () => this.set({}));
    this.#values();
  }

  get values() { return Object.fromEntries(SLIDERS.map((name) => [name, Number($(name).value)])); }

  // Sliders that are not named go to 0.
  set(values) {
    for (const name of SLIDERS) $(name).value = values[name] ?? 0;
    this.#moved();
  }

  // A new digit: pixels as the network saw them, or null for none; and what it really shows.
  show(pixels, label) {
    this.seen = pixels;
    this.label = label;
    if (pixels) this.later();
    else this.#forget();
  }

  #moved() {
    this.#values();
    this.later();
    this.onChange();
  }

  #values() {
    // The API counts shifts in pixels of 28; what is told are pixels of this network's own pictures.
    const shift = (v) => `${((v * this.side) / 28).toFixed(this.side === 28 ? 1 : 2).replace(/\.?0+$/, '')} px`;
    const told = { sigma: String, epsilon: String, rotation: (v) => `${v}°`, right: shift, down: shift };
    for (const name of SLIDERS) {
      const text = told[name](Number($(name).value)).replace('-', '−');
      $(`${name}-value`).textContent = text;
      $(name).setAttribute('aria-valuetext', text);
    }
  }

  async #now() {
    if (!this.seen) return;
    const answer = await this.ask({ image: this.seen, label: this.label, ...this.values });
    if (answer && this.seen) this.#draw(answer);
  }

  #forget() {
    $('networks').replaceChildren(element('p', 'empty', 'Draw a digit, or choose an example.'));
    $('curve').parentElement.hidden = true;
  }

  #draw(answer) {
    const { sigma, epsilon } = this.values, count = answer.models.length;
    $('lab-text').textContent = count > 1 ? 'Make the digit harder to read. The networks differ only in the noise σ that they were trained with.' : 'Make the digit harder to read.';
    const cards = answer.models.map((model, i) => {
      const card = element('article', 'card');
      const right = model.label === answer.label;
      card.classList.toggle('wrong', !right);
      colour(card, i, count);
      const picture = element('canvas');
      picture.setAttribute('role', 'img');
      picture.setAttribute('aria-label', `What the network ${nameOf(model)} was shown`);
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
    const sigmas = answer.curve_sigmas;
    chart($('curve'), {
      series: answer.models.map((model, i) => ({ name: model.sigma === null ? '' : `σ ${model.sigma}`, points: model.curve.map((p, j) => [sigmas[j], p]), place: i, count })),
      xs: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6].map((s) => [s, s ? String(s) : 'σ 0']),
      ys: [[0, '0 %'], [0.5, '50 %'], [1, '100 %']],
      at: sigma,
      height: 180,
    });
    const attacked = epsilon ? `, attacked with ε ${epsilon}` : '';
    $('curve-title').textContent = `Probability of ${answer.label} as noise grows${attacked}, for each network`;
  }
}

const nameOf = (model) => (model.sigma === null ? model.model : `σ\u00a0${model.sigma}`);
