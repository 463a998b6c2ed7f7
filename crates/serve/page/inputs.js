// What was given, drawn: a picture, a sound with its spectrogram, a text.

import { element, foreign } from './elements.js';
import { decode, mono, play } from './sound.js';
import { draw, spectrogram, ticks } from './spectrogram.js';

/** The longest side of a picture as it is drawn, in pixels. */
const LARGEST = 640;

/** The largest sound file that is drawn, in bytes: decoded, it may be 30 times as large. */
const LARGEST_SOUND = 16 << 20;

/** Stands for a file that is not drawn. */
function undrawn(how) {
  return element('p', { class: 'soft' }, `The browser ${how} draw this file; the model may read it all the same.`);
}

/** A picture. The browser may not know a format that the server does. */
export async function picture(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return undrawn('cannot');
  }
  const [width, height] = [bitmap.width, bitmap.height];
  const scale = Math.min(1, LARGEST / Math.max(width, height));
  const canvas = element('canvas', {
    role: 'img', 'aria-label': `The picture ${file.name}, ${width} by ${height} pixels`,
    width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)),
    class: Math.max(width, height) < 100 ? 'picture small' : 'picture',
  });
  canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

/** A text, or two. */
export function text(given) {
  return element('div', {}, ...[given].flat().map(one => element('blockquote', { dir: 'auto' }, one)));
}

/** A sound: its spectrogram with an axis of time, and a button. `part` marks seconds of it, or plays them. */
export async function sound(file) {
  let buffer = null;
  try {
    if (file.size <= LARGEST_SOUND) buffer = await decode(file);
  } catch {
    // A format that it does not know: nothing is drawn.
  }
  if (!buffer) {
    return { drawn: undrawn(file.size > LARGEST_SOUND ? 'does not' : 'cannot'), part: () => {} };
  }
  const [seconds, highest] = [buffer.duration, buffer.sampleRate / 2000];
  const canvas = element('canvas', {
    role: 'img', class: 'spectrogram',
    'aria-label': `Spectrogram of ${file.name}: ${seconds.toFixed(2)} seconds, 0 to ${highest} kHz`,
  });
  draw(canvas, spectrogram(mono(buffer), buffer.sampleRate));
  const region = element('span', { class: 'region', hidden: true });
  const tick = ({ at, text }) => {
    const drawn = element('span', {}, text);
    drawn.style.left = `${100 * at / seconds}%`;
    return drawn;
  };
  const axis = element('div', { class: 'axis', 'aria-hidden': 'true' }, ...ticks(seconds).map(tick));
  const part = (start, end, what) => {
    const [from, to] = [start, end].map(at => 100 * Math.min(Math.max(at / seconds, 0), 1));
    region.style.left = `${from}%`;
    region.style.width = `${to - from}%`;
    region.hidden = what === 'off';
    if (what === 'play') play(file, start, end);
  };
  const button = element('button', { type: 'button' }, 'Play');
  button.onclick = () => play(file);
  const drawn = element('figure', {},
    element('div', { class: 'plot' }, canvas, region), axis,
    element('figcaption', {}, button,
      element('span', { class: 'soft' }, `${seconds.toFixed(2)} s, mel bands to ${highest} kHz`)));
  return { drawn, part };
}

/** The name of what was given, as a heading. */
export function heading(name) {
  return element('h3', {}, foreign(name));
}
