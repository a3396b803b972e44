"""Hotwords: which tokens spell a phrase that the client expects, and what it is worth to have written it.

Phrase boosting as in GPU-PB (arXiv 2508.07014), but on the spelling: a state is a place in the sorted list of spellings, so
that every way to cut a phrase into tokens is followed and no tokenizer is needed. States, and the tokens that lead on from
one, are found when a search first comes there: a list of twenty thousand phrases costs its sorting and little more. And
phrases are bought whole (`spotting`, `trials`): a beginning is worth nothing. NumPy; knows nothing of networks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.spelling import SPACE, Lexicon

SCORE: Final = 2.0
"""A phrase is worth this many nats times its letters to the power of GROWTH. All four are measured (`bench/hotwords.py`)."""

GROWTH: Final = 0.75
"""Below 1, since a long word that is nearly another one costs no more to be mistaken for it than a short one does."""

PRIOR: Final = 0.75
"""A phrase is worth less by so many times the logarithm of how many there are, for any of them is then less expected."""

SLACK: Final = 3.0
"""How many nats a path may be behind what its letters so far are worth; more finds nothing more."""

OUTSIDE: Final = 0
"""The state of having matched nothing."""

_LAST: Final = "\U0010ffff"
"""Sorts after every spelling."""


def value(letters: int, score: float = SCORE) -> float:
    """What so many letters of a phrase are worth, in nats."""
    return float(score * letters**GROWTH)


@dataclass(frozen=True, slots=True)
class Node:
    """A state: the spellings from `low` to `high` (exclusive) share their first `depth` characters."""

    low: int
    high: int
    depth: int


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The tokens that go on with a phrase from a state, shape (n,): the state each leads to, its worth and its promise."""

    tokens: NDArray[np.int64]
    targets: NDArray[np.int64]
    worths: NDArray[np.float64]
    promises: NDArray[np.float64]


