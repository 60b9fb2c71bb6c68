// Train before your eyes: settings, two trainings side by side as the server tells of them, a digit for both.

import { Board } from './board.js';
import { chart, colour } from './chart.js';
import { $, bytes, drawWall, element, paint, percent, picture, steady } from './view.js';

const NUMBERS = ['units', 'layers', 'shift', 'rows', 'epochs'];
const ACROSS = 8; // weight pictures in a row of the wall
const PAUSE = 120; // ms
const EXAMPLES = 6;

const share = (value) => `${(100 * value).toFixed(1)} %`;

export class Train {
  // ask(path, options) → JSON or null; json(method, value) → options; fault(sentence) shows it.
  constructor(ask, json, fault) {
    Object.assign(this, { ask, json, fault, id: null, source: null, begun: null, nets: [], ended: true });
    $('start').addEventListener('click', () => this.start());
    $('pause').addEventListener('click', () => this.#pause(!this.paused));
    $('step').addEventListener('click', () => { this.#pausedNow(true); this.#tell({ action: 'step' }); });
    $('keep').addEventListener('click', () => this.#keep());
    $('rate').addEventListener('input', () => this.#rate());
    for (const name of ['rows', 'units']) $(name).addEventListener('input', () => this.#values());
    this.later = steady(PAUSE, () => this.#both());
    window.addEventListener('pagehide', () => this.#leave());
    $('clear-both').addEventListener('click', () => this.board.clear());
    this.#values();
  }

  // What the server can train on, or null.
  rows(trains) {
    $('start').disabled = !trains;
    if (!trains) {
      $('train-data').textContent = 'There are no rows to train on: start the page with --data.';
      return;
    }
    const most = Math.max(100, trains.rows - Math.min(1000, Math.floor(trains.rows / 3)));
    $('rows').max = Math.log10(most);
    if ($('rows').value > Math.log10(most)) $('rows').value = Math.log10(most);
    $('train-data').textContent = `The data: ${trains.data}${trains.sample ? ', tiny pictures that come with scikit-learn; with Kaggle’s files in data/ it is those' : ''}.`;
    this.#values();
  }

  open() {
    this.board ??= new Board($('paper-both'), $('cursor-both'), () => { $('clear-both').disabled = this.board.blank; this.later(); });
    requestAnimationFrame(() => this.board.draw());
  }

  get #settings() {
    const values = Object.fromEntries(NUMBERS.map((name) => [name, Number($(name).value)]));
    const sigmas = [...new Set([Number($('sigma-a').value), Number($('sigma-b').value)])];
    return { ...values, rows: this.#rowCount, units: this.#unitCount, rate: this.#rateValue, optimizer: $('optimizer').value, sigmas };
  }

  get #rowCount() { return Math.max(100, Math.min(42000, Math.round(10 ** $('rows').value / 10) * 10)); }
  get #unitCount() { return Math.round(2 ** $('units').value); }
  get #rateValue() { return Number((10 ** $('rate').value).toPrecision(1)); }

  #values() {
    for (const [name, text] of [['rows', this.#rowCount.toLocaleString('en')], ['units', String(this.#unitCount)], ['rate', String(this.#rateValue)]]) {
      $(`${name}-value`).textContent = text;
      $(name).setAttribute('aria-valuetext', text);
    }
  }

  async start() {
    this.#leave();
    $('start').disabled = true;
    const made = await this.ask('/api/trainings', this.json('POST', this.#settings));
    $('start').disabled = false;
    if (!made) return;
    this.id = made.id;
    this.ended = false;
    $('fault').hidden = true;
    this.source = new EventSource(`/api/trainings/${made.id}/events`);
    this.source.onmessage = (event) => this.#happened(JSON.parse(event.data));
    this.source.onerror = () => { if (this.source?.readyState === EventSource.CLOSED) this.#over('The training has ended: start it again.'); };
    this.#pausedNow(false);
    $('trained').hidden = false;
    $('train-empty').hidden = true;
    $('start').textContent = 'Start again';
  }

  #happened(event) {
    if (event.kind === 'begin') this.#begin(event);
    else if (event.kind === 'wall') this.#wall(event);
    else if (event.kind === 'epoch') this.#epoch(event);
    else if (event.kind === 'fault') this.fault(event.message);
    else if (event.kind === 'done') this.#over('All epochs are done.');
  }

  #begin(begun) {
    this.begun = begun;
    this.nets = begun.sigmas.map((sigma, i) => this.#panel(sigma, i, begun.sigmas.length));
    $('nets').replaceChildren(...this.nets.map((net) => net.panel));
    $('train-told').textContent = `${begun.rows.toLocaleString('en')} rows, ${begun.parameters.toLocaleString('en')} parameters each; tested on ${begun.held.toLocaleString('en')} rows that neither learns from.`;
    this.#table();
    for (const id of ['pause', 'step', 'keep']) $(id).disabled = false;
    this.later();
  }

  #panel(sigma, place, count) {
    const panel = element('article', 'net'), title = element('h3', '', sigma ? `With noise σ ${sigma}` : 'Without noise');
    const told = element('p', 'told', 'First weights'), wall = element('canvas', 'wall');
    wall.setAttribute('role', 'img');
    wall.setAttribute('aria-label', 'The first hidden units’ weights');
    const grids = element('div', 'confusions'), turned = element('div', 'turned');
    colour(panel, place, count);
    panel.append(title, told, wall, grids, turned);
    return { panel, told, wall, grids, turned, sigma, place, count, epochs: [] };
  }

  #wall({ net, pixels, at }) {
    const { wall, told, epochs } = this.nets[net], values = bytes(pixels, Int8Array);
    wall.later = () => drawWall(wall, values, this.begun.side, ACROSS);
    wall.later();
    if (!epochs.length) told.textContent = at ? `Epoch 1, ${Math.round(at * 100)} %` : 'First weights';
  }

  #epoch(event) {
    const net = this.nets[event.net];
    net.epochs.push(event);
    net.told.textContent = `Epoch ${event.epoch}: ${share(event.accuracy[0])} right`;
    this.#table();
    this.#charts();
    const names = ['Clean', 'Under σ 0.3'];
    net.grids.replaceChildren(...event.confusion.map((matrix, i) => confusion(names[i], matrix, this.begun.classes)));
    net.turned.replaceChildren(...[['learnt', 'Just learnt'], ['forgotten', 'Just forgotten']].flatMap(([key, title]) => [element('h4', '', title), this.#examples(event[key] ?? [])]));
    paint(net.turned);
    this.later();
  }

  #examples(list) {
    const row = element('ul', 'digits');
    for (const { pixels, label, said } of list.slice(0, EXAMPLES)) {
      const item = element('li');
      item.append(picture(bytes(pixels), this.begun.side, `A ${label}`), element('span', '', said === label ? label : `${label}, read ${said}`));
      row.append(item);
    }
    if (!list.length) row.append(element('li', 'empty', 'none'));
    return row;
  }

  // The noise table, as the visitor makes it himself.
  #table() {
    const head = element('tr');
    head.append(element('th', '', 'Trained with'), ...this.begun.tests.map((s) => element('th', '', s ? `tested at σ ${s}` : 'tested clean')));
    for (const cell of head.children) cell.scope = 'col';
    $('noise-head').replaceChildren(head);
    $('noise-rows').replaceChildren(...this.nets.map(({ sigma, epochs }) => {
      const row = element('tr'), name = element('th', '', `σ ${sigma}`);
      name.scope = 'row';
      row.append(name, ...this.begun.tests.map((_, i) => element('td', '', epochs.length ? share(epochs.at(-1).accuracy[i]) : '–')));
      return row;
    }));
  }

  #charts() {
    const { tests } = this.begun, noisy = tests.indexOf(0.3);
    const last = Math.max(2, ...this.nets.map((net) => net.epochs.length)), step = Math.ceil(last / 6);
    const xs = [];
    for (let e = 1; e < last; e += step) xs.push([e, e === 1 ? 'epoch 1' : String(e)]);
    if (xs.length > 1 && last - xs.at(-1)[0] < step / 2) xs.pop();
    xs.push([last, String(last)]);
    const line = (net, read, name, dashed) => ({ name, dashed, place: net.place, count: net.count, points: net.epochs.map((e) => [e.epoch, read(e)]) });
    chart($('accuracy'), {
      series: this.nets.flatMap((net) => [line(net, (e) => e.accuracy[0], 'clean'), line(net, (e) => e.accuracy[noisy], 'noisy', true)]),
      xs, ys: [[0, '0 %'], [0.5, '50 %'], [1, '100 %']],
    });
    const most = Math.max(0.1, ...this.nets.flatMap((net) => net.epochs.map((e) => e.loss)));
    chart($('loss'), { series: this.nets.map((net) => line(net, (e) => e.loss, `σ ${net.sigma}`)), xs, ys: [[0, '0'], [most / 2, (most / 2).toFixed(2)], [most, most.toFixed(2)]] });
  }

  // The visitor's own digit, before both.
  async #both() {
    if (!this.id || !this.begun || !this.board || this.board.blank) {
      $('both').replaceChildren(element('li', 'empty', this.begun ? 'Draw a digit: both networks read it while they learn.' : 'Both networks will read it.'));
      return;
    }
    const body = this.board.toBlob();
    const said = await this.ask(`/api/trainings/${this.id}/ask`, { method: 'POST', headers: { 'Content-Type': body.type }, body });
    if (!said || !this.nets.length) return;
    $('both').replaceChildren(...said.probabilities.map((probabilities, i) => {
      const best = probabilities.indexOf(Math.max(...probabilities)), item = element('li');
      item.append(element('b', '', this.begun.classes[best]), ` ${percent(probabilities[best])} `, element('span', 'soft', this.nets[i].sigma ? `with noise σ ${this.nets[i].sigma}` : 'without noise'));
      return item;
    }));
  }

  #tell(command) { return this.ask(`/api/trainings/${this.id}`, this.json('POST', command)); }

  #pausedNow(paused) {
    this.paused = paused;
    $('pause').textContent = paused ? 'Go on' : 'Pause';
  }

  async #pause(paused) {
    this.#pausedNow(paused);
    await this.#tell({ action: paused ? 'pause' : 'resume' });
  }

  #rate() {
    this.#values();
    if (this.id && !this.ended) this.#tell({ action: 'rate', rate: this.#rateValue });
  }

  async #keep() {
    $('keep').disabled = true;
    const kept = await this.#tell({ action: 'keep' });
    $('keep').disabled = false;
    if (kept) $('train-told').textContent = `Kept as a run; read pictures with: predict --model runs/${kept.run} picture.png`;
  }

  #over(sentence) {
    this.ended = true;
    $('pause').disabled = $('step').disabled = true;
    $('train-told').textContent = sentence;
    if (sentence.includes('again')) { this.source?.close(); $('keep').disabled = true; this.id = null; }
  }

  #leave() {
    this.source?.close();
    if (this.id) navigator.sendBeacon(`/api/trainings/${this.id}`, new Blob([JSON.stringify({ action: 'stop' })], { type: 'application/json' }));
    this.id = this.begun = null;
  }
}

function confusion(name, matrix, classes) {
  const figure = element('figure'), table = element('table', 'confusion');
  table.append(element('caption', '', `${name}: true ↓ read →`));
  const head = element('tr');
  head.append(element('td'), ...classes.map((c) => { const cell = element('th', '', c); cell.scope = 'col'; return cell; }));
  table.append(head, ...matrix.map((row, i) => {
    const line = element('tr'), title = element('th', '', classes[i]), sum = row.reduce((a, b) => a + b, 0) || 1;
    title.scope = 'row';
    line.append(title, ...row.map((count, j) => {
      const cell = element('td', i === j ? 'right' : 'wrong', count || '');
      cell.style.setProperty('--share', count / sum);
      return cell;
    }));
    return line;
  }));
  figure.append(table);
  return figure;
}
