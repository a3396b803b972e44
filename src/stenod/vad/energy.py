"""A voice activity detector that only listens for loudness: for tests. No model, no memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stenod.jobs import Samples

QUIET: Final = -60.0
"""dBFS at and below which the probability is 0."""

LOUD: Final = -30.0
"""dBFS at and above which it is 1; between them it rises evenly, so that 0.5 lies at -45 dBFS."""


class Energy:
    """The detector; a stream has no state."""

    def open(self) -> None:
        """Begin a stream."""
        return

    def score(self, states: Sequence[None], frames: Sequence[Samples]) -> list[Samples]:
        """Score each frame, (n_i, 512) in, (n_i,) out, by its root mean square."""
        return [_probability(stretch) for _, stretch in zip(states, frames, strict=True)]


def _probability(frames: Samples) -> Samples:
    power = np.square(frames).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 1e-20))  # dBFS
    probability: Samples = np.clip((level - QUIET) / (LOUD - QUIET), 0, 1).astype(np.float32)
    return probability
