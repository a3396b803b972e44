/* Runs on the browser's audio thread: gathers what is spoken and posts it, a tenth of a second at a time. */

class Samples extends AudioWorkletProcessor {
  #gathered = new Float32Array(Math.round(sampleRate / 10));
  #count = 0;

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.#gathered[this.#count++] = sample;
      if (this.#count === this.#gathered.length) {
        this.port.postMessage(this.#gathered.slice());
        this.#count = 0;
      }
    }
    return true;
  }
}

registerProcessor("stenod-samples", Samples);
