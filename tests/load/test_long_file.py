"""An hour in one upload: every word of it, and no more memory than minutes take."""

from __future__ import annotations

import threading
import wave
from pathlib import Path

import httpx
import numpy as np
import pytest
from _serving import Serving, serving

from stenod.engines.tones import speak
from stenod.options import RATE

WORDS = list(range(1, 9))


def write(path: Path, minutes: int) -> int:
    """The same eight words, and a second and a half of silence, over and over; how many times."""
    once = np.concatenate((speak(WORDS), np.zeros(RATE * 3 // 2, np.float32)))
    data = (once * 32767).astype("<i2").tobytes()
    times = minutes * 60 * RATE * 2 // len(data)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        for _ in range(times):
            file.writeframes(data)
    return times


def upload(server: Serving, path: Path) -> tuple[list[str], float]:
    """The words, and the most memory (megabytes) that the server and its worker took meanwhile."""
    most, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.1):
            usage = server.usage()
            most = max(most, usage.rss if usage is not None else 0.0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with path.open("rb") as file:
            answer = httpx.post(f"{server.address}/v1/audio/transcriptions", files={"file": file}, timeout=100)
    finally:
        done.set()
        watcher.join()
    assert answer.status_code == 200
    return answer.json()["text"].split(), most


@pytest.mark.slow
@pytest.mark.parametrize("model", ["fake", "fake-streaming"])
def test_an_hour_takes_no_more_memory_than_minutes(tmp_path: Path, model: str) -> None:
    taken = []
    with serving("--model", model, STENOD_ENDPOINTING_VAD="energy") as server:
        for minutes in (3, 60):
            path = tmp_path / f"{minutes}.wav"
            times = write(path, minutes)
            words, most = upload(server, path)
            assert words == [f"w{word}" for word in WORDS] * times
            taken.append(most)
            path.unlink()
    few, many = taken
    assert many < few + 40, f"{few} MB for minutes, {many} MB for an hour"
