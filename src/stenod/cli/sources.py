"""Where a client's audio comes from: a file, tones, the microphone. Float samples, mono, 16 kHz, a chunk at a time.

Nothing here knows what becomes of the audio, or how fast it is taken; only the microphone has a pace of its own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
import numpy as np

from stenod.audio.convert import Converter
from stenod.audio.files import open_audio
from stenod.audio.microphone import Microphone
from stenod.cli.dialect import CHUNK
from stenod.engines.tones import GAP, SPOKEN, speak
from stenod.jobs import Samples
from stenod.options import RATE

log = logging.getLogger(__name__)

PHRASE: Final = 6
"""Tone words between two pauses."""

PAUSE: Final = 0.8
"""Seconds of silence after a phrase: long enough for an utterance to end."""


async def file(path: Path) -> AsyncGenerator[Samples]:
    """The audio of a file of any container, its channels mixed. Raises BadAudio."""
    chunks = _file(path)
    with closing(chunks):
        while (chunk := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
            yield chunk


async def tones(seconds: float) -> AsyncGenerator[Samples]:
    """Words that the engine `fake` reads, six to a phrase; to any other engine it is noise with pauses."""
    for chunk in cut(_phrases(seconds)):
        yield chunk


async def microphone(stop: anyio.Event, seconds: float | None = None) -> AsyncGenerator[Samples]:
    """What is spoken, until `stop` is set or `seconds` have passed. Raises Unavailable."""
    device = await anyio.to_thread.run_sync(Microphone)
    try:
        for number in count():
            if stop.is_set() or (seconds is not None and number * CHUNK >= seconds * RATE):
                return
            yield await anyio.to_thread.run_sync(device.read, CHUNK / RATE)
    finally:
        if device.missed:
            log.warning("What was spoken was lost %d times: it was not taken as fast as it came", device.missed)
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(device.__exit__, None, None, None)


def cut(parts: Iterable[Samples], size: int = CHUNK) -> Iterator[Samples]:
    """The same samples, `size` at a time; the last chunk may be shorter."""
    rest = np.empty(0, np.float32)
    for part in parts:
        whole = np.concatenate((rest, part))
        for start in range(0, len(whole) - len(whole) % size, size):
            yield whole[start : start + size]
        rest = whole[len(whole) - len(whole) % size :]
    if len(rest):
        yield rest


def _file(path: Path) -> Generator[Samples]:
    with open_audio(path) as reader:
        converter = Converter(reader.format)

        def mono() -> Iterator[Samples]:
            for data in reader.chunks():
                yield converter.convert(data)[0]
            yield converter.flush()[0]

        yield from cut(mono())


def _phrases(seconds: float) -> Iterator[Samples]:
    """Phrases of tone words, as many as fit, and silence to the end."""
    word = count(1)
    while seconds > 0:
        fitting = int((seconds - PAUSE) / (SPOKEN + GAP) + 1e-6)
        spoken = speak(list(islice(word, min(PHRASE, max(fitting, 0)))))
        silence = PAUSE if fitting >= PHRASE else seconds - len(spoken) / RATE
        yield np.concatenate((spoken, np.zeros(round(silence * RATE), np.float32)))
        seconds -= len(spoken) / RATE + silence
