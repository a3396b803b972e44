"""What an engine hears, against what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _words import distance

from stenod.engines.base import Engine, Request
from stenod.options import DecodeOptions
from stenod.transcript import Transcript


def hear(engine: Engine, *samples: Any, **options: Any) -> list[Transcript]:
    """All samples in one batch, with the same options."""
    return engine.transcribe([Request(one, DecodeOptions(**options)) for one in samples])


def alike(one: Transcript, other: Transcript, within: float) -> bool:
    """Whether both say the same words at the same times, as surely."""
    pairs = list(zip(one.words, other.words, strict=True))
    return one.text == other.text and all(
        abs(a.start - b.start) + abs(a.end - b.end) + abs(a.confidence - b.confidence) < within for a, b in pairs
    )


def compare(answers: Sequence[Transcript], takes: Sequence[Any]) -> tuple[float, list[float]]:
    """The share of words that are wrong, and by how many seconds the edges of words are off where all are right."""
    wrong = total = 0
    off: list[float] = []
    for take, answer in zip(takes, answers, strict=True):
        wanted, heard = take.text.split(), [word.text for word in answer.words]
        wrong += distance(wanted, heard)
        total += len(wanted)
        if wanted == heard:
            off += [
                abs(moment - true)
                for word, (_, start, end) in zip(answer.words, take.words, strict=True)
                for moment, true in ((word.start, start), (word.end, end))
            ]
    return wrong / total, off
