"""What a transducer's search has written: round by round while it goes on, item by item in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """What one item says; arrays of shape (labels,)."""

    labels: Ints
    frames: Ints
    """The frame that each label was emitted on."""
    spans: Ints
    """Frames that it lasts as far as the model says; 0 where it says nothing."""
    log_probs: NDArray[np.float64]
    """Among all labels with the blank, not among durations."""
    confidences: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Emitted:
    """Labels of one round, at most one an item."""

    items: Ints
    labels: Ints
    frames: Ints
    spans: Ints
    log_probs: NDArray[np.float64]
    confidences: NDArray[np.float64]

    def without(self, item: int) -> Emitted:
        """The same, but for one item."""
        others = self.items != item
        columns = (self.items, self.labels, self.frames, self.spans, self.log_probs, self.confidences)
        return self if others.all() else Emitted(*(column[others] for column in columns))


def hypotheses(emitted: Sequence[Emitted], batch: int) -> list[Hypothesis]:
    """The rounds, item by item."""
    if not emitted:
        none, nothing = np.zeros(0, np.int64), np.zeros(0, np.float64)
        return [Hypothesis(none, none, none, nothing, nothing)] * batch
    items = np.concatenate([one.items for one in emitted])
    order = np.argsort(items, kind="stable")
    cuts = np.searchsorted(items[order], np.arange(1, batch))
    columns = [
        np.split(np.concatenate([getattr(one, name) for one in emitted])[order], cuts)
        for name in ("labels", "frames", "spans", "log_probs", "confidences")
    ]
    return [Hypothesis(*(column[item] for column in columns)) for item in range(batch)]
