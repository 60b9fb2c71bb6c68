// The page: tools, questions to the API, and what becomes of the answers.

import { Board } from './board.js';
import { Lab } from './lab.js';
import { $, element, makeBars, percent, showAnswer, showBars, showBox, steady, words } from './view.js';

const PAUSE = 40; // ms after a change before the network is asked
const SPEAK = 700; // ms of quiet before the result is spoken

const board = new Board($('paper'), $('cursor'), () => changed());
const latest = { predict: 0, lab: 0 };
let answer = null, speaker = 0;
const predictSoon = steady(PAUSE, predict);

// JSON from the API; null where a newer question of the same kind has been asked since.
async function ask(kind, path, options) {
  const number = kind ? ++latest[kind] : 0;
  try {
    const response = await fetch(path, options);
    const value = await response.json();
    if (kind && number !== latest[kind]) return null;
    if (!response.ok) throw new Error(value.error);
    $('fault').hidden = true;
    return value;
  } catch (error) {
    if (kind && number !== latest[kind]) return null;
    $('fault').textContent = error instanceof TypeError || error instanceof SyntaxError ? 'The server does not answer: is `python main.py serve` still running?' : error.message;
    $('fault').hidden = false;
    return null;
  }
}

const json = (method, value) => ({ method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });
const lab = new Lab((values) => ask('lab', '/api/lab', json('POST', values)));

function changed() {
  $('undo').disabled = !board.canUndo;
  $('redo').disabled = !board.canRedo;
  $('clear').disabled = $('save').disabled = board.blank;
  $('hint').hidden = !board.blank;
  predictSoon();
}

async function predict() {
  if (board.blank) return showNothing();
  const file = board.file;
  const body = file ? file.file : await board.toBlob();
  const query = new URLSearchParams({ explain: true, split: true, model: $('model').value });
  const got = await ask('predict', `/api/predict?${query}`, { method: 'POST', headers: { 'Content-Type': body.type || 'application/octet-stream' }, body });
  if (!got || board.blank) return;
  answer = got;
  showAnswer(answer);
  showBox(answer.box, answer.size, file ? Board.placeOf(file.bitmap) : { x: 0, y: 0, w: 1, h: 1 });
  setCorrectable(answer.verdict !== 'blank');
  lab.show(answer.verdict === 'blank' ? null : answer.seen, answer.label);
  speakSoon();
}

function showNothing() {
  latest.predict++;
  answer = null;
  $('label').textContent = '';
  $('verdict').textContent = 'Nothing drawn yet';
  $('detail').textContent = 'The network answers while you draw.';
  $('centre').textContent = '';
  $('versus').textContent = 'it';
  showBars($('bars'), null);
  showBox(null);
  for (const id of ['seen', 'saliency']) $(id).getContext('2d').clearRect(0, 0, $(id).width, $(id).height);
  setCorrectable(false);
  lab.show(null);
  clearTimeout(speaker);
}

function speakSoon() {
  clearTimeout(speaker);
  speaker = setTimeout(() => {
    if (!answer) return;
    const [label, headline, detail] = words(answer);
    const text = answer.verdict === 'sure' ? `${label}, ${headline}` : `${headline}. ${detail}`;
    if ($('spoken').textContent !== text) $('spoken').textContent = text;
  }, SPEAK);
}

async function place(file) {
  if (!file) return;
  try {
    await board.place(file);
  } catch {
    $('fault').textContent = `${file.name || 'That'} is not a picture that this browser can show: choose a PNG, JPEG, GIF, BMP or WebP file.`;
    $('fault').hidden = false;
  }
}

function choosePen(erasing) {
  board.erasing = erasing;
  $('brush').setAttribute('aria-pressed', String(!erasing));
  $('eraser').setAttribute('aria-pressed', String(erasing));
}

function resize(step) {
  $('size').value = Number($('size').value) + step;
  board.width = $('size').value / 100;
}

