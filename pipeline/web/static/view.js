// What the answer looks like: the label, the bars, the little pictures.

export const $ = (id) => document.getElementById(id);

// No answer is certain, and none impossible.
export function percent(share) {
  if (share > 0.999) return '> 99.9 %';
  return share < 0.001 ? '< 0.1 %' : `${(share * 100).toFixed(share > 0.99 || share < 0.01 ? 1 : 0)} %`;
}

// A share that was counted, and its 95 % interval.
export const counted = ({ value, low, high }) => `${(value * 100).toFixed(1)} % (${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)})`;

// The bytes in a base64 text: whole numbers 0 … 255, or −128 … 127.
export const bytes = (text, Kind = Uint8Array) => new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);

// A function that does `act` soon after it is called, one at a time, and once more when called meanwhile:
// answers keep coming during a long stroke, and the server never has a queue of old questions.
export function steady(pause, act) {
  let wanted = false, running = false;
  return async () => {
    wanted = true;
    if (running) return;
    running = true;
    while (wanted) {
      await new Promise((done) => setTimeout(done, pause));
      wanted = false;
      await act();
    }
    running = false;
  };
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// Pixels 0 (paper) … 255 (ink), in the page's own paper and ink.
export function drawPixels(canvas, pixels, side, height = side) {
  const [paper, ink] = colours(canvas);
  paintPixels(canvas, side, (i) => mix(paper, ink, pixels[i] / 255), height);
}

// Shares −1 … 1: against the answer … for it; the digit itself stays faintly visible.
export function drawSigned(canvas, shares, side, pixels = null) {
  const [paper, ink] = colours(canvas), [good, bad] = signColours(canvas);
  paintPixels(canvas, side, (i) => {
    const ground = pixels ? mix(paper, ink, (pixels[i] / 255) * 0.18) : paper;
    return mix(ground, shares[i] > 0 ? good : bad, Math.sqrt(Math.min(Math.abs(shares[i]), 1)));
  });
}

// Many little pictures of signed bytes in rows of `across`, as one canvas.
export function drawWall(canvas, values, side, across) {
  const count = values.length / (side * side), step = side + 1, down = Math.ceil(count / across);
  canvas.width = across * step - 1;
  canvas.height = down * step - 1;
  const g = canvas.getContext('2d'), image = g.createImageData(canvas.width, canvas.height);
  const [paper] = colours(canvas), [good, bad] = signColours(canvas);
  const shades = Array.from({ length: 255 }, (_, v) => mix(paper, v > 127 ? good : bad, Math.sqrt(Math.abs(v - 127) / 127)));
  for (let i = 0; i < values.length; i++) {
    const tile = Math.floor(i / (side * side)), at = i % (side * side);
    const x = (tile % across) * step + (at % side), y = Math.floor(tile / across) * step + Math.floor(at / side);
    image.data.set([...shades[values[i] + 127], 255], 4 * (y * canvas.width + x));
  }
  g.putImageData(image, 0, 0);
}

function signColours(canvas) {
  const style = getComputedStyle(canvas);
  return [rgb(style.getPropertyValue('--for')), rgb(style.getPropertyValue('--against'))];
}

export function picture(pixels, side, label, className = '') {
  const canvas = element('canvas', className);
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', label);
  canvas.later = () => drawPixels(canvas, pixels, side); // colours are known once it is on the page
  return canvas;
}

export function paint(root) {
  for (const canvas of root.querySelectorAll('canvas')) canvas.later?.();
}

function paintPixels(canvas, side, colour, height = side) {
  canvas.width = side;
  canvas.height = height;
  const g = canvas.getContext('2d'), image = g.createImageData(side, height);
  for (let i = 0; i < side * height; i++) image.data.set([...colour(i), 255], 4 * i);
  g.putImageData(image, 0, 0);
}

function colours(canvas) {
  const style = getComputedStyle(canvas);
  return [rgb(style.getPropertyValue('--paper')), rgb(style.getPropertyValue('--pen'))];
}

function rgb(hex) {
  const value = parseInt(hex.trim().slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);

export function makeBars(list, classes) {
  list.replaceChildren(...classes.map((name) => {
    const row = element('li'), track = element('span', 'track');
    track.append(element('span', 'fill'));
    row.append(element('span', 'name', name), track, element('span', 'share', '–'));
    return row;
  }));
}

export function showBars(list, probabilities) {
  const best = probabilities ? probabilities.indexOf(Math.max(...probabilities)) : -1;
  [...list.children].forEach((row, i) => {
    const share = probabilities ? probabilities[i] : 0;
    row.classList.toggle('best', i === best);
    row.querySelector('.fill').style.transform = `scaleX(${share})`;
    row.querySelector('.share').textContent = probabilities ? percent(share) : '–';
  });
}

// The answer in words: [label, headline, detail].
export function words(answer) {
  const { label, probability, runner_up: second, runner_up_probability: secondShare } = answer;
  const also = answer.warnings.filter((w) => w !== answer.verdict && w !== 'blank');
  const warned = also.length ? ` The drawing: ${also.join(', ')}.` : '';
  if (answer.verdict === 'blank') return ['', 'Blank', 'There is no ink that could be a digit.'];
  if (answer.verdict === 'several digits') {
    const row = (answer.digits ?? []).map((digit) => digit.label).join(' ');
    return [row || '…', 'Several digits', `Each read by itself, from left to right.${warned}`];
  }
  const next = secondShare < 0.001 ? `hardly anything else.${warned}` : `next ${second} with ${percent(secondShare)}.${warned}`;
  if (answer.verdict === 'not sure') return [`${label}?`, 'Not sure', `${label} with ${percent(probability)}, ${next}`];
  return [String(label), percent(probability), `Sure that it is ${label}; ${next}`];
}

export function showAnswer(answer) {
  const [label, headline, detail] = words(answer);
  $('label').textContent = label;
  $('label').classList.toggle('long', label.length > 2);
  $('verdict').textContent = headline;
  $('detail').textContent = detail;
  const blank = answer.verdict === 'blank';
  showBars($('bars'), blank || answer.verdict === 'several digits' ? null : answer.probabilities);
  drawPixels($('seen'), answer.seen, answer.side);
  drawSigned($('saliency'), answer.saliency, answer.side, answer.seen);
  $('versus').textContent = blank ? 'it' : `${answer.label}, not ${answer.runner_up}`;
}

// The ink box: rows and columns of the picture that was sent, which lies at `at` on the board.
export function showBox(box, size, at) {
  const frame = $('ink-box');
  frame.hidden = !box;
  if (!box) return;
  const [top, bottom, left, right] = box, [height, width] = size;
  const place = (value) => `${value * 100}%`;
  frame.style.top = place(at.y + (top / height) * at.h);
  frame.style.height = place(((bottom - top) / height) * at.h);
  frame.style.left = place(at.x + (left / width) * at.w);
  frame.style.width = place(((right - left) / width) * at.w);
}
