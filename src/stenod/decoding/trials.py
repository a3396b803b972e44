"""Hotwords in a greedy transducer search: a phrase is tried, and taken back where it does not come out whole.

Greedy search cannot see whether a beginning that it is tempted into will go on. So it goes on from there, and if the phrase
breaks off, or costs more than it is worth, it returns to where it was tempted and tries what else there was, at last what
the network itself would have written. What a phrase costs is the difference to the network's own choices, label by label.
Blanks are left where they are, as NeMo's boosting does. Pure bookkeeping for one item; the search (`transducer`) keeps its
own states for the way back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.boosting import OUTSIDE, Booster

TRIES: Final = 3
"""Labels that are tried at one place before the network has its own way."""


class Move(Enum):
    """What the search is to do with an item."""

    ON = auto()
    """Write the label."""
    STAKE = auto()
    """Write the label, and remember the place before it."""
    BACK = auto()
    """Write nothing, and return to the place remembered."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """A label that goes on with a phrase, the state it leads to, and what the phrase has then cost: 0 or less, nats."""

    label: int
    state: int
    cost: float


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the search was tempted: its state there, and what else there is to try, the best last."""

    state: int
    choices: list[_Choice]


class Trial:
    """The hotwords of one item, along its search; `starts` are the frames where a search without them begins words."""

    def __init__(self, booster: Booster, starts: Sequence[int] = ()) -> None:
        self._booster = booster
        self._starts = starts
        self._state = booster.start
        self._cost = 0.0
        self._place: _Place | None = None
        self._back = False

    def decide(self, log_probs: NDArray[np.floating[Any]], plain: int) -> tuple[int, Move]:
        """The label to write where the network would write `plain`, and what to do; `log_probs` (labels,), in nats."""
        if self._back:
            return self._again(plain)
        if self._place is not None and plain in self._booster.lexicon.spaces and self._booster.ends(self._state):
            if not self._bought():
                return self._return(plain)
            self._close()
        choices = self._choices(log_probs, plain)
        if self._place is not None:
            return self._take(choices[-1], Move.ON) if choices else self._return(plain)
        if not choices or (len(choices) == 1 and choices[0].label == plain):
            self._state = self._booster.follow(self._state, plain)
            return plain, Move.ON
        self._place = _Place(self._state, choices[:-1])
        return self._take(choices[-1], Move.STAKE)

    def pace(self, frame: int, span: int) -> int:
        """How many frames to go on after a label at `frame` that the network gives so many frames, `span`.

        What the network guesses after a spelling that it did not expect may pass over the next word; so after such a phrase
        the search goes on no later than where, without hotwords, the next word begins.
        """
        if self._place is None or self._cost == 0 or not self._booster.ends(self._state):
            return span
        after = bisect_right(self._starts, frame)
        return min(span, self._starts[after] - frame) if after < len(self._starts) else span

    def finish(self) -> Move:
        """At the end of the audio: `ON` where what was written may stand, else `BACK`."""
        if self._place is None:
            return Move.ON
        if self._booster.ends(self._state) and self._bought():
            self._close()
            return Move.ON
        return self._return(0)[1]

    def _bought(self) -> bool:
        """Whether the phrase is worth what it cost."""
        return self._cost == 0 or self._cost + self._booster.worth(self._state) > self._booster.prior

    def _take(self, choice: _Choice, move: Move) -> tuple[int, Move]:
        self._state, self._cost = choice.state, choice.cost
        return choice.label, move

    def _close(self) -> None:
        self._place, self._cost = None, 0.0

    def _return(self, plain: int) -> tuple[int, Move]:
        self._back = True
        return plain, Move.BACK

    def _again(self, plain: int) -> tuple[int, Move]:
        """At the place remembered: the next choice, or the network's own."""
        self._back = False
        place = self._place
        if place is not None and place.choices:
            return self._take(place.choices.pop(), Move.ON)
        self._close()
        self._state = self._booster.follow(self._state if place is None else place.state, plain)
        return plain, Move.ON

    def _choices(self, log_probs: NDArray[np.floating[Any]], plain: int) -> list[_Choice]:
        """What goes on with a phrase, or begins one where none is on trial, and may yet be worth it; the best last."""
        found: dict[int, tuple[float, _Choice]] = {}
        state = self._state
        while True:
            steps = self._booster.steps(state)
            costs = self._cost + log_probs[steps.tokens].astype(np.float64) - float(log_probs[plain])
            for at in np.flatnonzero((costs + steps.promises > 0) | (costs == 0)).tolist():
                choice = _Choice(int(steps.tokens[at]), int(steps.targets[at]), float(costs[at]))
                # the longest match says what comes of a label
                found.setdefault(choice.label, (float(costs[at] + steps.worths[at]), choice))
            if self._place is not None or state == OUTSIDE:
                break
            state = self._booster.fallback(state)
        return [choice for _, choice in sorted(found.values(), key=lambda one: one[0])[-TRIES:]]