async function save() {
  const link = element('a');
  link.href = URL.createObjectURL(board.file ? board.file.file : await board.toBlob());
  link.download = board.file ? board.file.file.name : 'digit.png';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Corrections

function setCorrectable(can) {
  for (const button of $('classes').children) button.disabled = !can;
}

async function correct(label) {
  if (!answer) return;
  const done = await ask(null, '/api/corrections', json('POST', { image: answer.seen, label, answered: answer.label }));
  if (!done) return;
  lab.show(answer?.seen ?? null, label);
  await showKept(`Kept as a ${label}. `);
}

async function showKept(before = '') {
  const found = await ask(null, '/api/corrections');
  if (!found) return;
  const kept = found.count;
  $('kept').textContent = before + (kept ? `${kept === 1 ? '1 picture' : `${kept} pictures`} on this machine.` : '');
  $('kept-actions').hidden = $('scores').hidden = !kept;
  $('scores-note').textContent = found.note;
  const names = Object.fromEntries([...$('model').options].map((option) => [option.value, option.textContent]));
  $('scores-rows').replaceChildren(...(kept ? found.models : []).map((m) => {
    const row = element('tr'), name = element('th', '', names[m.model]);
    name.scope = 'row';
    row.append(name, element('td', '', `${m.right} of ${kept}`), element('td', '', `${percent(m.low)} to ${percent(m.high)}`));
    return row;
  }));
}

async function forget() {
  const done = await ask(null, '/api/corrections', { method: 'DELETE' });
  if (done) await showKept(`Deleted ${done.deleted}. `);
}

// Tools and keys

const keys = {
  b: () => choosePen(false),
  e: () => choosePen(true),
  '[': () => resize(-1),
  ']': () => resize(1),
  Delete: () => board.clear(),
  o: () => $('file').click(),
};
const controlKeys = { z: (event) => (event.shiftKey ? board.redo() : board.undo()), y: () => board.redo() };

document.addEventListener('keydown', (event) => {
  if (event.altKey || event.target.matches('select, input:not([type=range])')) return;
  const control = event.ctrlKey || event.metaKey;
  const act = (control ? controlKeys : keys)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act(event);
});

$('brush').addEventListener('click', () => choosePen(false));
$('eraser').addEventListener('click', () => choosePen(true));
$('size').addEventListener('input', () => resize(0));
$('undo').addEventListener('click', () => board.undo());
$('redo').addEventListener('click', () => board.redo());
$('clear').addEventListener('click', () => board.clear());
$('save').addEventListener('click', save);
$('forget').addEventListener('click', forget);
$('model').addEventListener('change', predictSoon);
$('file').addEventListener('change', (event) => { place(event.target.files[0]); event.target.value = ''; });

document.addEventListener('paste', (event) => place([...event.clipboardData.files].find((f) => f.type.startsWith('image/'))));
document.addEventListener('dragover', (event) => { event.preventDefault(); $('board').classList.add('over'); });
document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) $('board').classList.remove('over'); });
document.addEventListener('drop', (event) => {
  event.preventDefault();
  $('board').classList.remove('over');
  place(event.dataTransfer.files[0]);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (answer) { showAnswer(answer); predictSoon(); } });

async function start() {
  resize(0);
  const models = await ask(null, '/api/models');
  if (!models) return;
  const named = (m) => (m.sigma === null ? m.name : `σ ${m.sigma}${models.levels.includes(m.name) ? '' : ', all rows'}`);
  $('model').replaceChildren(...models.models.map((m) => {
    const option = element('option', '', named(m));
    option.value = m.name;
    option.selected = m.name === models.default;
    return option;
  }));
  $('model').dataset.default = models.levels.includes(models.default) ? '' : models.default;
  makeBars($('bars'), models.classes);
  $('classes').replaceChildren(...models.classes.map((name) => {
    const button = element('button', '', name);
    button.type = 'button';
    button.addEventListener('click', () => correct(name));
    return button;
  }));
  showNothing();
  await showKept();
}

start();
