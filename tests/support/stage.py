"""A recogniser and an intake without model or process, to test what drives sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import anyio
import numpy as np

from stenod.errors import BadAudio, ModelNotFound
from stenod.jobs import Answer, Decode, Frame, Lane, Resolved, Shed
from stenod.options import FRAME, AudioFormat, Options


@dataclass
class StageLane:
    answer: Callable[[Decode], Answer | Shed]
    delay: float | Callable[[Decode], float] = 0.0
    withdrawn: list[int] = field(default_factory=list)
    running: int = 0
    most: int = 0
    begun: anyio.Event = field(default_factory=anyio.Event)

    async def decode(self, job: Decode) -> Answer | Shed:
        self.running += 1
        self.most = max(self.most, self.running)
        self.begun.set()
        try:
            await anyio.sleep(self.delay if isinstance(self.delay, float) else self.delay(job))
            return self.answer(job)
        finally:
            self.running -= 1

    async def withdraw(self, stretch: int) -> None:
        self.withdrawn.append(stretch)


@dataclass
class Stage:
    """A Recognizer whose lanes answer from a function; `lanes` are those that were made."""

    answer: Callable[[Decode], Answer | Shed]
    delay: float | Callable[[Decode], float] = 0.0
    resolved: Resolved = field(default_factory=lambda: Resolved("stage", "stage", 30.0, words=True))
    lanes: list[StageLane] = field(default_factory=list)
    left: int = 0

    def resolve(self, options: Options) -> Resolved:
        if options.decode.model == "missing":
            if not options.fallback:
                raise ModelNotFound("There is no model called missing.")
            return replace(self.resolved, instead_of="missing")
        return self.resolved

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[Lane]:
        lane = StageLane(self.answer, self.delay)
        self.lanes.append(lane)
        try:
            yield lane
        finally:
            self.left += 1


@dataclass
class StageEars:
    """One byte is one frame for each channel: its value / 255 is the probability of speech. `!` is bad audio."""

    format: AudioFormat
    more: bool = False

    async def hear(self, data: bytes) -> list[list[Frame]]:
        await anyio.lowlevel.checkpoint()
        if b"!" in data:
            raise BadAudio("That is no audio.")
        channels = self.format.channels if self.format.split else 1
        made = [Frame(np.full(FRAME, byte / 255, dtype=np.float32), byte / 255, byte / 255) for byte in data]
        return [list(made) for _ in range(channels)]

    async def cut(self, *, last: bool = False) -> list[list[Frame]]:  # noqa: ARG002 - nothing is held back
        return [[] for _ in range(self.format.channels if self.format.split else 1)]

    async def reformat(self, audio_format: AudioFormat) -> list[list[Frame]]:
        self.format = audio_format
        return await self.cut()

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()
