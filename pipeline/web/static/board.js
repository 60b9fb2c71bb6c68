// The drawing board: strokes and pictures as a list, drawn again at whatever size the screen has.
// Places and widths are shares of the board's side, so a drawing looks the same on every screen.

const SENT_SIDE = 168; // pixels of the picture that the network is asked about; a multiple of 4
const PALM = 70; // a touch wider than this, in CSS pixels, is no fingertip
const AFTER_PEN = 800; // ms in which touches after a pen are the hand that holds it
const STEP = 0.04, SMALL_STEP = 0.01; // of the pen that the arrow keys move

export class Board {
  constructor(canvas, cursor, onChange) {
    this.canvas = canvas;
    this.cursor = cursor;
    this.onChange = onChange;
    this.items = [];
    this.undone = [];
    this.width = 0.07;
    this.erasing = false;
    this.stroke = null; // being drawn
    this.pointer = null; // its pointer's id
    this.lastPen = -Infinity;
    this.pen = { x: 0.5, y: 0.5, down: false };
    canvas.addEventListener('pointerdown', (e) => this.#down(e));
    canvas.addEventListener('pointermove', (e) => this.#move(e));
    canvas.addEventListener('pointerup', (e) => this.#up(e, true));
    canvas.addEventListener('pointercancel', (e) => this.#up(e, false));
    canvas.addEventListener('lostpointercapture', (e) => this.#up(e, true));
    canvas.addEventListener('contextmenu', (e) => e.preventDefault());
    canvas.addEventListener('keydown', (e) => this.#key(e));
    canvas.addEventListener('blur', () => { this.#lift(); delete canvas.dataset.pointer; });
    canvas.addEventListener('focus', () => this.#showCursor());
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    this.#watchResolution();
  }

  // A window moved to another screen keeps its size, but not the number of its pixels.
  #watchResolution() {
    const now = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    now.addEventListener('change', () => { this.draw(); this.#watchResolution(); }, { once: true });
  }

  get canUndo() { return this.items.length > 0; }
  get canRedo() { return this.undone.length > 0; }

  // The picture file, or the pixels, that lie on the board untouched, if that is all there is.
  get given() {
    const last = this.items.at(-1);
    return (last?.file || last?.pixels) && !this.stroke ? last : null;
  }

  get isExample() { return Boolean(this.given?.example); }

  get blank() {
    const last = this.items.at(-1);
    return !this.stroke && (!last || (last.clear && !last.bitmap && !last.pixels));
  }

  // What is on the board: all since it was last cleared.
  get #shown() { return this.items.slice(Math.max(this.items.findLastIndex((item) => item.clear), 0)); }

  // Its strokes, or null where a picture lies below them.
  get strokes() { return this.#shown.some((item) => item.bitmap || item.pixels) ? null : this.#shown.filter((item) => item.points); }

  undo() { if (this.canUndo) { this.undone.push(this.items.pop()); this.#changed(); } }
  redo() { if (this.canRedo) { this.items.push(this.undone.pop()); this.#changed(); } }
  clear() { if (!this.blank) this.#add({ clear: true }); }

  // A picture file replaces what was drawn; undo brings that back.
  async place(file) {
    const bitmap = await createImageBitmap(file);
    this.#add({ clear: true, file, bitmap, dark: isDark(bitmap) });
  }

  // Pixels 0 (paper) … 255 (ink) of a training picture; an example makes way for the first stroke.
  placePixels(pixels, side, example = false) { this.#add({ clear: true, pixels, side, example }); }

  placeStrokes(strokes) {
    const [first, ...others] = strokes;
    this.items.push({ clear: true }, ...(first ? [first] : []));
    this.items.push(...others);
    this.undone = [];
    this.#changed();
  }

  #add(item) {
    this.items.push(item);
    this.undone = [];
    this.#changed();
  }

  #changed() { this.draw(); this.onChange(); }

  // Where a bitmap lies on the board: whole, centred, as shares of the side.
  static placeOf(bitmap) {
    if (!bitmap) return { x: 0, y: 0, w: 1, h: 1 };
    const longer = Math.max(bitmap.width, bitmap.height);
    const w = bitmap.width / longer, h = bitmap.height / longer;
    return { x: (1 - w) / 2, y: (1 - h) / 2, w, h };
  }

  draw() {
    const side = Math.max(1, Math.round(this.canvas.clientWidth * devicePixelRatio));
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const style = getComputedStyle(this.canvas), picture = this.#shown.find((item) => item.bitmap);
    // On a picture the pen is what the network gets, whatever the page's own colours are.
    const [paper, ink] = picture ? tones(picture) : [style.backgroundColor, style.color];
    this.#paint(this.canvas.getContext('2d'), side, paper, ink);
  }

  #sent() {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = SENT_SIDE;
    const g = canvas.getContext('2d', { willReadFrequently: true });
    const picture = this.#shown.find((item) => item.bitmap);
    this.#paint(g, SENT_SIDE, ...(picture ? tones(picture) : ['#fff', '#000']));
    return [canvas, g];
  }

  // The board as the network is asked about it: black on white, the same on every screen; a BMP file, because
  // browsers may take a second over a PNG.
  toBlob() { return asBmp(this.#sent()[1].getImageData(0, 0, SENT_SIDE, SENT_SIDE).data); }

  toPng() { return new Promise((done) => this.#sent()[0].toBlob(done, 'image/png')); }

  #paint(g, side, paper, ink) {
    g.fillStyle = paper;
    g.fillRect(0, 0, side, side);
    g.lineCap = g.lineJoin = 'round';
    for (const item of [...this.#shown, ...(this.stroke ? [this.stroke] : [])]) {
      if (item.bitmap || item.pixels) {
        const at = Board.placeOf(item.bitmap);
        g.imageSmoothingQuality = 'high';
        g.drawImage(item.bitmap ?? inked(item, ink), at.x * side, at.y * side, at.w * side, at.h * side);
      } else if (item.points) {
        g.strokeStyle = g.fillStyle = item.erases ? paper : ink;
        Board.#trace(g, item.points, side);
      }
    }
  }

  // Curves through the middles between points; each with the width that the pen's pressure gave.
  static #trace(g, points, side) {
    const [first] = points;
    if (points.length === 1) {
      g.beginPath();
      g.arc(first.x * side, first.y * side, (first.width * side) / 2, 0, 2 * Math.PI);
      g.fill();
      return;
    }
    let from = first;
    for (let i = 1; i < points.length; i++) {
      const point = points[i], before = points[i - 1];
      const last = i === points.length - 1;
      const to = last ? point : { x: (before.x + point.x) / 2, y: (before.y + point.y) / 2 };
      g.beginPath();
      g.lineWidth = ((before.width + point.width) / 2) * side;
      g.moveTo(from.x * side, from.y * side);
      g.quadraticCurveTo(before.x * side, before.y * side, to.x * side, to.y * side);
      if (last) g.lineTo(point.x * side, point.y * side);
      g.stroke();
      from = to;
    }
  }

  #point(event) {
    const box = this.canvas.getBoundingClientRect(); // asked anew each time: the page may have scrolled
    const pressure = event.pointerType === 'pen' && event.pressure ? 0.5 + event.pressure : 1;
    return {
      x: (event.clientX - box.left) / box.width,
      y: (event.clientY - box.top) / box.height,
      width: this.width * pressure,
    };
  }

  #isPalm(event) {
    if (event.pointerType !== 'touch') return false;
    return Math.max(event.width, event.height) > PALM || performance.now() - this.lastPen < AFTER_PEN;
  }

  #down(event) {
    if (event.button > 0 && event.button !== 5) return;
    if (event.pointerType === 'pen') {
      this.lastPen = performance.now();
      if (this.pointer !== null && this.pointerType === 'touch') this.#drop(); // it was the palm
    }
    if (this.pointer !== null || this.#isPalm(event)) return;
    event.preventDefault();
    this.canvas.dataset.pointer = ''; // no frame and no cursor for those who see what they do
    this.canvas.focus({ preventScroll: true });
    this.#lift();
    this.cursor.hidden = true;
    this.pointer = event.pointerId;
    this.pointerType = event.pointerType;
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that a script made up */ }
    this.#makeWay();
    this.stroke = { erases: this.erasing || event.button === 5, points: [this.#point(event)] };
    this.draw();
    this.onChange();
  }

  #move(event) {
    if (event.pointerType === 'pen') this.lastPen = performance.now();
    if (event.pointerId !== this.pointer || !this.stroke) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.stroke.points.push(this.#point(each));
    this.draw();
    this.onChange();
  }

  #makeWay() { if (this.isExample) this.items.push({ clear: true }); }

  #up(event, keep) {
    if (event.pointerId !== this.pointer) return;
    const stroke = this.stroke;
    this.#drop();
    if (keep && stroke) this.#add(stroke);
  }

  #drop() {
    this.stroke = this.pointer = null;
    this.draw();
  }

  // Drawing with the keyboard: arrows move a pen, Space sets it down and lifts it.
  #key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey || this.pointer !== null) return;
    if (event.key === ' ' || steps[event.key]) delete this.canvas.dataset.pointer;
    if (event.key === ' ') {
      event.preventDefault();
      if (this.pen.down) {
        this.#lift();
        return;
      }
      this.pen.down = true;
      this.#makeWay();
      this.stroke = { erases: this.erasing, points: [this.#penPoint()] };
    } else if (steps[event.key]) {
      event.preventDefault();
      const step = event.shiftKey ? SMALL_STEP : STEP;
      const inside = (value) => Math.min(1, Math.max(0, value));
      this.pen.x = inside(this.pen.x + step * steps[event.key][0]);
      this.pen.y = inside(this.pen.y + step * steps[event.key][1]);
      if (this.pen.down) this.stroke.points.push(this.#penPoint());
    } else {
      if (event.key === 'Escape') this.#lift();
      return;
    }
    this.#showCursor();
    this.draw();
    if (this.pen.down) this.onChange();
  }

  #penPoint() { return { x: this.pen.x, y: this.pen.y, width: this.width }; }

  #lift() {
    if (this.pen.down && this.stroke) {
      const stroke = this.stroke;
      this.pen.down = false;
      this.stroke = null;
      this.#add(stroke);
    }
    this.#showCursor();
  }

  #showCursor() {
    this.cursor.hidden = !this.canvas.matches(':focus-visible') || 'pointer' in this.canvas.dataset;
    this.cursor.classList.toggle('down', this.pen.down);
    this.cursor.style.left = `${this.pen.x * 100}%`;
    this.cursor.style.top = `${this.pen.y * 100}%`;
  }
}

// [paper, ink] for strokes on a picture: what stands out from its border.
const tones = (picture) => (picture.dark ? ['#000', '#fff'] : ['#fff', '#000']);

function isDark(bitmap) {
  const side = 16, canvas = new OffscreenCanvas(side, side), g = canvas.getContext('2d', { willReadFrequently: true });
  g.fillStyle = '#fff';
  g.fillRect(0, 0, side, side);
  g.drawImage(bitmap, 0, 0, side, side);
  const { data } = g.getImageData(0, 0, side, side);
  let sum = 0;
  for (let i = 0; i < side; i++) for (const place of [i, i * side, (i + 1) * side - 1, side * side - 1 - i]) sum += data[4 * place + 1];
  return sum / (4 * side) < 128;
}

// A training picture's pixels as ink on nothing.
function inked(item, ink) {
  const canvas = document.createElement('canvas'), side = (canvas.width = canvas.height = item.side);
  const g = canvas.getContext('2d');
  g.fillStyle = ink;
  g.fillRect(0, 0, side, side);
  const image = g.getImageData(0, 0, side, side);
  for (let i = 0; i < side * side; i++) image.data[4 * i + 3] = item.pixels[i];
  g.putImageData(image, 0, 0);
  return canvas;
}

// Grey values of SENT_SIDE² pixels as an uncompressed BMP file with 256 greys, its rows from the bottom up.
function asBmp(rgba) {
  const start = 54 + 1024, size = SENT_SIDE * SENT_SIDE, file = new Uint8Array(start + size), head = new DataView(file.buffer);
  file.set([66, 77]);
  for (const [at, value] of [[2, start + size], [10, start], [14, 40], [18, SENT_SIDE], [22, SENT_SIDE], [34, size], [46, 256]]) head.setUint32(at, value, true);
  head.setUint16(26, 1, true);
  head.setUint16(28, 8, true);
  for (let i = 0; i < 256; i++) file.set([i, i, i], 54 + 4 * i);
  for (let y = 0; y < SENT_SIDE; y++) {
    for (let x = 0; x < SENT_SIDE; x++) {
      const from = 4 * ((SENT_SIDE - 1 - y) * SENT_SIDE + x);
      file[start + y * SENT_SIDE + x] = (rgba[from] * 19595 + rgba[from + 1] * 38470 + rgba[from + 2] * 7471 + 32768) >> 16;
    }
  }
  return new Blob([file], { type: 'image/bmp' });
}
