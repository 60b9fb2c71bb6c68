// A drawing as a short text, for addresses and for what a reload finds again.

const CLOSE = 0.006; // points nearer to the one before are left out
const STEPS = 4095, FROM = -0.25, SPAN = 1.5; // places reach a little over the board's edge

const toText = (values) => btoa(String.fromCharCode(...values)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
const toBytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const pack = (share) => Math.round(Math.min(Math.max((share - FROM) / SPAN, 0), 1) * STEPS);
const unpack = (step) => FROM + (step / STEPS) * SPAN;

// Strokes: for each a byte for the eraser, one for its width in thousandths, two for the count, three a point.
export function encodeStrokes(strokes) {
  const out = [];
  for (const { erases, points } of strokes) {
    let last = null;
    const kept = points.filter((p, i) => {
      const far = !last || i === points.length - 1 || Math.hypot(p.x - last.x, p.y - last.y) > CLOSE;
      if (far) last = p;
      return far;
    });
    const width = points.reduce((sum, p) => sum + p.width, 0) / points.length;
    out.push(Number(Boolean(erases)), Math.min(255, Math.round(width * 1000)), kept.length >> 8, kept.length & 255);
    for (const { x, y } of kept) {
      const [a, b] = [pack(x), pack(y)];
      out.push(a >> 4, ((a & 15) << 4) | (b >> 8), b & 255);
    }
  }
  return `s${toText(out)}`;
}

export const encodePixels = (pixels) => `p${toText(pixels)}`;

// { strokes } or { pixels }, or null for a text that is neither.
export function decode(text) {
  try {
    const data = toBytes(text.slice(1));
    if (text[0] === 'p') return Number.isInteger(Math.sqrt(data.length)) && data.length ? { pixels: [...data] } : null;
    if (text[0] !== 's') return null;
    const strokes = [];
    for (let at = 0; at < data.length;) {
      const [erases, width, high, low] = data.slice(at, at + 4), count = high * 256 + low, points = [];
      at += 4;
      for (let i = 0; i < count; i++, at += 3) {
        points.push({ x: unpack((data[at] << 4) | (data[at + 1] >> 4)), y: unpack(((data[at + 1] & 15) << 8) | data[at + 2]), width: width / 1000 });
      }
      if (!count || points.some(({ x, y }) => !Number.isFinite(x) || !Number.isFinite(y))) return null;
      strokes.push({ erases: Boolean(erases), points });
    }
    return strokes.length ? { strokes } : null;
  } catch {
    return null;
  }
}
