"""What a batch costs, learnt from those that were done: something for each batch, and something for each second in it.

The two are told apart because they ask for opposite things: a dear batch wants company, dear seconds want none. Pure; a
second of audio here is a second of the padded batch, since engines work through the padding as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MEMORY: Final = 0.98
"""What each batch leaves of the weight of those before it: the last fifty count."""

_PRIOR: Final = 0.003
"""Weight, in squared lengths, of the guess that all of it goes by the second: batches of one length tell no better."""

_LEAP: Final = 4.0
"""A batch counts as so many times its prediction at most: one hiccup of the machine is no new engine."""

_SURE: Final = 5.0
"""Batches after which a prediction is worth something."""


@dataclass(slots=True)
class Cost:
    """A straight line through (seconds of audio, seconds of work), by least squares, the past fading."""

    fixed: float = 0.0
    """Seconds of work for a batch, whatever is in it."""
    rate: float = 0.0
    """Seconds of work for each second of audio."""
    _weight: float = 0.0
    _x: float = 0.0
    _y: float = 0.0
    _xx: float = 0.0
    _xy: float = 0.0

    @property
    def known(self) -> bool:
        """Whether enough has been seen to rely on it."""
        return self._weight >= _SURE * 0.9

    @property
    def typical(self) -> float:
        """Seconds of work of the batches lately, on average."""
        return self._y / self._weight if self._weight else 0.0

    def of(self, seconds: float, batches: int = 1) -> float:
        """Seconds of work that `seconds` of audio in so many batches will take; 0 while nothing is known."""
        return self.fixed * batches + self.rate * seconds

    def learn(self, took: float, seconds: float) -> None:
        """A batch of `seconds` of audio took `took` seconds."""
        if self.known:
            took = min(took, _LEAP * self.of(seconds))
        self._weight = _MEMORY * self._weight + 1
        self._x = _MEMORY * self._x + seconds
        self._y = _MEMORY * self._y + took
        self._xx = _MEMORY * self._xx + seconds * seconds
        self._xy = _MEMORY * self._xy + seconds * took
        x, y = self._x / self._weight, self._y / self._weight
        variance, covariance = self._xx / self._weight - x * x, self._xy / self._weight - x * y
        if x > 0:
            slope = (covariance + _PRIOR * x * y) / (variance + _PRIOR * x * x)
            self.rate = min(max(0.0, slope), y / x)
        self.fixed = max(0.0, y - self.rate * x)
