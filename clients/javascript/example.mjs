/* node example.mjs [--url ws://localhost:8000/ws] [--adaptive] FILE.wav
 *
 * Streams a 16-bit mono wav file as if it were spoken, prints finals on standard output and partials on standard error.
 * Node 22 and newer have a WebSocket of their own; Node 20 has it with --experimental-websocket, or from the package ws.
 */

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { StenodClient } from "./stenod.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string", default: "ws://localhost:8000/ws" },
    adaptive: { type: "boolean", default: false },
    pace: { type: "string", default: "1" },
  },
});

/** Rate and samples of a wav file. */
function wav(file) {
  if (file.toString("latin1", 0, 4) !== "RIFF") throw new Error("this is no wav file");
  let rate = 0;
  for (let at = 12; at + 8 <= file.length; ) {
    const name = file.toString("latin1", at, at + 4), size = file.readUInt32LE(at + 4), body = at + 8;
    if (name === "fmt ") {
      rate = file.readUInt32LE(body + 4);
      if (file.readUInt16LE(body + 2) !== 1 || file.readUInt16LE(body + 14) !== 16) throw new Error("16-bit mono, please");
    } else if (name === "data") {
      const count = Math.floor(Math.min(size, file.length - body) / 2);
      return { rate, samples: Int16Array.from({ length: count }, (_, index) => file.readInt16LE(body + 2 * index)) };
    }
    at = body + size + (size % 2);
  }
  throw new Error("this wav file holds no audio");
}

const { rate, samples } = wav(await readFile(positionals[0]));
const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;
const client = new StenodClient(values.url, { rate, adaptive: values.adaptive, WebSocket });
await client.open();

async function speak() {
  const step = rate / 10;
  for (let at = 0; at < samples.length; at += step) {
    client.send(samples.subarray(at, at + step));
    if (Number(values.pace)) await new Promise((resolve) => { setTimeout(resolve, 100 / Number(values.pace)); });
  }
  client.end();
}

speak();
for await (const frame of client) {
  if (frame.type === "partial") console.error(`~ ${frame.text}`);
  if (frame.type === "final" && frame.text) console.log(frame.text);
  if (frame.type === "error") console.error(`error: ${frame.message}`);
}