class Booster:
    """One list of phrases over one vocabulary. States are ints; they grow in number as searches visit them.

    A phrase is matched from the beginning of a word on, in each of its spellings (as given, in lower case, capitalised).
    From a broken-off match the search falls back to the longest other beginning that fits, or to `OUTSIDE`.
    """

    def __init__(self, lexicon: Lexicon, phrases: Sequence[str], score: float = SCORE) -> None:
        self.lexicon = lexicon
        self.spellings: list[str] = sorted({spelt for phrase in phrases for spelt in lexicon.spell(phrase)})
        """Each begins with a space."""
        self.prior = PRIOR * math.log(max(1, len(phrases)))
        """What a phrase must be worth before it is worth anything, in nats."""
        self._score = score
        self._nodes: list[Node] = [Node(0, len(self.spellings), 0)]
        self._numbers: dict[Node, int] = {self._nodes[0]: OUTSIDE}
        self._arcs: dict[int, dict[int, int]] = {}
        self._steps: dict[int, Steps] = {}
        self._promises: dict[int, float] = {}
        self.start = self.follow(OUTSIDE, lexicon.ids[SPACE]) if lexicon.bare else OUTSIDE
        """The state before the first token: where spaces are tokens of their own, none is heard before the first word."""

    def __len__(self) -> int:
        """How many states have been visited."""
        return len(self._nodes)

    def arcs(self, state: int) -> dict[int, int]:
        """The states that each token leads to by going on with the same phrase."""
        arcs = self._arcs.get(state)
        if arcs is None:
            node = self._nodes[state]
            prefix = self._matched(state)
            arcs = self._arcs[state] = {}
            for text in self._pieces(node):
                target = self._narrow(node, prefix + text)
                if target is not None:
                    arcs[self.lexicon.ids[text]] = self._number(target)
        return arcs

    def steps(self, state: int) -> Steps:
        """The same as arrays."""
        steps = self._steps.get(state)
        if steps is None:
            arcs = self.arcs(state)
            count, targets = len(arcs), arcs.values()
            steps = self._steps[state] = Steps(
                np.fromiter(arcs, np.int64, count),
                np.fromiter(targets, np.int64, count),
                np.fromiter(map(self.worth, targets), np.float64, count),
                np.fromiter(map(self.promise, targets), np.float64, count),
            )
        return steps

    def follow(self, state: int, token: int) -> int:
        """The state after `token`, whatever it is."""
        while True:
            target = self.arcs(state).get(token)
            if target is not None or state == OUTSIDE:
                return OUTSIDE if target is None else target
            state = self.fallback(state)

    def fallback(self, state: int) -> int:
        """The longest other beginning of a phrase that what was matched ends with."""
        matched = self._matched(state)
        at = matched.find(SPACE, 1)
        while at > 0:
            found = self._narrow(self._nodes[OUTSIDE], matched[at:])
            if found is not None:
                return self._number(found)
            at = matched.find(SPACE, at + 1)
        return OUTSIDE

    def ends(self, state: int) -> bool:
        """Whether a whole phrase has been matched."""
        node = self._nodes[state]
        return node.depth > 0 and len(self.spellings[node.low]) == node.depth

    def worth(self, state: int) -> float:
        """What has been matched is worth, once it is a whole phrase, in nats."""
        matched = self._matched(state)
        return value(len(matched) - matched.count(SPACE), self._score)

    def promise(self, state: int) -> float:
        """What a path to `state` may have cost at most, in nats, to be worth going on with."""
        promise = self._promises.get(state)
        if promise is None:
            node = self._nodes[state]
            letters = max((len(one) - one.count(SPACE) for one in self.spellings[node.low : node.high]), default=0)
            promise = min(value(letters, self._score) - self.prior, self.worth(state) + SLACK)
            self._promises[state] = promise
        return promise

    def _matched(self, state: int) -> str:
        node = self._nodes[state]
        return self.spellings[node.low][: node.depth] if node.depth else ""

    def _pieces(self, node: Node) -> Sequence[str]:
        """Texts of tokens that may lead on from `node`; whichever way of looking is shorter."""
        if (node.high - node.low) * self.lexicon.longest >= len(self.lexicon.ids):
            return list(self.lexicon.ids)
        ids, longest, depth = self.lexicon.ids, self.lexicon.longest, node.depth
        found = {
            spelling[depth:end]: None
            for spelling in self.spellings[node.low : node.high]
            for end in range(depth + 1, min(len(spelling), depth + longest) + 1)
            if spelling[depth:end] in ids
        }
        return list(found)

    def _narrow(self, node: Node, prefix: str) -> Node | None:
        """The spellings of `node` that begin with `prefix`."""
        low = bisect_left(self.spellings, prefix, node.low, node.high)
        if low == node.high or not self.spellings[low].startswith(prefix):
            return None
        return Node(low, bisect_left(self.spellings, prefix + _LAST, low, node.high), len(prefix))

    def _number(self, node: Node) -> int:
        number = self._numbers.setdefault(node, len(self._nodes))
        if number == len(self._nodes):
            self._nodes.append(node)
        return number


@dataclass(slots=True, eq=False)
class Boosters:
    """An engine's boosters: those of the lists lately asked for are kept, so that a stream's partials share one."""

    vocabulary: Sequence[str]
    """The text of each token."""
    score: float = SCORE
    keep: int = 16
    """How many lists are remembered."""
    most: int = 100_000
    """A booster that has visited more states than this is made anew."""
    _lexicon: Lexicon = field(init=False)
    _known: OrderedDict[tuple[str, ...], Booster] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._lexicon = Lexicon(self.vocabulary)

    def of(self, phrases: tuple[str, ...]) -> Booster | None:
        """The booster of one list; None where there is nothing that this vocabulary can spell."""
        if not phrases:
            return None
        booster = self._known.pop(phrases, None)
        if booster is None or len(booster) > self.most:
            booster = Booster(self._lexicon, phrases, self.score)
        self._known[phrases] = booster
        while len(self._known) > self.keep:
            self._known.popitem(last=False)
        return booster if booster.spellings else None

    def batch(self, lists: Sequence[tuple[str, ...]]) -> tuple[Booster | None, ...] | None:
        """The boosters of several lists; None where none of them has any."""
        boosters = tuple(self.of(phrases) for phrases in lists)
        return boosters if any(one is not None for one in boosters) else None
