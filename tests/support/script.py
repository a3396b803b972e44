"""Drives a pure session from a script: frames by pattern, and an oracle that knows which words the audio holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from stenod.jobs import Answer, Decode, Decoded, Frame, Kind, Shed
from stenod.options import FRAME, RATE
from stenod.session.core import Input, Output, Session
from stenod.transcript import Transcript, Word, of_words

SECOND = RATE / FRAME
"""Frames in a second."""

Kin = TypeVar("Kin")


def frame(probability: float, *, samples: int = FRAME, level: float | None = None) -> Frame:
    """One frame; its samples all equal its probability, so that a test can see which audio was decoded."""
    loudness = probability if level is None else level
    return Frame(np.full(samples, probability, dtype=np.float32), probability, loudness)


def frames(pattern: str, *, seconds: float = 0.1) -> list[Frame]:
    """Frames from a picture of the audio: `#` speech, `-` doubtful, anything else silence, each about `seconds` long."""
    chances = {"#": 0.9, "-": 0.4}
    each = max(1, round(seconds * SECOND))
    return [frame(chances.get(sign, 0.05)) for sign in pattern for _ in range(each)]


def word(text: str, start: float, end: float) -> Word:
    return Word(text, start, end, 0.9)


@dataclass
class Oracle:
    """A recogniser that knows every word; each is heard when its middle has been, and halves near the edge are wrong."""

    words: Sequence[Word]
    turn_end: float | None = None
    halves: bool = False
    decodes: list[Decode] = field(default_factory=list)

    def __call__(self, job: Decode) -> Answer:
        self.decodes.append(job)
        start, end = job.start / RATE, (job.start + len(job.samples)) / RATE
        heard = [item for item in self.words if start <= item.middle < end]
        if self.halves and heard and heard[-1].end > end:
            heard[-1] = Word(heard[-1].text[:1] + "~", heard[-1].start, end)
        return Answer(of_words(heard, turn_end=self.turn_end))


@dataclass
class Drive:
    """Feeds a session and answers its decodes, at once or when told to."""

    session: Session
    oracle: Callable[[Decode], Answer | Shed]
    immediate: bool = True
    outputs: list[Output] = field(default_factory=list)
    waiting: list[Decode] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)

    def feed(self, *items: Input | Sequence[Frame]) -> Drive:
        for item in items:
            for one in [item] if not isinstance(item, Sequence) else item:
                self._feed(one)
        return self

    def _feed(self, item: Input) -> None:
        self.inputs.append(item)
        for output in self.session.feed(item):
            self.outputs.append(output)
            if isinstance(output, Decode):
                self.waiting.append(output)
        while self.immediate and self.waiting:
            self.answer()

    def answer(self, index: int = 0) -> Drive:
        job = self.waiting.pop(index)
        self._feed(Decoded(job.job, self.oracle(job), took=0.01))
        return self

    def answer_all(self) -> Drive:
        while self.waiting:
            self.answer()
        return self

    def said(self, kind: type[Kin]) -> list[Kin]:
        return [output for output in self.outputs if isinstance(output, kind)]

    def names(self, *left_out: type) -> list[str]:
        return [type(output).__name__ for output in self.outputs if not isinstance(output, left_out)]


def partial_jobs(drive: Drive) -> list[Decode]:
    return [job for job in drive.said(Decode) if job.kind is Kind.PARTIAL]


def silent(_: Decode) -> Answer:
    return Answer(Transcript())
