/** Hands on what the microphone hears, in blocks of 128 samples. */
registerProcessor("mgc-recorder", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) this.port.postMessage(samples.slice());
    return true;
  }
});
