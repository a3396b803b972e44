"""A recogniser for tests and load: it reads words that were written into the audio as tones, at a settable cost.

What it hears is in the samples and nowhere else, so that words that reach the wrong session show at once. It spins nothing
(cost is slept) and fails on demand. Never chosen by `auto`. The tones themselves live in `tones.py`.

Parameters, given as `fake?cost=0.05&hang_on=w7`: `cost` seconds a call; `rate` seconds for each second of new audio;
`raise_on`, `crash_on`, `hang_on`: a word that makes the call raise, kills the process, or never returns; `raise_every`,
`crash_every`: each n-th call of a process does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model, Request, State
from stenod.engines.tones import read, speak
from stenod.jobs import Samples
from stenod.models.store import Store
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript, Word, of_words

__all__ = ["FAMILY", "FakeEngine", "speak"]

_OFFLINE = Capabilities(languages=("*",), max_batch=16, max_seconds=60.0, words=True, confidence=True)
_STREAMING = Capabilities(
    languages=("*",),
    max_batch=32,
    max_seconds=3600.0,
    words=True,
    confidence=True,
    streams=True,
    append_only=True,
    max_states=256,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How the engine behaves: seconds and faults, as in the module's docstring."""

    cost: float = 0.0
    rate: float = 0.0
    raise_on: str | None = None
    crash_on: str | None = None
    hang_on: str | None = None
    raise_every: int = 0
    crash_every: int = 0


@dataclass(slots=True)
class Hearing:
    """One stretch: the words so far, and the audio after the last of them."""

    words: list[Word] = field(default_factory=list)
    rest: Samples = field(default_factory=lambda: np.zeros(0, np.float32))
    origin: int = 0
    """Position of `rest[0]` in the stretch, in samples."""


class FakeEngine:
    """Reads tones. Both kinds of engine at once; `capabilities` decide how it is used."""

    def __init__(self, capabilities: Capabilities, script: Script) -> None:
        self.capabilities = capabilities
        self._script = script
        self._calls = 0

    def rehearse(self) -> None:
        """Nothing to warm up: what the script wants is for requests."""

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """Each request's words."""
        heard = [read(request.samples)[0] for request in batch]
        self._behave(sum(len(request.samples) for request in batch) / RATE, [word for some in heard for word in some])
        return [of_words(words, language=one.options.language) for words, one in zip(heard, batch, strict=True)]

    def open(self, options: DecodeOptions) -> State:  # noqa: ARG002 tones are the same in any language
        """An empty hearing."""
        return Hearing()

    def step(self, states: Sequence[State], chunks: Sequence[Samples], last: Sequence[bool]) -> list[Transcript]:
        """Hear one more chunk each; a word counts once it has ended, so nothing depends on `last`."""
        del last
        fresh: list[Word] = []
        for state, chunk in zip(states, chunks, strict=True):
            fresh += _hear(state, chunk)
        self._behave(sum(map(len, chunks)) / RATE, fresh)
        return [of_words(state.words) for state in states]

    def close(self, states: Sequence[State]) -> None:
        """Nothing to free."""

    def _behave(self, seconds: float, words: Sequence[Word]) -> None:
        """Take the time, then fail if the script says so."""
        self._calls += 1
        script = self._script
        time.sleep(script.cost + script.rate * seconds)
        said = {word.text for word in words}
        if script.hang_on in said:
            while True:
                time.sleep(60)
        if script.crash_on in said or (script.crash_every and self._calls % script.crash_every == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        if script.raise_on in said or (script.raise_every and self._calls % script.raise_every == 0):
            raise ValueError("the script says so")


def _hear(state: Hearing, chunk: Samples) -> list[Word]:
    """Append `chunk` to the hearing; the words that it completed."""
    audio = np.concatenate((state.rest, chunk))
    words, used = read(audio, origin=state.origin)
    state.words += words
    state.rest = audio[used:]
    state.origin += used
    return words


def _models(store: Store) -> Sequence[Model]:  # noqa: ARG001 they need no files
    """Two, installed everywhere."""
    return tuple(
        Model(
            name=name,
            family="fake",
            installed=True,
            languages=("*",),
            capabilities=capabilities,
            licence="MIT",
            size_mb=30,
            quality=0,
            expect="reads tones that its own synthesiser wrote: for tests and load, hears no speech",
        )
        for name, capabilities in (("fake", _OFFLINE), ("fake-streaming", _STREAMING))
    )


def _load(model: Model, options: LoadOptions) -> Engine:  # noqa: ARG001 no precision, no device
    return FakeEngine(model.capabilities, Script(**dict(model.params)))


FAMILY = Family("fake", _models, _load)
