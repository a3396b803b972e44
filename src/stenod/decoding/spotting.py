"""Hotwords in what a CTC network heard: whole phrases take the place of what greedy search made of the same frames.

After CTC-WS (arXiv 2406.07096): a phrase is spotted by passing tokens through its spelling, and wins where all it costs
against the best label of each frame is less than it is worth. Nothing is staked on a beginning, so that no broken-off match
can spoil a word; a path that can no longer win is dropped at once, which keeps the search short. NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.boosting import OUTSIDE, Booster
from stenod.decoding.spelling import SPACE

MOST: Final = 2000
"""Paths kept at a frame, the best; a bound for lists of thousands."""


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """A way through a part of a phrase, from some frame up to the present one."""

    cost: float
    """Nats below the best labels of the same frames: 0 or less."""
    label: int
    before: _Path | None
    first: int
    """The frame it begins at."""

    def labels(self) -> list[int]:
        """Those of its frames, from the first on."""
        labels = [self.label]
        path = self.before
        while path is not None:
            labels.append(path.label)
            path = path.before
        return labels[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class _Spot:
    """A whole phrase from the frame `first` to `last` (inclusive)."""

    gain: float
    first: int
    last: int
    path: _Path


def spot(log_probs: NDArray[np.floating], blank: int, booster: Booster) -> NDArray[np.int64]:
    """The label of each frame, shape (frames,), of `log_probs` (frames, labels): greedy, but for phrases that won.

    Labels of `booster`'s vocabulary are indices of `log_probs`. A phrase must have spaces, or nothing, on both sides.
    """
    return _Spotter(np.asarray(log_probs, np.float64), blank, booster).labels()


class _Spotter:
    def __init__(self, log_probs: NDArray[np.float64], blank: int, booster: Booster) -> None:
        self._best = log_probs.argmax(axis=1)
        self._costs = log_probs - log_probs.max(axis=1, keepdims=True)
        self._blank = blank
        self._booster = booster
        self._spaces = booster.lexicon.spaces
        frames = len(self._best)
        spoken = self._best != blank
        self._quiet = int(spoken.argmax()) if spoken.any() else frames
        """Up to this frame greedy search writes nothing."""
        self._next: list[int] = [blank] * (frames + 1)
        """The first label that greedy search writes from a frame on; the blank where it writes none."""
        for frame in range(frames - 1, -1, -1):
            self._next[frame] = int(self._best[frame]) if spoken[frame] else self._next[frame + 1]

    def labels(self) -> NDArray[np.int64]:
        """Greedy's labels with the best spots that do not overlap put in."""
        labels: NDArray[np.int64] = self._best.copy()
        taken = np.zeros(len(labels), bool)
        for one in sorted(self._spots(), key=lambda spot: -spot.gain):
            if taken[one.first : one.last + 1].any():
                continue
            labels[one.first : one.last + 1] = one.path.labels()
            # a closing space may open the next phrase
            shared = int(labels[one.last]) in self._spaces and self._booster.lexicon.bare
            taken[one.first : one.last + (not shared)] = True
        return labels

    def _spots(self) -> list[_Spot]:
        """Every phrase that is worth more than it costs."""
        spots: dict[tuple[int, int], _Spot] = {}
        alive: dict[tuple[int, int], _Path] = {}
        for frame in range(len(self._best)):
            alive = self._step(alive, frame)
            for (state, _), path in alive.items():
                one = self._ended(state, path, frame) if self._booster.ends(state) else None
                key = (path.first, state)  # of those that begin together and say the same, the best
                if one is not None and one.gain > (spots[key].gain if key in spots else 0.0):
                    spots[key] = one
        return list(spots.values())

    def _step(self, alive: dict[tuple[int, int], _Path], frame: int) -> dict[tuple[int, int], _Path]:
        """The paths one frame on, by state and label: the label repeated, a blank, or the phrase's next token."""
        after: dict[tuple[int, int], _Path] = {}
        costs: list[float] = self._costs[frame].tolist()
        promise, blank = self._booster.promise, self._blank

        def add(state: int, label: int, before: _Path | None) -> None:
            cost = costs[label] + (before.cost if before else 0.0)
            known = after.get((state, label))
            if cost + promise(state) > 0 and (known is None or cost > known.cost):
                after[state, label] = _Path(cost, label, before, before.first if before else frame)

        for (state, label), path in alive.items():
            add(state, label, path)
            if label != blank:
                add(state, blank, path)
            for token, target in self._booster.arcs(state).items():
                if token != label:
                    add(target, token, path)
        for token, target in self._entries(frame).items():
            add(target, token, None)
        if len(after) > MOST:
            ranked = sorted(after.items(), key=lambda item: item[1].cost + promise(item[0][0]), reverse=True)
            after = dict(ranked[:MOST])
        return after

    def _entries(self, frame: int) -> dict[int, int]:
        """The tokens that may begin a phrase here, and the states they lead to."""
        entries = self._booster.arcs(OUTSIDE)
        if self._booster.lexicon.bare:
            return entries | self._booster.arcs(self._booster.start) if frame <= self._quiet else entries
        before = int(self._best[frame - 1]) if frame else self._blank
        return {token: target for token, target in entries.items() if token != before}

    def _ended(self, state: int, path: _Path, frame: int) -> _Spot | None:
        """The spot that `path` makes if it ends here: a space follows, or nothing, or room is made for one."""
        gain = path.cost + self._booster.worth(state) - self._booster.prior
        follows = self._next[frame + 1]
        if follows == self._blank or follows in self._spaces:
            return _Spot(gain, path.first, frame, path)
        if not self._booster.lexicon.bare:
            return None
        space = self._booster.lexicon.ids[SPACE]
        cost = float(self._costs[frame + 1, space])
        return _Spot(gain + cost, path.first, frame + 1, _Path(path.cost + cost, space, path, path.first))
