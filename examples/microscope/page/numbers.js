// Numbers of a trace: reading, printing, measuring. No page here: Node runs this file too.

/// An array of a trace file as Float64Array: a list (NaN and infinities are strings) or base64 of
/// little-endian doubles. Null where the file holds none, or only a sample.
function decode(list) {
  if (Array.isArray(list)) return Float64Array.from(list, Number);
  if (!list || typeof list.b64 !== 'string') return null;
  const bytes = Uint8Array.from(atob(list.b64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({length: bytes.length >> 3}, (_, i) => view.getFloat64(8 * i, true));
}

const sizeOf = (shape) => shape.reduce((n, s) => n * s, 1);

/// Position in a flat array -> one index per axis.
function unravel(flat, shape) {
  const index = new Array(shape.length);
  for (let a = shape.length - 1; a >= 0; a--) {
    index[a] = flat % shape[a];
    flat = Math.floor(flat / shape[a]);
  }
  return index;
}

/// "[0,2]"; "" for a scalar.
const indexText = (flat, shape) => (shape.length ? `[${unravel(flat, shape)}]` : '');

/// v with d decimals, ties to even as C prints them (toFixed rounds them up).
function fixed(v, d) {
  const text = v.toFixed(d);
  const exact = Math.abs(v).toFixed(Math.min(100, d + 30));
  const cut = exact.length - Math.min(100, d + 30) + d;
  if (!/^50*$/.test(exact.slice(cut)) || '02468'.indexOf(exact[d ? cut - 1 : cut - 2]) < 0)
    return text;
  return (v < 0 ? '-' : '') + exact.slice(0, d ? cut : cut - 1);
}

/// A number for people, `digits` decimals ('full': the shortest text that reads back as the same
/// bits). Very large and very small ones get an exponent. The minus is a real minus sign.
function show(v, digits = 6) {
  if (Number.isNaN(v)) return 'NaN';
  if (!Number.isFinite(v)) return v > 0 ? '∞' : '−∞';
  const size = Math.abs(v);
  let text;
  if (digits === 'full') text = Object.is(v, -0) ? '-0' : String(v);
  else if (v === 0) text = Object.is(v, -0) ? '-0' : '0';
  else if (Number.isInteger(v) && size < 1e6) text = String(v);
  else if (size >= 1e7 || size < 0.5 * 10 ** -Math.min(digits, 4))
    text = v.toExponential(Math.min(digits, 5));
  else text = fixed(v, digits);
  return text.replace(/-/g, '−');
}

/// With a sign glyph in front, for gradients and differences.
const signed = (v, digits) => (v > 0 ? '+' : '') + show(v, digits);

function norm(data) {
  let top = 0;
  for (const v of data) top = Math.max(top, Math.abs(v));
  if (!(top > 0) || top === Infinity) return top;
  let sum = 0;
  for (const v of data) sum += (v / top) * (v / top);
  return top * Math.sqrt(sum);
}

function maxAbs(data) {
  let top = 0;
  for (const v of data) if (Math.abs(v) > top) top = Math.abs(v);
  return top;
}

const total = (data) => data.reduce((s, v) => s + v, 0);

/// How far `got` is from `want`: the largest difference, and whether each is within rel |want| or
/// `least` of the largest |want|, or of `size` where that is larger: of the terms that cancel to it.
/// Equal infinities and two NaNs are no difference.
function distance(got, want, rel, least = 1e-15, size = 0) {
  let most = 0,
    within = got.length === want.length;
  const floor = least * Math.max(size, maxAbs(want));
  for (let i = 0; i < want.length; i++) {
    if (Object.is(got[i], want[i]) || got[i] === want[i]) continue;
    const d = Math.abs(got[i] - want[i]);
    if (!(d <= most)) most = Number.isNaN(d) ? Infinity : d;
    if (!(d <= Math.max(rel * Math.abs(want[i]), floor))) within = false;
  }
  return {most, within};
}
