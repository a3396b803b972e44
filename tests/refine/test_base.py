"""Refiners in a row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from stenod.options import Options
from stenod.refine.base import Refiner, chain
from stenod.transcript import Transcript, Word, of_words


@dataclass(frozen=True)
class Append:
    """A refiner that marks every word."""

    mark: str
    holds: int

    def __call__(self, transcript: Transcript, options: Options) -> Transcript:
        assert options == Options()
        return of_words([Word(word.text + self.mark, word.start, word.end) for word in transcript.words])


@pytest.mark.parametrize(
    ("refiners", "text", "holds"),
    [
        ([], "one two", 0),
        ([Append("a", 1)], "onea twoa", 1),
        ([Append("a", 1), Append("b", 2)], "oneab twoab", 3),
        ([chain([Append("a", 1), Append("b", 0)]), Append("c", 2)], "oneabc twoabc", 3),
    ],
)
def test_chain(refiners: list[Refiner], text: str, holds: int) -> None:
    spoken = of_words([Word("one", 0, 1), Word("two", 1, 2)])
    chained = chain(refiners)
    assert chained(spoken, Options()).text == text
    assert chained.holds == holds
