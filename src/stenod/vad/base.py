"""What a voice activity detector is: a score for each frame, batched over streams, blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

from stenod.jobs import Samples

VadState: TypeAlias = Any
"""What the detector remembers of one stream; opaque to everyone else."""


class Vad(Protocol):
    """A detector. One caller at a time."""

    def open(self) -> VadState:
        """The state of a stream that has heard nothing."""
        ...

    def score(self, states: Sequence[VadState], frames: Sequence[Samples]) -> list[Samples]:
        """Probability of speech (0 to 1) for each frame of each stream, and the states moved on in place.

        `frames[i]` has shape (n_i, 512): the next n_i frames of stream i. Answers shape (n_i,) each. The probabilities of a
        stream do not depend on which other streams are in the batch, nor on how its frames are spread over calls.
        """
        ...
