"""What a pool counts, as plain attributes: for /metrics and /stats to read. No logic but sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Gauges:
    """What a pool has done since it was made."""

    batches: int = 0
    requests: int = 0
    """In all those batches."""
    largest_batch: int = 0
    shed: int = 0
    """Requests answered Shed."""
    failed: int = 0
    """Requests answered with an error."""
    busy_seconds: float = 0.0
    """That the worker was at work."""
    audio_seconds: float = 0.0
    """Of audio it was given."""
    padding_seconds: float = 0.0
    """Of silence that batches of unequal length needed."""

    @property
    def padding_share(self) -> float:
        """Of what the batches held, 0 to 1."""
        return self.padding_seconds / (self.audio_seconds + self.padding_seconds) if self.audio_seconds else 0.0

    def batch(self, seconds: Sequence[float]) -> None:
        """Count a batch of requests with so many seconds of audio each."""
        self.batches += 1
        self.requests += len(seconds)
        self.largest_batch = max(self.largest_batch, len(seconds))
        self.audio_seconds += sum(seconds)
        self.padding_seconds += max(seconds) * len(seconds) - sum(seconds)
