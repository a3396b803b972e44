"""Any rate to 16 kHz, one channel, as a stream. No formats, no mixing.

The resampler (soxr, high quality) keeps its phase: what comes out depends on what went in, not on how it was cut. It holds
back up to about a tenth of a second, so a commit flushes it. A flushed soxr stream is over; the next one is primed with the
last moments of input, from a position that falls exactly on an output sample, and what was given out before is not given
out again. So a flush costs neither samples nor phase: sample k always lies at k / 16000 seconds of the input.
"""

from __future__ import annotations

from math import gcd
from typing import Final

import numpy as np
import soxr

from stenod.jobs import Samples
from stenod.options import RATE

_HISTORY: Final = (0.25, 2500)
"""Seconds, and samples, of input that outlast the filter's memory at any rate (longest measured: 0.12 s, 930 samples)."""


class Resampler:
    """One channel from `rate` to 16 kHz. After n samples and a flush, floor(n * 16000 / rate) have been given out."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._aligned = rate // gcd(rate, RATE)  # every so many input samples, one falls exactly on an output sample
        self._kept = max(int(_HISTORY[0] * rate), _HISTORY[1]) + self._aligned
        self._history: Samples = np.empty(0, np.float32)
        self._heard = 0
        self._given = 0
        self._skip = 0  # samples the stream below will give that were given before
        self._stream: soxr.ResampleStream | None = None

    def feed(self, samples: Samples) -> Samples:
        """Take `samples` (shape (n,)) and give what is ready, at 16 kHz. At 16 kHz it is the same array."""
        if self._rate == RATE:
            return samples
        if self._stream is None:
            self._stream = self._primed()
        self._heard += len(samples)
        self._history = np.concatenate((self._history, samples))[-self._kept :]
        return self._fresh(self._stream.resample_chunk(np.ascontiguousarray(samples)))

    def flush(self) -> Samples:
        """Give everything heard so far; the stream goes on in phase with the next `feed`."""
        if self._stream is None:
            return np.empty(0, np.float32)
        rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        due = self._heard * RATE // self._rate - self._given
        self._stream = None
        return self._fresh(
            rest[: self._skip + due]
        )  # soxr rounds up where a sample would lie beyond the last one heard

    def _primed(self) -> soxr.ResampleStream:
        """Make a stream that has heard the history and will give what follows the samples already given."""
        stream = soxr.ResampleStream(self._rate, RATE, 1, dtype="float32", quality="HQ")
        oldest = self._heard - len(self._history)
        unaligned = -oldest % self._aligned
        self._skip = self._given - (oldest + unaligned) * RATE // self._rate
        primed = stream.resample_chunk(self._history[unaligned:])
        self._skip -= len(primed)
        return stream

    def _fresh(self, samples: Samples) -> Samples:
        """Leave out what was given before."""
        fresh = samples[self._skip :]
        self._skip -= len(samples) - len(fresh)
        self._given += len(fresh)
        return fresh
