// What the answer looks like: the label, the bars, the little pictures.

export const $ = (id) => document.getElementById(id);
export const percent = (share) => `${(share * 100).toFixed(share > 0.995 || share < 0.005 ? 1 : 0)} %`;

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
export function drawPixels(canvas, pixels, side) {
  const [paper, ink] = colours(canvas);
  paintPixels(canvas, side, (i) => mix(paper, ink, pixels[i] / 255));
}

// Shares −1 … 1: against the answer … for it; the digit itself stays faintly visible.
export function drawSaliency(canvas, shares, pixels, side) {
  const [paper, ink] = colours(canvas);
  const style = getComputedStyle(canvas);
  const good = rgb(style.getPropertyValue('--for')), bad = rgb(style.getPropertyValue('--against'));
  paintPixels(canvas, side, (i) => {
    const ground = mix(paper, ink, (pixels[i] / 255) * 0.18);
    return mix(ground, shares[i] > 0 ? good : bad, Math.sqrt(Math.abs(shares[i])));
  });
}

function paintPixels(canvas, side, colour) {
  canvas.width = canvas.height = side;
  const g = canvas.getContext('2d'), image = g.createImageData(side, side);
  for (let i = 0; i < side * side; i++) image.data.set([...colour(i), 255], 4 * i);
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
  const next = `next ${second} with ${percent(secondShare)}.${warned}`;
  if (answer.verdict === 'not sure') return [`${label}?`, 'Not sure', `${label} with ${percent(probability)}, ${next}`];
  return [String(label), `${percent(probability)}`, `Sure of a ${label}; ${next}`];
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
  drawSaliency($('saliency'), answer.saliency, answer.seen, answer.side);
  markCentre($('seen'), answer.centre, answer.side);
  $('centre').textContent = answer.centre ? `· centre of mass ${answer.centre.map((v) => v.toFixed(1)).join(', ')}` : '';
  $('versus').textContent = blank ? 'it' : `${answer.label} rather than ${answer.runner_up}`;
}

// A small cross, drawn finer than the pixels: the canvas is enlarged first.
function markCentre(canvas, centre, side) {
  if (!centre) return;
  const fine = 8, small = document.createElement('canvas');
  small.width = small.height = side;
  small.getContext('2d').drawImage(canvas, 0, 0);
  canvas.width = canvas.height = side * fine;
  const g = canvas.getContext('2d');
  g.imageSmoothingEnabled = false;
  g.drawImage(small, 0, 0, side * fine, side * fine);
  const [y, x] = centre.map((v) => v * fine);
  g.strokeStyle = getComputedStyle(canvas).getPropertyValue('--against');
  g.lineWidth = fine / 4;
  g.beginPath();
  g.moveTo(x - fine, y); g.lineTo(x + fine, y);
  g.moveTo(x, y - fine); g.lineTo(x, y + fine);
  g.stroke();
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
