"""The intake: bytes of any format in, scored frames out. Conversion happens here and nowhere else.

One for each connection; a connection whose channels are split gives the frames of each channel apart, for a session of its
own. Conversion leaves the event loop where it costs anything; speech is scored in batches across all sessions. Knows
nothing of utterances, commands or sockets. One caller at a time, who closes it at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
import anyio.to_thread
import numpy as np

from stenod.audio.convert import Converter, outputs
from stenod.audio.formats import WIDTH, bytes_per_second, check
from stenod.errors import BadRequest, EngineFailed
from stenod.jobs import Frame, Samples
from stenod.options import FRAME, AudioFormat, Encoding
from stenod.vad.base import VadState
from stenod.vad.scorer import Scorer

_INLINE: Final = 0.3
"""Seconds of one channel that are converted on the event loop: that takes under 0.1 ms, less than a thread costs."""

_PACKET: Final = 1_500
"""Bytes of an Opus packet that is decoded on the event loop, for the same reason."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """What was wrong with the audio and has been put right."""

    samples: int = 0
    """Samples that were no number (NaN, infinity) and became 0."""
    bytes: int = 0
    """Bytes of a sample that has not become whole (yet; after the last `cut`, never)."""
    packets: int = 0
    """Packets of compressed audio that could not be decoded and were left out."""

    def __add__(self, other: Repairs) -> Repairs:
        return Repairs(self.samples + other.samples, self.bytes + other.bytes, self.packets + other.packets)


@dataclass(slots=True, eq=False)
class _Channel:
    """One stream of 16 kHz samples on its way into frames."""

    state: VadState
    pending: Samples = field(default_factory=lambda: np.empty(0, np.float32))

    def take(self, samples: Samples, *, rest: bool) -> Samples:
        """Give the samples that fill whole frames, or all there are."""
        samples = np.concatenate((self.pending, samples))
        whole = len(samples) if rest else len(samples) // FRAME * FRAME
        self.pending = samples[whole:].copy()
        return samples[:whole]


class Intake:
    """Bytes of a format to frames, one list for each channel; the same frames whatever the slicing of the bytes.

    `gate` False: nobody needs to know what is speech. Raises BadRequest for a format that cannot be heard, EngineFailed
    where the voice activity detector fails.
    """

    def __init__(
        self,
        audio_format: AudioFormat,
        scorer: Scorer,
        *,
        gate: bool = True,
    ) -> None:
        check(audio_format)
        self.gate = gate
        """May change at any time; frames that are not scored have probability 0."""
        self._format = audio_format
        self._scorer = scorer
        self._converter = Converter(audio_format)
        self._channels = [_Channel(scorer.open()) for _ in range(outputs(audio_format))]
        self._repaired = Repairs()  # by the converters of former formats

    @property
    def channels(self) -> int:
        """How many sessions this audio is for."""
        return len(self._channels)

    @property
    def repairs(self) -> Repairs:
        """All that had to be repaired so far."""
        now = Repairs(self._converter.repaired, self._converter.waiting, self._converter.skipped)
        return self._repaired + now

    @property
    def more(self) -> bool:
        """Whether what was heard holds more than was given: hear no bytes, to get it. Compressed audio may hold hours."""
        return self._converter.more

    async def hear(self, data: bytes) -> list[list[Frame]]:
        """Take bytes and give the whole frames that are ready, for each channel.

        Bytes are cut anywhere, but an Opus packet is given alone. Raises BadAudio for compressed audio that is none.
        """
        if self._quick(data):
            converted = self._converter.convert(data)
        else:
            converted = await anyio.to_thread.run_sync(self._converter.convert, data)
        return await self._frames(converted, rest=False)

    def _quick(self, data: bytes) -> bool:
        """Whether converting `data` costs less than a thread does."""
        match self._format.encoding:
            case Encoding.CONTAINER:
                return False
            case Encoding.OPUS:
                return len(data) <= _PACKET
            case _:
                return len(data) / bytes_per_second(self._format) * self._format.channels <= _INLINE

    async def cut(self, *, last: bool = False) -> list[list[Frame]]:
        """Give everything received so far, for each channel; the last frame is short where it has to be.

        Framing starts anew here, and conversion goes on in phase. Bytes of an unfinished sample still wait for the others.
        `last`: no more will be heard, and what a decoder of compressed audio was still waiting for will not come.
        """
        if last and self._format.encoding not in WIDTH:
            return await self._frames(await anyio.to_thread.run_sync(self._converter.finish), rest=True)
        return await self._frames(self._converter.flush(), rest=True)

    async def reformat(self, audio_format: AudioFormat) -> list[list[Frame]]:
        """Let another format hold from the next byte, and give what the old one still held, as `cut` does.

        The same format changes nothing and gives nothing. What the detector remembers stays. Raises BadRequest for another
        number of sessions than there are, and then the old format still holds.
        """
        check(audio_format)
        if outputs(audio_format) != self.channels:
            message = (
                f"{outputs(audio_format)} channels cannot take the place of {self.channels} in the middle of a session"
            )
            raise BadRequest(message, code="bad_format")
        if audio_format == self._format:
            return [[] for _ in self._channels]
        frames = await self.cut(last=True)
        self._repaired = self.repairs
        await self.close()
        self._format, self._converter = audio_format, Converter(audio_format)
        return frames

    async def close(self) -> None:
        """Let go of everything, whatever else is being cancelled."""
        if self._format.encoding not in WIDTH:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._converter.close)

    async def _frames(self, converted: Sequence[Samples], *, rest: bool) -> list[list[Frame]]:
        """Frame and score each channel; all wait for the scorer together, so that they share a batch."""
        taken = [channel.take(samples, rest=rest) for channel, samples in zip(self._channels, converted, strict=True)]
        if self.channels == 1:
            return [await self._scored(self._channels[0], taken[0])]
        answers: list[list[Frame]] = [[] for _ in taken]
        failures: list[EngineFailed] = []

        async def answer(index: int) -> None:
            try:
                answers[index] = await self._scored(self._channels[index], taken[index])
            except EngineFailed as failure:  # one error, not a group of as many as there are channels
                failures.append(failure)

        async with anyio.create_task_group() as tasks:
            for index in range(self.channels):
                tasks.start_soon(answer, index)
        if failures:
            raise failures[0]
        return answers

    async def _scored(self, channel: _Channel, samples: Samples) -> list[Frame]:
        """Make frames of `samples`; a short last one is filled up with zeros for the detector alone."""
        if not len(samples):
            return []
        short = -len(samples) % FRAME
        frames = np.pad(samples, (0, short)).reshape(-1, FRAME) if short else samples.reshape(-1, FRAME)
        lengths = np.full(len(frames), FRAME)
        lengths[-1] -= short
        levels = np.sqrt(np.square(frames).sum(axis=1) / lengths)
        probabilities = (
            await self._scorer.score(channel.state, frames) if self.gate else np.zeros(len(frames), np.float32)
        )
        return [
            Frame(samples[index * FRAME : (index + 1) * FRAME], float(probability), float(level))
            for index, (probability, level) in enumerate(zip(probabilities, levels, strict=True))
        ]
