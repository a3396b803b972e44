"""Hotwords: a bonus for the tokens that spell a phrase which the client expects.

Phrase boosting by shallow fusion (GPU-PB, arXiv 2508.07014), but on the spelling: a state is a place in the sorted list of
spellings, so that every way to cut a phrase into tokens is followed and no tokenizer is needed. States, and the tokens that
lead on from one, are found when a search first comes there: a list of twenty thousand phrases costs its sorting and little
more. NumPy; knows nothing of networks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.spelling import SPACE, Lexicon

OUTSIDE: Final = 0
"""The state of having matched nothing."""

_LAST: Final = "\U0010ffff"
"""Sorts after every spelling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a matched phrase is worth: `score * letters ** growth`, in nats; spaces are no letters.

    Growth above 1 makes each letter worth more than the one before it: what has gone well so far is the likelier to go on,
    and little is staked on a beginning.
    """

    score: float = 0.5
    growth: float = 1.3

    def total(self, letters: int) -> float:
        """What the first so many letters of a phrase are worth together."""
        return float(self.score * letters**self.growth)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What a state does to the next label, over what `OUTSIDE` does: `tokens` and their `bonuses` (nats), both (n,)."""

    tokens: NDArray[np.int64]
    bonuses: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Node:
    """A state: the spellings from `low` to `high` (exclusive) share their first `depth` characters."""

    low: int
    high: int
    depth: int


class Booster:
    """One list of phrases over one vocabulary. States are ints; they grow in number as searches visit them.

    A phrase is matched from the beginning of a word on, in each of its spellings (as given, in lower case, capitalised).
    From a broken-off match the search falls back to the longest other beginning that fits, or to `OUTSIDE`.
    """

    def __init__(self, lexicon: Lexicon, phrases: Sequence[str], weights: Weights) -> None:
        self.lexicon = lexicon
        self.weights = weights
        self.spellings: list[str] = sorted({spelt for phrase in phrases for spelt in lexicon.spell(phrase)})
        """Each begins with a space."""
        self.phrases = len(phrases)
        self._nodes: list[Node] = [Node(0, len(self.spellings), 0)]
        self._numbers: dict[Node, int] = {self._nodes[0]: OUTSIDE}
        self._arcs: dict[int, dict[int, int]] = {}
        self._rows: dict[int, Row] = {}
        self._hopes: dict[int, float] = {}
        self._outside = np.zeros(lexicon.size, np.float32)
        self.start = self.follow(OUTSIDE, lexicon.ids[SPACE]) if lexicon.bare else OUTSIDE
        """The state before the first token: where spaces are tokens of their own, none is heard before the first word."""
        for token, target in self.arcs(OUTSIDE).items():
            self._outside[token] = self.worth(target)

    def __len__(self) -> int:
        """How many states have been visited."""
        return len(self._nodes)

    @property
    def outside(self) -> NDArray[np.float32]:
        """The bonus of each token where nothing has been matched, in nats; shape (len(vocabulary),)."""
        return self._outside

    def row(self, state: int) -> Row:
        """The tokens whose bonuses at `state` are others than `outside`'s."""
        row = self._rows.get(state)
        if row is None:
            row = self._rows[state] = self._row(state)
        return row

    def follow(self, state: int, token: int) -> int:
        """The state after `token`."""
        while True:
            target = self.arcs(state).get(token)
            if target is not None:
                return target
            if state == OUTSIDE:
                return OUTSIDE
            state = self._fallback(state)

    def arcs(self, state: int) -> dict[int, int]:
        """The states that each token leads to by going on with the same phrase."""
        arcs = self._arcs.get(state)
        if arcs is None:
            node = self._nodes[state]
            prefix = self.spellings[node.low][: node.depth] if self.spellings else ""
            arcs = self._arcs[state] = {}
            for text in self._pieces(node):
                target = self._narrow(node, prefix + text)
                if target is not None:
                    arcs[self.lexicon.ids[text]] = self._number(target)
        return arcs

    def node(self, state: int) -> Node:
        """Where in the list of spellings `state` is."""
        return self._nodes[state]

    def ends(self, state: int) -> bool:
        """Whether a whole phrase has been matched."""
        node = self._nodes[state]
        return node.depth > 0 and len(self.spellings[node.low]) == node.depth

    def worth(self, state: int) -> float:
        """What has been matched at `state` is worth, in nats."""
        return self.weights.total(self._letters(state))

    def hope(self, state: int) -> float:
        """The most that a phrase can be worth that goes on from `state`, in nats."""
        hope = self._hopes.get(state)
        if hope is None:
            node = self._nodes[state]
            spelt = self.spellings[node.low : node.high]
            letters = max((len(one) - one.count(SPACE) for one in spelt), default=0)
            hope = self._hopes[state] = self.weights.total(letters)
        return hope

    def _letters(self, state: int) -> int:
        node = self._nodes[state]
        return node.depth - self.spellings[node.low].count(SPACE, 0, node.depth) if node.depth else 0

    def _row(self, state: int) -> Row:
        bonuses: dict[int, float] = {}
        while state != OUTSIDE:
            worth = self.worth(state)
            for token, target in self.arcs(state).items():
                bonuses[token] = max(bonuses.get(token, 0.0), self.worth(target) - worth)
            state = self._fallback(state)
        tokens = np.fromiter(bonuses, np.int64, len(bonuses))
        values = np.fromiter(bonuses.values(), np.float32, len(bonuses))
        return Row(tokens, np.maximum(values, self._outside[tokens]))

    def _fallback(self, state: int) -> int:
        """The longest other beginning of a phrase that what was matched ends with."""
        node = self._nodes[state]
        matched = self.spellings[node.low][: node.depth]
        at = matched.find(SPACE, 1)
        while at > 0:
            found = self._narrow(self._nodes[OUTSIDE], matched[at:])
            if found is not None:
                return self._number(found)
            at = matched.find(SPACE, at + 1)
        return OUTSIDE

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


