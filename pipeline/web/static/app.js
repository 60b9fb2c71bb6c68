// The page: tools, questions to the API, and what becomes of the answers.

import { Board } from './board.js';
import { Inside } from './inside.js';
import { Lab } from './lab.js';
import { decode, encodePixels, encodeStrokes } from './link.js';
import { Train } from './train.js';
import { $, counted, element, makeBars, paint, picture, showAnswer, showBars, showBox, steady, words } from './view.js';

const PAUSE = 40; // ms after a change before the network is asked
const SPEAK = 700; // ms of quiet before the result is spoken
const AGAIN = 2000; // ms until a server that did not answer is tried again
const MOST_KEPT = 12; // drawings of this visit
const EXAMPLE_NOISE = 0.3;
const SILENT = 'The server does not answer: is `serve` still running? It is asked again until it does.';

const board = new Board($('paper'), $('cursor'), () => changed());
const latest = { predict: 0, lab: 0, inside: 0 };
let answer = null, models = null, speaker = 0, waiting = 0;
const predictSoon = steady(PAUSE, predict);

// The visitor's own name, made up here: on a server that others use too, corrections are told apart by it.
const visitor = (localStorage.visitor ??= crypto.getRandomValues(new Uint32Array(4)).join('-'));

// JSON from the API; null where a newer question of the same kind has been asked since.
async function ask(kind, path, options = {}) {
  const number = kind ? ++latest[kind] : 0;
  try {
    const response = await fetch(path, { ...options, headers: { ...options.headers, Visitor: visitor } });
    const value = await response.json();
    if (kind && number !== latest[kind]) return null;
    if (!response.ok) throw new Error(value.error);
    if (!waiting && asked) $('fault').hidden = true;
    return value;
  } catch (error) {
    if (kind && number !== latest[kind]) return null;
    const silent = error instanceof TypeError || error instanceof SyntaxError;
    fault(silent ? SILENT : error.message, true);
    if (silent) waiting ||= setTimeout(tryAgain, AGAIN);
    return null;
  }
}

async function tryAgain() {
  waiting = 0;
  try {
    await fetch('/healthz');
  } catch {
    waiting = setTimeout(tryAgain, AGAIN);
    return;
  }
  $('fault').hidden = true;
  if (models) predictSoon();
  else start();
}

let asked = false; // whether the sentence that is shown tells of a request: the next one that succeeds takes it away

function fault(sentence, ofRequest = false) {
  asked = ofRequest;
  $('fault').textContent = sentence;
  $('fault').hidden = false;
}

const json = (method, value) => ({ method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) });
const lab = new Lab((values) => ask('lab', '/api/lab', json('POST', values)), () => remember());
const inside = new Inside((values) => ask('inside', '/api/inside', json('POST', values)));
const train = new Train((path, options) => ask(null, path, options), json, fault);

function changed() {
  $('undo').disabled = !board.canUndo;
  $('redo').disabled = !board.canRedo;
  $('clear').disabled = $('save').disabled = $('eraser').disabled = board.blank;
  $('hint').hidden = !board.blank && !board.isExample;
  $('hint').classList.toggle('over-example', board.isExample);
  if (!asked) $('fault').hidden = true;
  if (board.blank) choosePen(false); // or the next drawing would be invisible
  predictSoon();
}

// What the network is asked about: a picture file or a training picture as it is, else the drawing.
function question() {
  const given = board.given;
  if (given?.pixels) return { body: JSON.stringify(given.pixels), type: 'application/json' };
  const body = given ? given.file : board.toBlob();
  return { body, type: body.type || 'application/octet-stream' };
}

async function predict() {
  if (!models) return;
  if (board.blank) return showNothing();
  const given = board.given, { body, type } = question();
  const query = new URLSearchParams({ explain: true, split: true, model: $('model').value });
  const got = await ask('predict', `/api/predict?${query}`, { method: 'POST', headers: { 'Content-Type': type }, body });
  if (!got || board.blank) return;
  answer = got;
  showAnswer(answer);
  showBox(answer.box, answer.size, Board.placeOf(given?.bitmap));
  const digit = answer.verdict === 'sure' || answer.verdict === 'not sure';
  setCorrectable(digit);
  lab.show(answer.verdict === 'blank' ? null : answer.seen, answer.label);
  inside.show(digit ? { image: answer.seen, label: answer.label, model: $('model').value } : null);
  remember();
  speakSoon();
}

