// The log-mel spectrogram of a sound, and how it is drawn.

const BANDS = 64;
/** Decibels below the loudest that are drawn. */
const RANGE = 80;
/** So many columns at most: in longer sounds the windows stand further apart. */
const COLUMNS = 1000;
/** Colours from silence to the loudest. */
const RAMP = [[10, 12, 20], [44, 32, 100], [132, 40, 116], [224, 84, 76], [253, 190, 98], [253, 252, 214]];

/** The FFT of complex numbers, in place: Cooley and Tukey (1965), of a power of two of them. */
function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k++) {
      const c = Math.cos(2 * Math.PI * k / size), s = -Math.sin(2 * Math.PI * k / size);
      for (let at = k; at < n; at += size) {
        const to = at + half;
        const x = re[to] * c - im[to] * s, y = re[to] * s + im[to] * c;
        re[to] = re[at] - x;
        im[to] = im[at] - y;
        re[at] += x;
        im[at] += y;
      }
    }
  }
}

/**
 * Triangles that are even in mel, m = 2595 log10(1 + f / 700), from 0 to half the rate: for each band
 * the first bin of a spectrum that it has, and the weights from there.
 */
function triangles(size, rate) {
  const most = 2595 * Math.log10(1 + rate / 2 / 700);
  const corner = at => 700 * (10 ** (most * at / (BANDS + 1) / 2595) - 1);
  return Array.from({ length: BANDS }, (_, band) => {
    const [low, middle, high] = [corner(band), corner(band + 1), corner(band + 2)];
    const first = Math.ceil(low * size / rate), last = Math.floor(high * size / rate);
    const weights = Float64Array.from({ length: last - first + 1 }, (_, at) => {
      const f = (first + at) * rate / size;
      return Math.max(0, Math.min((f - low) / (middle - low), (high - f) / (high - middle)));
    });
    return { first, weights };
  });
}

/**
 * Decibels below the loudest, 0 to -RANGE: `[columns][BANDS]`. Windows of 25 ms (Hann), every 10 ms
 * where the sound is short enough.
 */
export function spectrogram(samples, rate) {
  const width = Math.round(rate * 0.025);
  const hop = Math.max(Math.round(rate * 0.01), Math.ceil(samples.length / COLUMNS));
  const size = Math.max(1024, 2 ** Math.ceil(Math.log2(width)));
  const filters = triangles(size, rate);
  const hann = Float64Array.from({ length: width }, (_, i) => (1 - Math.cos(2 * Math.PI * i / width)) / 2);
  const re = new Float64Array(size), im = new Float64Array(size);
  const columns = Array.from({ length: Math.max(1, Math.ceil(samples.length / hop)) }, (_, column) => {
    re.fill(0);
    im.fill(0);
    // Each column stands in the middle of its window.
    const from = column * hop + (hop - width >> 1);
    for (let i = 0; i < width; i++) re[i] = (samples[from + i] ?? 0) * hann[i];
    fft(re, im);
    return filters.map(({ first, weights }) => {
      const power = bin => re[bin] ** 2 + im[bin] ** 2;
      return 10 * Math.log10(weights.reduce((sum, w, at) => sum + w * power(first + at), 1e-10));
    });
  });
  const loudest = columns.reduce((most, column) => Math.max(most, ...column), -Infinity);
  return columns.map(column => column.map(value => Math.max(value - loudest, -RANGE)));
}

/** Draws decibels, time to the right and low sounds below, one pixel each. */
export function draw(canvas, columns) {
  canvas.width = columns.length;
  canvas.height = BANDS;
  const context = canvas.getContext('2d');
  const image = context.createImageData(columns.length, BANDS);
  columns.forEach((column, x) => column.forEach((value, band) => {
    const place = (1 + value / RANGE) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    const at = ((BANDS - 1 - band) * columns.length + x) * 4;
    RAMP[low].forEach((from, i) => { image.data[at + i] = from + (place - low) * (RAMP[low + 1][i] - from); });
    image.data[at + 3] = 255;
  }));
  context.putImageData(image, 0, 0);
}

/** Times for an axis of so many seconds, at steps of 1, 2 or 5; none so near the end that it would be cut. */
export function ticks(seconds) {
  const power = 10 ** Math.floor(Math.log10(seconds / 5));
  const step = [5, 2, 1].map(factor => factor * power).find(step => seconds / step >= 4) ?? power;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const count = Math.floor(0.94 * seconds / step);
  return Array.from({ length: count + 1 }, (_, at) => ({ at: at * step, text: (at * step).toFixed(digits) }));
}
