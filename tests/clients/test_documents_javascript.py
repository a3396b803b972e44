"""The browser examples of the first and fifth document in Node, with our microphone: copied for the test's time only."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, missing
from stenod.settings import Settings
from support.serving import Running, serving

DOCUMENTS = REPOSITORY.parent / "shared" / "seeds"

BROWSER = """
{
const fs = require('fs');
let processor, opened, heard = Date.now();
globalThis.WebSocket = class extends require('ws') {
  constructor(url) {
    super(url.replace(/localhost:\\d+/, process.argv[2]));
    this.addEventListener('open', () => { opened = true; });
    this.addEventListener('message', () => { heard = Date.now(); });
  }
};
globalThis.AudioContext = class {
  createScriptProcessor(size) { return processor = {size, connect() {}}; }
  createMediaStreamSource() { return {connect() {}}; }
};
Object.defineProperty(globalThis, 'navigator', {value: {mediaDevices: {getUserMedia: async () => ({})}}});
globalThis.convertFloat32ToInt16 = floats => Int16Array.from(floats, one => Math.max(-1, Math.min(1, one)) * 0x7fff);
const speech = fs.readFileSync(process.argv[3]).subarray(44);
const samples = new Float32Array(speech.length / 2 + 32000);  // two seconds of silence follow
for (let at = 0; at < speech.length / 2; at++) samples[at] = speech.readInt16LE(2 * at) / 0x8000;
let at = 0;
setInterval(() => {
  if (!opened || !processor || !processor.onaudioprocess) return;
  if (at >= samples.length) return Date.now() - heard > 1500 && process.exit(0);
  const block = samples.subarray(at, at += processor.size);
  processor.onaudioprocess({inputBuffer: {getChannelData: () => block}});
}, 10);
}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(Settings()) as running:
        yield running


@pytest.mark.parametrize("number", [1, 5])
def test_it_prints_the_words(node: Path, server: Running, tmp_path: Path, samples: Path, number: int) -> None:
    found = sorted(DOCUMENTS.glob(f"{number}-*.md"))
    if not found:
        missing(f"document {number}")
    [example] = re.findall(r"```javascript\n(.*?)```", found[0].read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "example.js"
    script.write_text(BROWSER + example, encoding="utf-8")
    command = ["node", script, f"127.0.0.1:{server.port}", samples / "weather.wav"]
    done = subprocess.run(
        command, env=os.environ | {"NODE_PATH": str(node)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    [text] = [
        one["text"] for one in json.loads((samples / "manifest.json").read_text()) if one["file"] == "weather.wav"
    ]
    assert done.stdout.splitlines()[-1] == f"Transcription: {text.lower().rstrip('.')}"
