/* A client of stenod's live door, for browsers and Node: audio in, partial and final transcripts out. No dependencies.
 *
 *     const client = new StenodClient("ws://localhost:8000/ws");
 *     await client.open();
 *     client.send(samples);                  // Int16Array, mono, 16 kHz, cut anywhere
 *     client.end();
 *     for await (const frame of client) console.log(frame.type, frame.text);
 *
 * A lost connection is made again and goes on where it was: audio is kept until the server has acknowledged it, and what
 * was said meanwhile is read afterwards. With `adaptive: true` the bitrate is lowered when audio is long on its way.
 */

const CHUNK = 0.1; // seconds of audio in a message
const CROWDED = 2; // seconds of audio on their way from which on the bitrate is lowered
const SOUNDING = 0.5; // seconds of audio after which the server is asked how far it has read, when the bitrate adapts
const KEPT = 300; // seconds of unacknowledged audio that are kept for a lost connection
const FULL = 65536; // bytes given to the socket and not sent from which on it is given no more
const REFUSALS = new Set([1002, 1003, 1007, 1008, 1009, 4003, 4400, 4401, 4403]); // trying again is of no use
const AWAY = new Set(["overloaded", "shutting_down", "unavailable"]); // errors after which it is

export class StenodError extends Error {}

export class StenodClient {
  /** Seconds of audio that no server heard, since it was gone for longer than audio is kept; and how often we connected. */
  lost = 0;
  connections = 0;
  #url; #token; #rate; #patience; #query; #Socket; #crowded; #levels;
  #level = 0;
  #blocks = []; // audio that may have to be sent again, as [number of the first sample, samples]
  #first = 0; // number of the first sample in it
  #end = 0; // number of the sample that follows it
  #sent = 0; // number of the sample that is sent next
  #arrived = 0; // number of a sample up to which the server has read
  #controls = []; // what is said after how many samples, as [serial number, samples, text]
  #said = 0;
  #frames = [];
  #wake = () => {};
  #pump = () => {};
  #session = null; // token of the session to come back to
  #seq = 0;
  #acked = 0;
  #utterances = 0; // of sessions before this one
  #closedUtterance = 0;
  #ending = false;
  #closing = false;
  #socket = null;
  #running = null;
  #over = false;
  #failure = null;

  /** `query` is of the URL (language, partials, ...); `WebSocket` is the class to use where there is no global one. */
  constructor(url, { token = null, rate = 16000, adaptive = false, patience = 60, crowded = CROWDED, query = {},
    WebSocket = globalThis.WebSocket } = {}) {
    if (!WebSocket) throw new StenodError("there is no WebSocket here: pass the class of the package ws");
    this.#url = url; this.#token = token; this.#rate = rate; this.#patience = patience; this.#crowded = crowded;
    this.#query = query; this.#Socket = WebSocket;
    this.#levels = levels(rate).slice(0, adaptive ? 3 : 1);
  }

