/* Streams raw 16-bit samples with the client and writes what came of it as JSON: node streaming.mjs MODULE FILE OPTIONS. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [module, file, told] = process.argv.slice(2);
const { StenodClient } = await import(pathToFileURL(module));
const { url, pace = 0, ...options } = JSON.parse(told);
const bytes = await readFile(file);
const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const frames = [];
let failure = null;

/** The package's, where Node has none of its own; without compression, so that what goes over the line can be counted. */
function plain() {
  const Socket = createRequire(module)("ws");
  return class extends Socket {
    constructor(address) { super(address, { perMessageDeflate: false }); }
  };
}

const WebSocket = globalThis.WebSocket ?? plain();
const client = new StenodClient(url, { WebSocket, ...options });

async function speak() {
  for (let at = 0; at < samples.length; at += 1600) {
    client.send(samples.subarray(at, at + 1600));
    if (pace) await new Promise((resolve) => { setTimeout(resolve, 100 / pace); });
  }
  client.end();
}

try {
  await client.open();
  speak();
  for await (const frame of client) frames.push(frame);
} catch (error) {
  failure = error.message;
}
const { connections, bitrate, lost } = client;
console.log(JSON.stringify({ frames, failure, connections, bitrate, lost }));
process.exit(0);
