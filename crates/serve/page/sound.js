// Sounds: decoded, recorded, written as WAV, played.

/** The longest recording, in seconds. */
export const LONGEST = 120;

/** The rate that a WAV or FLAC file names, in Hz; of others none. */
function rateOf(bytes) {
  const view = new DataView(bytes);
  const tag = at => String.fromCharCode(...new Uint8Array(bytes, at, 4));
  if (bytes.byteLength < 24) return null;
  if (tag(0) === 'fLaC') return view.getUint32(18) >>> 12;
  if (tag(0) !== 'RIFF') return null;
  // Chunks of RIFF: four letters, a length, and a byte more where that is odd.
  for (let at = 12; at + 16 <= bytes.byteLength;) {
    if (tag(at) === 'fmt ') return view.getUint32(at + 12, true);
    const length = view.getUint32(at + 4, true);
    at += 8 + length + length % 2;
  }
  return null;
}

/** The sound that was decoded last, as it is likely to be played: it is many times as large as its file. */
let last = { blob: null, buffer: null };

/** A sound file as an `AudioBuffer` at its own rate, if the browser can read it. */
export async function decode(blob) {
  if (last.blob === blob) return last.buffer;
  const bytes = await blob.arrayBuffer();
  const named = rateOf(bytes);
  const rate = named >= 3000 && named <= 384000 ? named : 48000;
  const buffer = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  last = { blob, buffer };
  return buffer;
}

/** The mean of a sound's channels. */
export function mono(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, at) => buffer.getChannelData(at));
  if (channels.length === 1) return channels[0];
  const sum = at => channels.reduce((sum, channel) => sum + channel[at], 0);
  return channels[0].map((_, at) => sum(at) / channels.length);
}

/** Samples between -1 and 1 as a WAV file of 16 bits, one channel. */
export function wav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const letters = (at, text) => {
    for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
  };
  letters(0, 'RIFF');
  view.setUint32(4, 36 + samples.length * 2, true);
  letters(8, 'WAVEfmt ');
  view.setUint32(16, 16, true); // the length of this chunk
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a sample
  view.setUint16(34, 16, true); // bits
  letters(36, 'data');
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((value, at) => {
    view.setInt16(44 + at * 2, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true);
  });
  return new Blob([view], { type: 'audio/wav' });
}

/**
 * Begins to record from the microphone, as it is: no filter that a browser has for calls. Tells
 * `heard` the seconds so far; what it returns ends the recording and gives it as a WAV file.
 */
export async function record(heard) {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  const context = new AudioContext();
  const parts = [];
  let length = 0, recorder = null;
  const stop = async () => {
    if (recorder) recorder.port.onmessage = null;
    stream.getTracks().forEach(track => track.stop());
    await context.close();
    const samples = new Float32Array(length);
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    return wav(samples, context.sampleRate);
  };
  try {
    await context.audioWorklet.addModule('recorder.js');
    recorder = new AudioWorkletNode(context, 'recorder');
    recorder.port.onmessage = ({ data }) => {
      parts.push(data);
      length += data.length;
      heard(length / context.sampleRate);
    };
    // It puts out silence; but what leads nowhere need not run.
    context.createMediaStreamSource(stream).connect(recorder).connect(context.destination);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

let speaker, playing;

/** Plays a sound file, or its part between two times in seconds; what played before falls silent. */
export async function play(blob, start = 0, end = Infinity) {
  speaker ??= new AudioContext();
  await speaker.resume();
  const buffer = await decode(blob);
  playing?.stop();
  const source = new AudioBufferSourceNode(speaker, { buffer });
  source.connect(speaker.destination);
  source.start(0, start, Math.max(Math.min(end, buffer.duration) - start, 0.05));
  playing = source;
}
