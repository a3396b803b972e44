"""A live client of `/ws` that keeps time: when it sent which audio, and when it received what.

Audio leaves when a microphone would have it: a chunk that ends at second `t` is sent `t` seconds after the start (divided by
the pace). Clock times are those of `time.perf_counter`.
"""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

RATE = 16_000


@dataclass(frozen=True, slots=True)
class Frame:
    """A JSON frame of the server."""

    at: float
    """Clock time at which it was received."""
    kind: str
    body: dict[str, Any]


@dataclass(slots=True)
class Take:
    """One stream, from its first audio to the server's last word."""

    ends: list[float] = field(default_factory=list)
    """Seconds of the stream at which each chunk ends."""
    times: list[float] = field(default_factory=list)
    """Clock time at which each chunk was sent."""
    commits: list[float] = field(default_factory=list)
    """Clock time at which each commit was sent."""
    frames: list[Frame] = field(default_factory=list)
    late: float = 0.0
    """Seconds by which the client itself was late with a chunk, at worst."""

    def sent(self, second: float) -> float:
        """Clock time at which the audio up to `second` of the stream had been sent."""
        return self.times[min(bisect_left(self.ends, second - 1e-6), len(self.times) - 1)]

    def of(self, kind: str) -> list[Frame]:
        """The frames of one kind, in order."""
        return [frame for frame in self.frames if frame.kind == kind]

    @property
    def text(self) -> str:
        """What the finals say."""
        return " ".join(frame.body["text"] for frame in self.of("final") if frame.body["text"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to stream."""

    chunk: float = 0.04
    """Seconds of audio in a message."""
    pace: float = 1.0
    """Times as fast as it was spoken."""
    delay: float = 0.0
    """Seconds before it begins."""
    commits: Sequence[float] = ()
    """Seconds of the stream at which a commit is sent, ascending."""


async def stream(url: str, samples: NDArray[np.int16], manner: Manner) -> Take:
    """Stream `samples` (16 kHz, shape (samples,)), end, and read to the last word. Raises RuntimeError on an error."""
    take = Take()
    await asyncio.sleep(manner.delay)
    async with connect(url, compression=None, max_queue=None, ping_interval=None) as socket:
        reader = asyncio.create_task(_read(socket, take))
        with suppress(ConnectionClosed):  # the reader knows why
            await _write(socket, take, samples, manner)
        await reader
    return take


async def _write(socket: ClientConnection, take: Take, samples: NDArray[np.int16], manner: Manner) -> None:
    audio, size = samples.astype("<i2").tobytes(), 2 * round(manner.chunk * RATE)
    waiting = list(manner.commits)
    start = time.perf_counter()
    for first in range(0, len(audio), size):
        part = audio[first : first + size]
        end = (first + len(part)) / 2 / RATE
        due = start + end / manner.pace
        await asyncio.sleep(due - time.perf_counter())
        take.late = max(take.late, time.perf_counter() - due)
        await socket.send(part)
        take.ends.append(end)
        take.times.append(time.perf_counter())
        while waiting and waiting[0] <= end:
            waiting.pop(0)
            take.commits.append(time.perf_counter())
            await socket.send('{"type": "commit"}')
    await socket.send('{"type": "end"}')


async def _read(socket: ClientConnection, take: Take) -> None:
    async for message in socket:
        at, body = time.perf_counter(), json.loads(message)
        take.frames.append(Frame(at, body["type"], body))
        if body["type"] == "error":
            raise RuntimeError(f"the server says: {body['message']}")
