"""Words and word errors. Pure functions on text.

Texts are compared as scorers of read speech do: in lower case, punctuation gone but for apostrophes inside words, hyphens
read as spaces, numbers left as the text has them (a recogniser that writes `five` where the reference has `5` is wrong).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """The words of `text`, normalised."""
    plain = unicodedata.normalize("NFKC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _WORD.findall(plain.lower())


@dataclass(frozen=True, slots=True)
class Score:
    """Errors among so many words of references; scores add up."""

    errors: int = 0
    words: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.errors + other.errors, self.words + other.words)

    @property
    def rate(self) -> float:
        """The word error rate: 0 is perfect, and it may pass 1."""
        return self.errors / self.words if self.words else float(self.errors > 0)


def score(reference: str, heard: str) -> Score:
    """The errors of `heard`: fewest words to change, leave out or put in (Levenshtein's distance on words)."""
    wanted = words(reference)
    return Score(distance(wanted, words(heard)), len(wanted))


def distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Levenshtein's distance between two lists of words."""
    number = {word: index for index, word in enumerate({*one, *other})}
    target = np.array([number[word] for word in other], np.int64)
    places = np.arange(len(other) + 1)
    row = places.copy()
    for index, word in enumerate(one):
        step = np.minimum(row[1:] + 1, row[:-1] + (target != number[word]))
        best = np.concatenate(([index + 1], step))
        row = np.minimum.accumulate(best - places) + places  # insertions, all at once
    return int(row[-1])


def shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many leading words two lists share."""
    for index, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return index
    return min(len(one), len(other))
