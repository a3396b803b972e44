"""What a refiner is, and how several become one. May import transcript and options only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from stenod.options import Options
from stenod.transcript import Transcript


class Refiner(Protocol):
    """A pure step on a transcript."""

    @property
    def holds(self) -> int:
        """How many trailing words it may still change when more words follow; those are never stable."""
        ...

    def __call__(self, transcript: Transcript, options: Options) -> Transcript:
        """The better transcript. Total: never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Chain:
    """Refiners one after the other, as one."""

    refiners: tuple[Refiner, ...]

    @property
    def holds(self) -> int:
        """Each step may reach back behind what the step before it still holds, so they add up."""
        return sum(refiner.holds for refiner in self.refiners)

    def __call__(self, transcript: Transcript, options: Options) -> Transcript:
        """The transcript after all of them, in order."""
        for refiner in self.refiners:
            transcript = refiner(transcript, options)
        return transcript


def chain(refiners: Sequence[Refiner]) -> Refiner:
    """One refiner that does what `refiners` do in turn; none of them: one that changes nothing."""
    return Chain(tuple(refiners))