function showNothing() {
  for (const kind of Object.keys(latest)) latest[kind]++;
  answer = null;
  $('label').textContent = '';
  $('verdict').textContent = 'Nothing drawn yet';
  $('detail').textContent = 'The network answers while you draw.';
  $('versus').textContent = 'it';
  showBars($('bars'), null);
  showBox(null);
  for (const id of ['seen', 'saliency']) $(id).getContext('2d').clearRect(0, 0, $(id).width, $(id).height);
  setCorrectable(false);
  lab.show(null);
  inside.show(null);
  remember();
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
  keepDrawing();
  try {
    await board.place(file);
  } catch {
    fault(`${file.name || 'That'} is not a picture that this browser can show: choose a PNG, JPEG, GIF, BMP or WebP file.`);
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
  const link = element('a'), file = board.given?.file;
  link.href = URL.createObjectURL(file ?? await board.toPng());
  link.download = file ? file.name : 'digit.png';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function clear() {
  keepDrawing();
  board.clear();
}

// Drawings: what is on the board as a text, this visit's earlier ones, an address for this one

function state() {
  if (board.blank || board.isExample) return '';
  const strokes = board.strokes;
  const drawing = strokes ? encodeStrokes(strokes) : answer ? encodePixels(answer.seen) : '';
  return String(new URLSearchParams({ ...(drawing && { d: drawing }), ...lab.values }));
}

// A reload finds the drawing again; another visitor, another tab, does not.
function remember() {
  if (models) sessionStorage.drawing = state();
}

function restore(text) {
  const values = new URLSearchParams(text), drawing = decode(values.get('d') ?? '');
  if (!drawing) return false;
  if (drawing.pixels) {
    if (drawing.pixels.length !== models.side ** 2) return false;
    board.placePixels(drawing.pixels, models.side);
  } else board.placeStrokes(drawing.strokes);
  lab.set(Object.fromEntries([...values].filter(([name]) => name in lab.values).map(([name, value]) => [name, Number(value) || 0])));
  return true;
}

function drawings() {
  try {
    return JSON.parse(sessionStorage.drawings ?? '[]');
  } catch {
    return [];
  }
}

function keepDrawing() {
  const text = state();
  if (!answer || !text.includes('d=')) return;
  const before = drawings().filter((each) => each.text !== text);
  sessionStorage.drawings = JSON.stringify([{ text, label: String(answer.label), pixels: answer.seen }, ...before].slice(0, MOST_KEPT));
  showDrawings();
}

function showDrawings() {
  const earlier = drawings().filter((each) => each.pixels?.length === models.side ** 2);
  $('visit').hidden = !earlier.length;
  $('drawings').replaceChildren(...earlier.map((each) => thumbnail(each.pixels, `Your drawing, read as ${each.label}`, () => { keepDrawing(); restore(each.text); })));
  paint($('drawings'));
}

function thumbnail(pixels, name, act) {
  const item = element('li'), button = element('button', 'thumbnail');
  button.type = 'button';
  button.setAttribute('aria-label', name);
  button.append(picture(pixels, models.side, ''));
  button.firstChild.setAttribute('role', 'presentation');
  button.addEventListener('click', act);
  item.append(button);
  return item;
}

function showExamples() {
  $('examples').parentElement.hidden = !models.examples.length;
  $('examples').replaceChildren(...models.examples.map((each) => thumbnail(each.pixels, `Example: ${each.label}`, () => { keepDrawing(); board.placePixels(each.pixels, models.side, true); })));
  paint($('examples'));
}

async function copyLink() {
  const address = `${location.origin}${location.pathname}#${board.isExample ? new URLSearchParams({ d: encodePixels(board.given.pixels), ...lab.values }) : state()}`;
  history.replaceState(null, '', address);
  try {
    await navigator.clipboard.writeText(address);
    $('link-told').textContent = 'Copied: the address holds the drawing and the sliders.';
  } catch {
    $('link-told').textContent = 'The address above holds the drawing and the sliders now.';
  }
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
  await showKept(`Kept as ${label}. `);
}

async function showKept(before = '') {
  const found = await ask(null, '/api/corrections');
  if (!found) return;
  const kept = found.count;
  $('kept').textContent = before + (kept ? `${kept === 1 ? '1 picture' : `${kept} pictures`} kept on this machine.` : '');
  $('kept-actions').hidden = $('scores').hidden = !kept;
  $('forget').textContent = 'Delete all';
  $('scores-note').textContent = found.note;
  $('latest').replaceChildren(...found.latest.map((each) => {
    const item = element('li'), button = element('button', 'plain', 'Delete');
    button.type = 'button';
    button.setAttribute('aria-label', `Delete this ${each.label}`);
    button.addEventListener('click', async () => {
      if (await ask(null, `/api/corrections/${each.id}`, { method: 'DELETE' })) await showKept('Deleted 1. ');
    });
    item.append(picture(each.pixels, models.side, `Kept as ${each.label}`), element('span', '', each.label), button);
    return item;
  }));
  paint($('latest'));
  const names = Object.fromEntries([...$('model').options].map((option) => [option.value, option.textContent]));
  $('scores-rows').replaceChildren(...(kept ? found.models : []).map((m) => {
    const row = element('tr'), name = element('th', '', names[m.model]);
    name.scope = 'row';
    row.append(name, element('td', '', `${m.right} of ${kept}`), element('td', '', `${Math.round(m.low * 100)} to ${Math.round(m.high * 100)} %`));
    return row;
  }));
}

// Asked twice, because it cannot be undone.
async function forget() {
  if (!$('forget').textContent.startsWith('Really')) {
    $('forget').textContent = 'Really delete all? Click once more';
    return;
  }
  const done = await ask(null, '/api/corrections', { method: 'DELETE' });
  if (done) await showKept(`Deleted ${done.deleted}. `);
}

async function exportKept() {
  const response = await fetch('/api/corrections.csv', { headers: { Visitor: visitor } }), link = element('a');
  link.href = URL.createObjectURL(await response.blob());
  link.download = 'corrections.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Tools and keys

const keys = {
  b: () => choosePen(false),
  e: () => choosePen(!board.blank),
  '[': () => resize(-1),
  ']': () => resize(1),
  Delete: () => clear(),
  o: () => $('file').click(),
};
const controlKeys = { z: (event) => (event.shiftKey ? board.redo() : board.undo()), y: () => board.redo() };

document.addEventListener('keydown', (event) => {
  if ($('view-draw').hidden || event.altKey || event.target.matches('select, input')) return;
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
$('clear').addEventListener('click', clear);
$('save').addEventListener('click', save);
$('link').addEventListener('click', copyLink);
$('forget').addEventListener('click', forget);
$('forget').addEventListener('blur', () => { $('forget').textContent = 'Delete all'; });
$('export').addEventListener('click', exportKept);
$('model').addEventListener('change', () => { showWho(); predictSoon(); });
$('file').addEventListener('change', (event) => { place(event.target.files[0]); event.target.value = ''; });

document.addEventListener('paste', (event) => place([...event.clipboardData.files].find((f) => f.type.startsWith('image/'))));
document.addEventListener('dragover', (event) => { event.preventDefault(); $('board').classList.add('over'); });
document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) $('board').classList.remove('over'); });
document.addEventListener('drop', (event) => {
  event.preventDefault();
  $('board').classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) place(file);
  else fault('That was no picture file, perhaps the address of one: save the picture, then drop the file, or copy the picture and paste it.');
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  paint(document);
  if (answer) { showAnswer(answer); predictSoon(); }
});

// Which network answers

const named = (m) => (m.sigma === null ? m.name : `σ ${m.sigma}${models.levels.includes(m.name) ? '' : ', all rows'}`);

function showWho() {
  const m = models.models.find((each) => each.name === $('model').value);
  const who = [m.networks > 1 ? `${m.networks} networks together` : 'One network', m.recipe && `recipe ${m.recipe}`, m.sigma !== null && `noise σ ${m.sigma}`, m.data && `trained on ${m.data === 'digit-recognizer' ? 'Kaggle’s Digit Recognizer' : m.data}`];
  const accuracy = m.accuracy ? `networks so trained read ${counted(m.accuracy)} of ${m.accuracy.rows.toLocaleString('en')} unseen rows` : 'no run says how accurate';
  $('who').textContent = `Who answers: ${who.filter(Boolean).join(', ')}; ${accuracy}.`;
  $('sample').hidden = !m.sample;
}

// The two views

function showView() {
  const training = location.hash === '#train';
  $('view-train').hidden = !training;
  $('view-draw').hidden = training;
  for (const [id, current] of [['tab-draw', !training], ['tab-train', training]]) {
    if (current) $(id).setAttribute('aria-current', 'page');
    else $(id).removeAttribute('aria-current');
  }
  if (training) train.open();
}

window.addEventListener('hashchange', () => {
  showView();
  if (models && location.hash.startsWith('#d=')) { keepDrawing(); restore(location.hash.slice(1)); }
});

async function start() {
  resize(0);
  showView();
  models = await ask(null, '/api/models');
  if (!models) return;
  lab.side = models.side;
  $('model').replaceChildren(...models.models.map((m) => {
    const option = element('option', '', named(m));
    option.value = m.name;
    option.selected = m.name === models.default;
    return option;
  }));
  $('model').disabled = models.models.length < 2;
  showWho();
  makeBars($('bars'), models.classes);
  $('classes').replaceChildren(...models.classes.map((name) => {
    const button = element('button', '', name);
    button.type = 'button';
    button.addEventListener('click', () => correct(name));
    return button;
  }));
  showExamples();
  showDrawings();
  train.rows(models.trains);
  if (!restore(location.hash.slice(1)) && !restore(sessionStorage.drawing ?? '')) begin();
  await showKept();
}

// An example that shows what noise does, to begin with.
function begin() {
  const example = models.examples[Math.min(5, models.examples.length - 1)];
  if (!example) return showNothing();
  lab.set({ sigma: EXAMPLE_NOISE });
  board.placePixels(example.pixels, models.side, true);
}

start();
