"""Live streams through a real server whose worker is killed or stopped in the middle of an utterance: every word comes."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from _client import Manner, Take, stream
from numpy.typing import NDArray

from stenod.cli import sources
from stenod.engines import pool
from stenod.engines.tones import speak
from stenod.options import RATE
from stenod.settings import Settings
from support.serving import Running, said, serving
from support.small_model import SMALL, speech

pytestmark = pytest.mark.anyio

STREAMS = 3
WORDS = 12
"""In an utterance, 3.6 s."""


def settings(model: str) -> Settings:
    """One worker, so that all streams lose the same one; a minute of patience with it."""
    vad = "energy" if model.startswith("fake") else "silero"
    return Settings.model_validate(
        {
            "model": {"name": model, "workers": 1, "processing_timeout": 60.0},
            "endpointing": {"vad": vad, "min_silence": 0.5},
        }
    )


def tones(number: int) -> tuple[NDArray[np.int16], str]:
    """One utterance that no other stream says, with silence after it."""
    words = range(100 * number, 100 * number + WORDS)
    audio = np.concatenate((speak(words), np.zeros(RATE, np.float32)))
    return (audio * 32767).astype(np.int16), said(words)


async def spoken(samples: Path) -> tuple[NDArray[np.int16], str]:
    """A recording and what it says."""
    described = json.loads((samples / "manifest.json").read_text())
    one = next(entry for entry in described if 10 < entry["seconds"] < 13)
    audio = np.concatenate([part async for part in sources.file(samples / one["file"])])
    return (np.concatenate((audio, np.zeros(RATE, np.float32))) * 32767).astype(np.int16), one["text"]


async def play(server: Running, audios: list[NDArray[np.int16]], after: float, number: signal.Signals) -> list[Take]:
    """Every audio at the pace of speech, and what becomes of it when the worker gets a signal `after` seconds."""
    takes: dict[int, Take] = {}

    async def one(index: int) -> None:
        takes[index] = await stream(f"{server.ws}/ws", audios[index], Manner(chunk=0.1))

    async with anyio.create_task_group() as tasks:
        for index in range(len(audios)):
            tasks.start_soon(one, index)
        await anyio.sleep(after)
        os.kill(gauges(server)["pid"], number)
    return [takes[index] for index in range(len(audios))]


def gauges(server: Running) -> dict[str, Any]:
    """Of the only worker."""
    ((found,),) = server.service.recognizer.snapshot().values()
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("model", ["fake?cost=0.01", "fake-streaming?cost=0.01"])
async def test_every_stream_gets_its_final(model: str, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "STOPPED", 1.0)
    said_by = [tones(index) for index in range(1, STREAMS + 1)]
    with serving(settings(model)) as server:
        takes = await play(server, [audio for audio, _ in said_by], 3.0, number)
        assert gauges(server)["restarts"] == 1
    for take, (_, text) in zip(takes, said_by, strict=True):
        assert take.text == text
        assert take.of("error") == []
        assert take.of("partial")
        [ended] = take.of("ended")
        assert not ended.body["account"]["dropped"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_real_speech_on_the_embedded_engine(
    number: signal.Signals, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STOPPED", 2.0)
    audio, text = await spoken(samples)
    with serving(settings("pocketsphinx")) as server:
        [take] = await play(server, [audio], 6.0, number)
        assert gauges(server)["restarts"] == 1
    assert take.text == re.sub(r"[.,?!]", "", text.lower())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_model_that_really_decodes(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes is what comes when nothing happens: the same text, and some."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(pool, "STOPPED", 2.0)
    quiet = np.zeros(RATE, np.float32)
    parts = [part for take in speech("clean")[:3] for part in (take.samples, quiet)]
    audio = (np.concatenate(parts) * 32767).astype(np.int16)
    with serving(settings(str(SMALL))) as server:
        [calm] = await play(server, [audio], 0.0, signal.SIGCONT)
        [take] = await play(server, [audio], 5.0, number)
        assert gauges(server)["restarts"] == 1
    assert take.text == calm.text
    assert len(take.text.split()) > 3


async def test_a_worker_that_dies_again_and_again_loses_nobody_a_word() -> None:
    """Killed every second while three streams speak three utterances each."""
    said_by = [[tones(10 * index + turn) for turn in range(3)] for index in range(1, STREAMS + 1)]
    audios = [np.concatenate([audio for audio, _ in turns]) for turns in said_by]
    with serving(settings("fake-streaming?cost=0.01")) as server:
        takes: dict[int, Take] = {}

        async def one(index: int) -> None:
            takes[index] = await stream(f"{server.ws}/ws", audios[index], Manner(chunk=0.1))

        async def kill() -> None:
            while True:
                await anyio.sleep(2)
                pid = gauges(server)["pid"]
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            async with anyio.create_task_group() as streams:
                for index in range(STREAMS):
                    streams.start_soon(one, index)
            tasks.cancel_scope.cancel()
        assert gauges(server)["restarts"] >= 3
    for index, turns in enumerate(said_by):
        assert takes[index].text == " ".join(text for _, text in turns)
