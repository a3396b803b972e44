"""The second and third documents' own examples, Python and JavaScript, copied for the test's time only.

They run as they stand, but for host and token; with speech for their noise and silence they print the right words.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

from conftest import REPOSITORY, missing
from stenod.settings import Settings
from support.serving import Running, serving

DOCUMENTS = REPOSITORY.parent / "shared" / "seeds"
DOCUMENTED = {"status", "partial", "final", "full_transcript", "diarization_summary", "warning", "ping"}
KEY = "the-key-of-the-test"

SPEECH = """np.frombuffer(__import__("wave").open({path!r}).readframes(200_000), np.int16).astype(np.float32) / 32768"""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A real recogniser, behind a key."""
    with serving(Settings.model_validate({"server": {"api_key": KEY}})) as running:
        yield running


@pytest.fixture(scope="module")
def example(server: Running) -> Callable[[int, str], str]:
    """What a pattern finds in a document, with its host and token replaced."""

    def find(number: int, pattern: str) -> str:
        found = sorted(DOCUMENTS.glob(f"{number}-*.md"))
        if not found:
            missing(f"document {number}")
        text = found[0].read_text(encoding="utf-8")
        [block] = re.findall(pattern, text, re.DOTALL)
        return re.sub(r"(localhost|127\.0\.0\.1):8000", f"127.0.0.1:{server.port}", block).replace("YOUR_API_KEY", KEY)

    return find


@contextmanager
def running(command: list[Any], source: str, script: Path) -> Iterator[Callable[[], str]]:
    """A script that runs as long as the block; gives its next line, which must come within 20 seconds."""
    script.write_text(source, encoding="utf-8")
    process = subprocess.Popen([*command, script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: Queue[str] = Queue()
    assert process.stdout is not None
    Thread(target=lambda stream: [lines.put(line) for line in stream], args=(process.stdout,), daemon=True).start()

    def line() -> str:
        try:
            return lines.get(timeout=20)
        except Empty:
            raise AssertionError("nothing more was printed") from None

    try:
        yield line
        assert process.poll() is None, "it ended by itself"
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def spoken(samples: Path, name: str) -> tuple[str, str]:
    """The path of a sample, and its words as the recogniser writes them."""
    [text] = [
        one["text"] for one in json.loads((samples / "manifest.json").read_text()) if one["file"] == f"{name}.wav"
    ]
    return str(samples / f"{name}.wav"), text.lower().rstrip(".")


# ---------------------------------------------------------------------------------------------- the second document


@pytest.mark.slow
def test_the_second_documents_python(example: Callable[[int, str], str], tmp_path: Path, samples: Path) -> None:
    whole = example(2, r"### Python Client Example\n```python\n(.*?)```")
    path, text = spoken(samples, "weather")
    noise = "np.random.randn(16000).astype(np.float32)"
    assert noise in whole
    speech = f"np.resize(np.concatenate([{SPEECH.format(path=path)}, np.zeros(160_000, np.float32)]), 160_000)"
    with_speech = whole.replace(noise, f"{speech}[i * 16000 : (i + 1) * 16000].astype(np.float32)")
    printed = []
    scripts = []
    for name, source in (("noise.py", whole), ("speech.py", with_speech)):
        (tmp_path / name).write_text(source, encoding="utf-8")
        command = [sys.executable, "-W", "error", str(tmp_path / name)]
        scripts.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for script in scripts:
        out, err = script.communicate(timeout=60)
        assert (script.returncode, err) == (0, "")
        printed.append(out.splitlines())
    for lines in printed:
        assert json.loads(lines[0].removeprefix("Status: ")) == {
            "type": "status",
            "state": "ready",
            "model": "parakeet",
        }
        assert all(line.startswith("Transcription: ") for line in lines[1:-1])
        assert json.loads(lines[-1].removeprefix("Final: "))["type"] in DOCUMENTED
    heard = " ".join(dict.fromkeys(" ".join(printed[1][1:-1]).replace("Transcription:", "").split()))
    assert set(text.split()) <= set(heard.split())


def test_the_second_documents_javascript(
    example: Callable[[int, str], str], node: Path, tmp_path: Path, samples: Path
) -> None:
    path, text = spoken(samples, "weather")
    source = f"""
        globalThis.WebSocket = require('{node}/ws');
        {example(2, r"### JavaScript Client Example.```javascript(.*?)```")}
        const client = new StreamingClient({KEY!r});
        client.connect().then(() => client.ws.on('open', () => {{
            const file = new Int16Array(new Uint8Array(require('fs').readFileSync({path!r}).subarray(44)).buffer);
            const speech = Float32Array.from([...file, ...new Array(64000).fill(0)], sample => sample / 32768);
            for (let at = 0; at < speech.length; at += 8000) client.sendAudio(speech.slice(at, at + 8000));
        }}));
    """
    heard = ""
    with running(["node"], source, tmp_path / "example.js") as line:
        while not set(text.split()) <= set(heard.split()):
            printed = line()
            assert printed.startswith("Transcription:"), printed
            heard += printed.removeprefix("Transcription:")


# ----------------------------------------------------------------------------------------------- the third document


def until_whole(line: Callable[[], str], read: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != "full_transcript":
        frames.append(read(line()))
        assert frames[-1]["type"] in DOCUMENTED
    return frames


def test_the_third_documents_python(example: Callable[[int, str], str], tmp_path: Path, samples: Path) -> None:
    whole = example(3, r"Python \(websockets\).*?\n\n(.*?)\nNode\.js")
    with running([sys.executable, "-u"], whole, tmp_path / "silence.py") as line:
        frames = until_whole(line, literal_eval)
        time.sleep(0.3)
    assert frames[0] == {"type": "status", "state": "ready", "model": "parakeet"}
    assert {frame["state"] for frame in frames[1:] if frame["type"] == "status"} == {
        "diarization_unavailable", "insights_unavailable",
    }  # fmt: skip
    assert frames[-1]["text"] == ""
    path, text = spoken(samples, "river")
    silence = "(np.zeros(sr//2, dtype=np.float32))"
    assert silence in whole
    speech = whole.replace(silence, f"({SPEECH.format(path=path)})")
    with running([sys.executable, "-u"], speech, tmp_path / "speech.py") as line:
        frames = until_whole(line, literal_eval)
    assert frames[-1]["text"] == text
    assert " ".join(frame["text"] for frame in frames if frame["type"] == "final" and frame["text"]) == text


def test_the_third_documents_node(
    example: Callable[[int, str], str], node: Path, tmp_path: Path, samples: Path
) -> None:
    whole = example(3, r"Node\.js \(ws\).*?\n\n(.*?)\nPython - raw")
    (tmp_path / "node_modules").symlink_to(node)
    shown = whole.replace("console.log(JSON.parse(data))", "console.log(JSON.stringify(JSON.parse(data)))")
    assert shown != whole
    with running(["node"], whole, tmp_path / "silence.js") as line:
        assert "status" in line() + line()
    path, text = spoken(samples, "river")
    zeros = "Buffer.alloc((sr/2)*4)"
    assert zeros in whole
    samples_of = f"new Int16Array(new Uint8Array(require('fs').readFileSync({path!r}).subarray(44)).buffer)"
    speech = shown.replace(zeros, f"Buffer.from(Float32Array.from({samples_of}, one => one / 32768).buffer)")
    with running(["node"], speech, tmp_path / "speech.js") as line:
        frames = until_whole(line, json.loads)
    assert frames[-1]["text"] == text
