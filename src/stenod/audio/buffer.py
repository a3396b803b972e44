"""A growing stretch of samples that is read without copies. Knows nothing of formats, frames or sessions.

Positions are absolute: they count samples since the stream's zero, whatever has been let go since. A region that has
been written is never written again (growth moves what is kept into a new array), so that a view, once given, stays true
for ever: an engine may read it in a thread while the session goes on appending.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from stenod.jobs import Samples
from stenod.options import RATE

_SMALLEST: Final = RATE
"""Samples in the smallest array: one second, 64 kB."""


class SampleBuffer:
    """Samples from position `start` up to position `end`. Append is O(1) amortised, a view O(1)."""

    def __init__(self, start: int = 0) -> None:
        self._array: Samples = np.empty(_SMALLEST, np.float32)
        self._origin = start  # the position of _array[0]
        self._start = start
        self._end = start

    @property
    def start(self) -> int:
        """Position of the first sample that is still here."""
        return self._start

    @property
    def end(self) -> int:
        """Position after the last sample."""
        return self._end

    def append(self, samples: Samples) -> None:
        """Put `samples` (shape (n,)) behind what is there; they are copied."""
        if self._end - self._origin + len(samples) > len(self._array):
            self._move(2 * (self._end - self._start + len(samples)))
        at = self._end - self._origin
        self._array[at : at + len(samples)] = samples
        self._end += len(samples)

    def view(self, start: int | None = None, stop: int | None = None) -> Samples:
        """Show the samples from `start` to `stop`, shape (stop - start,), read-only; None: all there is on that side.

        Raises IndexError for what is not here (any more, or yet): a hole in the audio is never papered over.
        """
        start = self._start if start is None else start
        stop = self._end if stop is None else stop
        if not self._start <= start <= stop <= self._end:
            raise IndexError(f"samples {start} to {stop} asked of a buffer that holds {self._start} to {self._end}")
        part = self._array[start - self._origin : stop - self._origin]
        part.flags.writeable = False
        return part

    def trim(self, before: int) -> None:
        """Let go of everything before position `before` (of all there is, where it lies beyond the end)."""
        self._start = min(max(self._start, before), self._end)
        kept = self._end - self._start
        if len(self._array) > max(_SMALLEST, 4 * kept):
            self._move(2 * kept)

    def _move(self, capacity: int) -> None:
        """Put what is kept into a new array; the old one lives as long as someone looks at it."""
        array = np.empty(max(capacity, _SMALLEST), np.float32)
        array[: self._end - self._start] = self._array[self._start - self._origin : self._end - self._origin]
        self._array, self._origin = array, self._start
