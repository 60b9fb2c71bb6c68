// See inside: the hidden units that spoke for the answer and against it, feature maps, the nearest training pictures.

import { $, bytes, drawPixels, drawSigned, element, paint, picture, steady } from './view.js';

const PAUSE = 250; // ms: it changes less often than the answer
const signed = (value) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;

export class Inside {
  // ask(values) → the API's answer, or null where a newer question has been asked.
  constructor(ask) {
    this.ask = ask;
    this.question = null;
    this.later = steady(PAUSE, () => this.#now());
  }

  // question: { image, label, model }, or null for a blank board.
  show(question) {
    this.question = question;
    $('inside').hidden = !question;
    if (question) this.later();
  }

  async #now() {
    if (!this.question) return;
    const answer = await this.ask(this.question);
    if (answer && this.question) this.#draw(answer);
  }

  #draw(answer) {
    const { side } = answer;
    const units = [...answer.for, ...answer.against];
    const largest = Math.max(1e-9, ...units.flatMap((unit) => unit.ink.map(Math.abs)));
    for (const [id, list] of [['units-for', answer.for], ['units-against', answer.against]]) {
      $(id).replaceChildren(...list.map((unit) => this.#unit(unit, side, largest)));
      if (!list.length) $(id).append(element('li', 'empty', 'none'));
    }
    const sum = (list) => list.reduce((total, unit) => total + unit.contribution, 0);
    const parts = [[`these ${answer.for.length} for`, sum(answer.for)], [`these ${answer.against.length} against`, sum(answer.against)], [`the other ${answer.hidden - units.length} units`, answer.rest], ['bias', answer.bias]];
    $('sum').replaceChildren(...parts.flatMap(([name, value]) => [element('b', value < 0 ? 'against' : 'for', signed(value)), ` ${name} `]), `= ${signed(answer.logit)}, the score (logit) of ${answer.label}`);
    const which = answer.networks > 1 ? ` Of the ${answer.networks} networks that answer together, this is the first.` : '';
    $('inside-note').textContent = `Each picture is a hidden unit's weights times your drawing. Click a unit to see which training digits excite it most.${which}`;
    $('excited').hidden = true;
    this.#maps(answer.maps);
    $('near').hidden = !answer.nearest.length;
    $('nearest').replaceChildren(...answer.nearest.map((near) => labelled(near, side)));
    paint($('inside'));
  }

  #unit(unit, side, largest) {
    const item = element('li'), button = element('button', 'unit'), canvas = element('canvas');
    button.type = 'button';
    button.setAttribute('aria-expanded', 'false');
    button.setAttribute('aria-label', `Unit ${unit.unit}: ${signed(unit.contribution)}`);
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `Weights of unit ${unit.unit} times the drawing`);
    canvas.later = () => drawSigned(canvas, unit.ink.map((v) => v / largest), side);
    button.append(canvas, element('span', unit.contribution < 0 ? 'against' : 'for', signed(unit.contribution)));
    button.disabled = !unit.excited_by.length;
    button.addEventListener('click', () => {
      const open = button.getAttribute('aria-expanded') === 'true';
      for (const other of $('inside').querySelectorAll('.unit')) other.setAttribute('aria-expanded', 'false');
      button.setAttribute('aria-expanded', String(!open));
      $('excited').hidden = open;
      $('excited-title').textContent = `Training digits that excite unit ${unit.unit} most`;
      $('exciting').replaceChildren(...unit.excited_by.map((each) => labelled(each, side)));
      paint($('exciting'));
    });
    item.append(button);
    return item;
  }

  #maps(layers) {
    $('maps').hidden = !layers.length;
    $('maps').replaceChildren(...layers.map(({ layer, height, width, pixels }) => {
      const figure = element('figure'), row = element('div', 'row');
      row.append(...pixels.map((values, i) => {
        const canvas = element('canvas');
        canvas.setAttribute('role', 'img');
        canvas.setAttribute('aria-label', `Feature map ${i + 1} of ${layer}`);
        canvas.later = () => drawPixels(canvas, values, width, height);
        return canvas;
      }));
      figure.append(element('figcaption', '', `What ${layer} makes of it`), row);
      return figure;
    }));
  }
}

function labelled({ label, pixels }, side) {
  const item = element('li');
  item.append(picture(bytes(pixels), side, `A ${label}`), element('span', '', label));
  return item;
}
