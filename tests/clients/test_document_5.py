"""The fifth document's own Python example, as it stands and with speech for its sine: copied for the test's time only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY, missing
from stenod.settings import Settings
from support.serving import Running, serving

DOCUMENTS = REPOSITORY.parent / "shared" / "seeds"

SPEECH = """
        import wave
        with wave.open({path!r}) as file:
            speech = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
        audio_int16 = np.concatenate([speech, np.zeros(160_000, np.int16)])  # the microphone stays on
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(Settings()) as running:
        yield running


@pytest.fixture(scope="module")
def example(server: Running) -> str:
    """The example, with nothing but its host replaced."""
    found = sorted(DOCUMENTS.glob("5-*.md"))
    if not found:
        missing("the fifth document")
    blocks = re.findall(r"```python\n(.*?)```", found[0].read_text(encoding="utf-8"), re.DOTALL)
    [whole] = [block for block in blocks if "asyncio.run" in block]
    assert "localhost:8080" in whole
    return str(whole).replace("localhost:8080", f"127.0.0.1:{server.port}")


def printed(source: str, place: Path) -> list[str]:
    """What the script says; it may raise nothing."""
    script = place / "example.py"
    script.write_text(source, encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_it_runs_as_it_stands(example: str, tmp_path: Path) -> None:
    assert all(line.startswith("Transcription: ") for line in printed(example, tmp_path))


@pytest.mark.parametrize("name", ["weather", "river"])
def test_with_speech_it_prints_the_words(example: str, tmp_path: Path, samples: Path, name: str) -> None:
    speech = SPEECH.format(path=str(samples / f"{name}.wav"))
    spoken, replaced = re.subn(
        r"\n *sample_rate = 16000\n.*?astype\(np.int16\)\n", lambda _: speech, example, flags=re.DOTALL
    )
    assert replaced == 1
    [text] = [
        one["text"] for one in json.loads((samples / "manifest.json").read_text()) if one["file"] == f"{name}.wav"
    ]
    lines = printed(spoken, tmp_path)
    assert lines[-1] == f"Transcription: {text.lower().rstrip('.')}"
    assert len(lines) > 2  # partials came before it