  /** Bits of audio a second, as it is sent now. */
  get bitrate() { return this.#levels[this.#level].bitrate; }

  /** Connect. Rejects with StenodError where the server cannot be reached or refuses. */
  open() {
    return new Promise((resolve, reject) => {
      this.#running = this.#run(resolve).catch((error) => { this.#failure = error; reject(error); })
        .finally(() => { this.#over = true; this.#wake(); });
    });
  }

  /** Take samples: an Int16Array, or Float32Array from -1 to 1. */
  send(samples) {
    const taken = samples instanceof Float32Array ? toInt16(samples) : samples.slice();
    if (taken.length) this.#blocks.push([this.#end, taken]);
    this.#end += taken.length;
    this.#pump();
  }

  /** End the utterance here: its final follows. After a lost connection it may follow twice, the second one empty. */
  commit() { this.#say("commit"); }

  /** Forget the open utterance. */
  reset() { this.#say("reset"); }

  /** All audio is sent: the last finals follow, then the frame `ended`, then iteration ends. */
  end() { this.#ending = true; this.#say("end"); }

  /** Leave; what was not said yet is not heard of. */
  close() { this.#closing = true; this.#socket?.close(1000); }

  /** The server's frames, each once, as they come. Throws StenodError. */
  async *[Symbol.asyncIterator]() {
    for (;;) {
      while (this.#frames.length) yield this.#frames.shift();
      if (this.#over) break;
      await new Promise((resolve) => { this.#wake = resolve; });
    }
    if (this.#failure) throw this.#failure;
  }

  #say(type) {
    this.#controls.push([++this.#said, this.#end, JSON.stringify({ type })]);
    this.#pump();
  }

  async #run(opened) {
    let well = now(), pause = 0.1;
    for (;;) {
      const began = now(), acked = this.#acked;
      const outcome = await this.#live(opened);
      this.#pump = () => {};
      if (outcome.over || this.#closing) return;
      if (outcome.lower) { this.#level += 1; this.#session = null; continue; }
      const reason = outcome.reason || `close code ${outcome.code}`;
      if (REFUSALS.has(outcome.code) || outcome.refused) throw new StenodError(`the server refused: ${reason}`);
      if (!this.connections) throw new StenodError(`the server cannot be reached: ${reason}`);
      if (this.#acked > acked || now() > began + 5) { well = now(); pause = 0.1; }
      else if (now() > well + this.#patience) throw new StenodError(`no connection has lasted for ${this.#patience} s`);
      await new Promise((resolve) => { setTimeout(resolve, 1000 * pause); });
      pause = Math.min(2 * pause, 5);
    }
  }

  /** One connection; resolves with what became of it. */
  #live(opened) {
    const level = this.#levels[this.#level];
    const start = Math.max(this.#acked, this.#first), offset = Math.floor(start / level.divisor);
    const socket = this.#socket = new this.#Socket(this.#address(level, offset));
    socket.binaryType = "arraybuffer";
    return new Promise((resolve) => {
      let greeted = false;
      const leave = (outcome) => {
        socket.onmessage = socket.onclose = null;
        if (!("code" in outcome)) socket.close();
        resolve(outcome);
      };
      // `close` follows and says more; in some versions of Node it does not, where the connection was never made
      socket.onerror = () => setTimeout(() => leave({ code: 1006, reason: "" }), 100);
      socket.onclose = ({ code, reason }) => leave({ code, reason });
      socket.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (greeted) {
          const outcome = this.#hear(frame, level);
          if (outcome) leave(outcome);
        } else if (frame.type !== "session") {
          leave({ refused: !AWAY.has(frame.code), reason: frame.message ?? "it knows nothing of resuming" });
        } else {
          greeted = true;
          this.#greet(frame, start);
          this.#sent = this.#arrived = offset * level.divisor;
          this.#pump = this.#writer(socket, level, frame.offset * level.divisor, leave);
          opened();
          this.#pump();
        }
      };
    });
  }

  #greet(frame, start) {
    if (!frame.known) {
      this.#seq = 0;
      this.#utterances = this.#closedUtterance;
      this.lost += Math.max(0, start - this.#acked) / this.#rate;
    }
    this.connections += 1;
    this.#session = frame.token;
  }

  /** Take a frame in; answers how the connection ends with it, if it does. */
  #hear(frame, level) {
    if (frame.type === "pong") {
      this.#arrived = Math.max(this.#arrived, Number(frame.text));
      return null;
    }
    if (frame.seq <= this.#seq) return null;
    this.#seq = frame.seq;
    this.#session = frame.token ?? this.#session;
    this.#acked = Math.max(this.#acked, frame.acked * level.divisor);
    this.#forget();
    if ("utterance" in frame) frame.utterance += this.#utterances;
    if (frame.type === "final" && frame.cause) this.#closedUtterance = frame.utterance;
    if (frame.type === "ended" && !this.#ending) return { reason: "the server is going" }; // another goes on
    this.#frames.push(frame);
    this.#wake();
    return frame.type === "ended" ? { over: true } : null;
  }

  /** Let go of what was acknowledged, and of what is too much to keep. */
  #forget() {
    const keep = Math.min(this.#sent, Math.max(this.#acked, this.#end - KEPT * this.#rate));
    while (this.#blocks.length && this.#blocks[0][0] + this.#blocks[0][1].length <= keep) this.#blocks.shift();
    this.#first = this.#blocks.length ? Math.max(this.#blocks[0][0], keep - (keep % 2)) : keep;
    while (this.#controls.length && this.#controls[0][1] < this.#first) this.#controls.shift();
  }

  /** What sends all there is to send, so far as the socket takes it. `heard`: the samples that the server has already. */
  #writer(socket, level, heard, leave) {
    const encode = level.encoder();
    const adapting = this.#level + 1 < this.#levels.length;
    let told = 0, asked = 0, timer = null;
    const pump = () => {
      clearTimeout(timer);
      while (socket.readyState === 1) {
        if (adapting && (this.#end - this.#arrived) / this.#rate > this.#crowded) return leave({ lower: true });
        if (socket.bufferedAmount > FULL) { timer = setTimeout(pump, 20); return; }
        const next = this.#controls.find(([number, after]) => number > told && after >= heard);
        const limit = next ? next[1] : this.#end;
        let size = Math.min(limit - this.#sent, Math.round(CHUNK * this.#rate));
        size -= size % level.divisor;
        if (size > 0) {
          socket.send(encode(this.#slice(this.#sent, size)));
          this.#sent += size;
          if (adapting && this.#sent >= asked) {
            asked = this.#sent + SOUNDING * this.#rate;
            socket.send(JSON.stringify({ type: "ping", text: String(this.#sent) }));
          }
        } else if (next) {
          told = next[0];
          socket.send(next[2]);
        } else return;
      }
    };
    return pump;
  }

  #slice(start, size) {
    const found = new Int16Array(size);
    for (const [at, samples] of this.#blocks) {
      const from = Math.max(start, at), to = Math.min(start + size, at + samples.length);
      if (from < to) found.set(samples.subarray(from - at, to - at), from - start);
      if (at >= start + size) break;
    }
    return found;
  }

  #address(level, offset) {
    const url = new URL(this.#url);
    const query = { ...this.#query, encoding: level.encoding, sample_rate: level.rate, resume: this.#session ?? "true" };
    if (this.#token) query.token = this.#token; // a browser cannot send headers
    if (this.connections) {
      // without a token, "again" is none: a new session, which begins at the offset
      Object.assign(query, { resume: this.#session ?? "again", seq: this.#seq, offset });
    }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }
}

/** How samples are written: 16-bit, or mu-law (ITU-T G.711), which takes half; and at half the rate, which takes half. */
export function levels(rate) {
  const make = (encoding, divisor) => ({
    encoding, divisor, rate: rate / divisor, bitrate: (rate / divisor) * (encoding === "s16le" ? 16 : 8),
    encoder() {
      if (encoding === "s16le") return littleEndian;
      const halve = divisor === 2 ? halver() : (samples) => samples;
      return (samples) => Uint8Array.from(halve(samples), mulaw);
    },
  });
  const found = [make("s16le", 1), make("mulaw", 1)];
  return rate % 2 === 0 && rate >= 16000 ? [...found, make("mulaw", 2)] : found;
}

function toInt16(samples) {
  return Int16Array.from(samples, (value) => Math.max(-32768, Math.min(32767, Math.round(32768 * value))));
}

function littleEndian(samples) {
  const view = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((sample, index) => view.setInt16(2 * index, sample, true));
  return view.buffer;
}

function mulaw(sample) {
  const magnitude = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = 24 - Math.clz32(magnitude);
  return ~((sample < 0 ? 128 : 0) | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 255;
}

/** Every second sample, after a half-band filter (a windowed sinc of 23 taps) that keeps its memory between chunks. */
function halver() {
  const taps = [1, 3, 5, 7, 9, 11].map((k) => [
    k, (Math.sin((Math.PI * k) / 2) / (Math.PI * k)) * (0.54 + 0.46 * Math.cos((Math.PI * k) / 12))]);
  let memory = new Int16Array(22);
  return (samples) => {
    const heard = new Int16Array(22 + samples.length);
    heard.set(memory);
    heard.set(samples, 22);
    memory = heard.slice(-22);
    const found = [];
    for (let centre = 11; centre < heard.length - 11; centre += 2) {
      let value = 0.5 * heard[centre];
      for (const [k, tap] of taps) value += tap * (heard[centre - k] + heard[centre + k]);
      found.push(Math.max(-32768, Math.min(32767, Math.round(value))));
    }
    return found;
  };
}

function now() { return Date.now() / 1000; }
