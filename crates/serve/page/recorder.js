// Runs beside the page, in the thread of the sound: hands on what the microphone hears, as one channel.

registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([channels]) {
    if (channels.length > 0) {
      const heard = channels[0].slice();
      for (const channel of channels.slice(1)) channel.forEach((value, at) => { heard[at] += value; });
      if (channels.length > 1) heard.forEach((value, at) => { heard[at] = value / channels.length; });
      this.port.postMessage(heard, [heard.buffer]);
    }
    return true;
  }
});
