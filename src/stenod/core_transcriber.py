"""The streaming core for programs that bring their own decoder: samples in, the third document's frames out.

Drives the pure session without a task, a server or a voice activity detector. Everything that was handed over by the time of
a call is decoded within that call; one call at a time. No wire format and no engine enters this file.
"""

from __future__ import annotations

import inspect
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import anyio.to_thread
import numpy as np
from numpy.typing import NDArray

from stenod.audio.resample import Resampler
from stenod.errors import BadAudio, BadRequest, EngineFailed
from stenod.events import Commit, Configure, Final, Partial, Stamp
from stenod.jobs import Answer, Decode, Decoded, Frame, Samples
from stenod.options import FRAME, RATE, Endpointing, Options
from stenod.protocols.segments import Segments
from stenod.session.core import Input, Session
from stenod.transcript import Transcript, join, shift

Decoding: TypeAlias = str | Transcript
DecodeFn: TypeAlias = Callable[[Samples, int], Decoding | Awaitable[Decoding]]
"""Samples (float32, mono, shape (n,)) and their rate, always 16 000, to what they say; word times count from samples[0].
Plain functions run in a thread. A `Transcript` has words with times, so that its decoder can hear what came before a
segment; a decoder that gives bare texts hears each segment by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingConfig:
    """What the document's config has. `model`, `model_variant` and `language` are for the decoder: nothing here reads them.

    Raises BadRequest for a value that cannot be.
    """

    model: str = "parakeet"
    model_variant: str = "standard"
    language: str | None = None
    sample_rate: int = RATE
    """Of the samples handed over, 8 000 to 48 000."""
    chunk_duration: float = 2.0
    """Seconds of a segment."""
    overlap_duration: float = 0.5
    """Seconds before a segment that its frame reports as context, where decoding had any."""
    max_buffer_duration: float = 30.0
    """Longest stretch decoded as one, in seconds."""
    enable_partial: bool = True
    partial_interval: float = 0.5
    """Seconds of audio between two partials, at the least."""
    min_partial_duration: float = 0.5
    """Seconds of audio after a segment before the first partial."""

    def __post_init__(self) -> None:
        limits = {
            "sample_rate": (8_000, 48_000),
            "chunk_duration": (0.2, 600.0),
            "overlap_duration": (0.0, 30.0),
            "max_buffer_duration": (1.0, 600.0),
            "partial_interval": (0.0, 600.0),
            "min_partial_duration": (0.0, 600.0),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise BadRequest(f"{name} must be from {low:g} to {high:g}, not {value!r}", code="invalid_value")


class CoreTranscriber:
    """One recording. What `decode_fn` raises is raised by the call in which it happened; its segment is lost."""

    def __init__(self, config: StreamingConfig, decode_fn: DecodeFn) -> None:
        self.config = config
        self._decode_fn = decode_fn
        self._options = _options(self.config)
        self.reset()

    def reset(self) -> None:
        """Forget everything, the full transcript included."""
        self._session = Session(self._options)
        self._resampler = Resampler(self.config.sample_rate)
        self._segments = Segments()
        self._heard = 0  # samples the session has
        self._frozen = 0  # samples behind the last segment
        self._finals: list[Final] = []
        self._partial: Partial | None = None
        self._error: Exception | None = None

    def get_full_transcript(self) -> str:
        """All segments so far."""
        return self._segments.text

    async def process_audio_chunk(self, audio: NDArray[np.floating[Any]]) -> dict[str, Any] | None:
        """Take in samples (-1 to 1, shape (n,) or (n, channels)), as many as there are.

        Gives the frame of the segment that they complete (of several, one frame over all of them), else a partial where
        one is due, else None. Silence makes no frame. Raises BadAudio, and what the decoder raises.
        """
        await self._hear(self._resampler.feed(_mono(audio)), partials=self.config.enable_partial)
        return self._frame()

    async def flush(self) -> dict[str, Any] | None:
        """The segment of whatever is left, or None where that says nothing."""
        await self._hear(self._resampler.flush(), partials=False)
        await self._feed(Commit())
        return self._frame()

    async def _hear(self, samples: Samples, *, partials: bool) -> None:
        """All of `samples`; a partial is worth its decode only at their end."""
        await self._feed(Configure(replace(self._options, partials=False)))
        for at in range(0, len(samples), FRAME):
            part = samples[at : at + FRAME]
            self._heard += len(part)
            fresh = (self._heard - self._frozen) / RATE
            if partials and at + FRAME >= len(samples):
                due = self.config.min_partial_duration <= fresh < self.config.chunk_duration
                await self._feed(Configure(replace(self._options, partials=due)))
            level = float(np.sqrt(np.mean(np.square(part))))
            await self._feed(Frame(part, probability=1.0, level=level))

    async def _feed(self, item: Input) -> None:
        """One thing for the session, and whatever it wants decoded because of it."""
        outputs = deque(self._session.feed(item))
        while outputs:
            match outputs.popleft():
                case Decode() as job:
                    outputs.extend(self._session.feed(await self._decode(job)))
                case Final() as final:
                    self._finals.append(final)
                    self._frozen = round(final.end * RATE)
                case Partial() as partial:
                    self._partial = partial
                case _:
                    pass

    async def _decode(self, job: Decode) -> Decoded:
        """Bare texts cannot be parted, so a decoder that gives them does not hear again what it has said."""
        samples = job.samples if self._options.word_times else job.samples[job.context :]
        try:
            said: Any = await anyio.to_thread.run_sync(self._decode_fn, np.array(samples), RATE)
            if inspect.isawaitable(said):
                said = await said
        except Exception as error:  # noqa: BLE001 the decoder is the caller's, and the caller gets to see it
            self._error = self._error or error
            return Decoded(job.job, EngineFailed("The decoder failed."))
        if not isinstance(said, Transcript):
            self._options = replace(self._options, word_times=False)
            return Decoded(job.job, Answer(Transcript(str(said).strip())))
        return Decoded(job.job, Answer(shift(said, job.start / RATE)))

    def _frame(self) -> dict[str, Any] | None:
        """What this call has brought."""
        finals, partial, error = self._finals, self._partial, self._error
        self._finals, self._partial, self._error = [], None, None
        stamp = Stamp(0, time.time())
        frame = None
        whole = join(final.transcript for final in finals)
        if whole.text or (finals and finals[-1].closes):
            self._segments.overlap = self.config.overlap_duration if self._options.word_times else 0.0
            frame = self._segments.final(replace(finals[-1], transcript=whole), stamp)
        elif partial is not None and not finals:
            frame = self._segments.partial(partial, stamp)
        if error is not None:
            raise error
        return frame


def _options(config: StreamingConfig) -> Options:
    return Options(
        endpointing=Endpointing(mode="manual"),
        partials=False,
        partial_interval=config.partial_interval,
        min_partial=config.min_partial_duration,
        piece=config.chunk_duration,
        context=max(Options().context, config.overlap_duration),
        max_utterance=max(config.max_buffer_duration, config.chunk_duration),
    )


def _mono(audio: NDArray[np.floating[Any]]) -> Samples:
    """One channel of sound numbers."""
    if not np.issubdtype(audio.dtype, np.floating) or audio.ndim not in {1, 2}:
        raise BadAudio("Samples must be floating point, shape (n,) or (n, channels).")
    mono = audio if audio.ndim == 1 else audio.mean(axis=1)
    return np.nan_to_num(mono.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