class Boosting:
    """The boosters of a batch, one an item, for searches that go on item beside item.

    `states`, shape (batch,), are the search's own: this object keeps only the matrix that `scores` hands out.
    """

    def __init__(self, boosters: Sequence[Booster | None], labels: int) -> None:
        self.boosters = tuple(boosters)
        self._matrix = np.zeros((len(self.boosters), labels), np.float32)
        self._shown: list[Row | None] = [None] * len(self.boosters)

    def start(self) -> NDArray[np.int64]:
        """The states before the first token, shape (batch,)."""
        return np.array([OUTSIDE if one is None else one.start for one in self.boosters], np.int64)

    def scores(self, states: NDArray[np.int64]) -> NDArray[np.float32]:
        """What to add to the log-probabilities, shape (batch, labels); the blank and durations get nothing.

        The array is this object's: it holds until the next call, and only rows whose state changed are written again.
        """
        for item, booster in enumerate(self.boosters):
            if booster is None:
                continue
            row = booster.row(int(states[item]))
            if row is not self._shown[item]:
                self._matrix[item, : len(booster.outside)] = booster.outside[: self._matrix.shape[1]]
                self._matrix[item, row.tokens] = row.bonuses
                self._shown[item] = row
        return self._matrix

    def advance(
        self, states: NDArray[np.int64], tokens: NDArray[np.int64], emitted: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """The states after `tokens`, shape (batch,); items where `emitted` is false (a blank) keep theirs."""
        after = states.copy()
        for item, booster in enumerate(self.boosters):
            if booster is not None and (emitted is None or emitted[item]):
                after[item] = booster.follow(int(states[item]), int(tokens[item]))
        return after

    def take(self, items: Sequence[int] | NDArray[np.int64]) -> Boosting:
        """The same for some of the items, in that order."""
        return Boosting([self.boosters[int(item)] for item in items], self._matrix.shape[1])


@dataclass(slots=True, eq=False)
class Boosters:
    """An engine's boosters: those of the lists lately asked for are kept, so that a stream's partials share one."""

    vocabulary: Sequence[str]
    """The text of each token, without the blank."""
    weights: Weights = field(default_factory=Weights)
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
            booster = Booster(self._lexicon, phrases, self.weights)
        self._known[phrases] = booster
        while len(self._known) > self.keep:
            self._known.popitem(last=False)
        return booster if booster.spellings else None

    def batch(self, lists: Sequence[tuple[str, ...]], labels: int) -> Boosting | None:
        """The boosters of a batch's items for so many labels; None where no item has any."""
        boosters = [self.of(phrases) for phrases in lists]
        return Boosting(boosters, labels) if any(one is not None for one in boosters) else None
