"""Words as tones, and tones as words: the language of the `fake` engine. Pure functions on samples.

A word is a number below 65 536. It is written as five tones of 40 ms without a gap: four hexadecimal digits, the highest
first, and a check digit; silence separates words. Sixteen tones from 400 to 3 250 Hz, 190 Hz apart, pass a telephone line,
16-bit and mu-law rounding, and any resampling between 8 and 48 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.jobs import Samples
from stenod.options import RATE
from stenod.transcript import Word

SYMBOL: Final = 0.04
"""Seconds of one tone."""
DIGITS: Final = 5
SPOKEN: Final = SYMBOL * DIGITS
"""Seconds of one word."""
GAP: Final = 0.1
"""Seconds of silence after a word, unless told otherwise."""
TONES: Final = 400.0 + 190.0 * np.arange(16)
"""Hertz."""

_HOP: Final = RATE // 200
_SYMBOL: Final = round(SYMBOL * RATE)
_LENGTH: Final = _SYMBOL * DIGITS
_FLOOR: Final = 0.01
"""Root mean square below which there is silence."""
_PURITY: Final = 0.5
"""Least share of a symbol's energy that its tone must hold."""


def speak(words: Sequence[int], *, rate: int = RATE, gap: float = GAP, level: float = 0.3) -> Samples:
    """Audio that says `words`, each followed by `gap` seconds of silence; `level` is the peak, 0 to 1.

    Shape (samples,) at `rate` samples per second. The reader wants gaps of 40 ms and more.
    """
    silence = np.zeros(round(gap * rate), np.float32)
    parts = [part for word in words for part in (_burst(word, rate, level), silence)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def read(samples: Samples, origin: int = 0) -> tuple[list[Word], int]:
    """The complete words in `samples` (16 kHz, shape (samples,)) and how many samples nobody needs again.

    Times are seconds, with `samples[0]` at position `origin`. A word that is cut off at the end waits; one whose beginning
    is missing does not pass its check digit and is skipped.
    """
    loud = _loudness(samples) > _FLOOR
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False)).reshape(-1, 2) * _HOP
    words: list[Word] = []
    used = 0
    for start, end in edges:
        if end >= len(loud) * _HOP:  # it may go on
            return words, max(used, int(start) - 2 * _HOP)
        used = int(end)
        word = _decode(samples, int(start), origin)
        if word is not None:
            words.append(word)
    return words, max(used, len(loud) * _HOP - 2 * _HOP)


def _burst(word: int, rate: int, level: float) -> Samples:
    """One word's five tones, with soft edges."""
    if not 0 <= word < 16**4:
        raise ValueError(f"a word is a number from 0 to 65535, not {word}")
    digits = [word >> 12 & 15, word >> 8 & 15, word >> 4 & 15, word & 15]
    length = round(SYMBOL * rate)
    times = np.arange(length) / rate
    wave = np.concatenate([np.sin(2 * np.pi * TONES[digit] * times) for digit in (*digits, _check(digits))])
    edge = round(0.002 * rate)
    wave[:edge] *= np.linspace(0, 1, edge)
    wave[-edge:] *= np.linspace(1, 0, edge)
    return (level * wave).astype(np.float32)


def _check(digits: Sequence[int]) -> int:
    """A digit that notices any one wrong digit, and two that changed places."""
    return sum((place * 2 + 1) * digit for place, digit in enumerate(digits)) % 16


def _loudness(samples: Samples) -> NDArray[np.float32]:
    """Root mean square of each whole hop of 5 ms, shape (hops,)."""
    hops = len(samples) // _HOP
    return (
        np.sqrt(np.mean(samples[: hops * _HOP].reshape(hops, _HOP) ** 2, axis=1)) if hops else np.zeros(0, np.float32)
    )


@cache
def _basis() -> NDArray[np.complex128]:
    """The tones over the middle half of a symbol, shape (symbol / 2, 16)."""
    times = np.arange(_SYMBOL // 2) / RATE
    shape = np.hanning(len(times))[:, None]
    return np.asarray(np.exp(-2j * np.pi * times[:, None] * TONES) * shape)


def _decode(samples: Samples, start: int, origin: int) -> Word | None:
    """The word that begins at `samples[start]`, or None."""
    burst = samples[start : start + _LENGTH]
    if len(burst) < _LENGTH:
        return None
    quarter = _SYMBOL // 4
    middles = burst.reshape(DIGITS, _SYMBOL)[:, quarter : quarter + _SYMBOL // 2]
    power = np.abs(middles @ _basis()) ** 2
    digits = [int(digit) for digit in power.argmax(axis=1)]
    purity = float(np.min(power.max(axis=1) / (power.sum(axis=1) + 1e-9)))
    if purity < _PURITY or _check(digits[:4]) != digits[4]:
        return None
    number = digits[0] << 12 | digits[1] << 8 | digits[2] << 4 | digits[3]
    begins = (origin + start) / RATE
    return Word(f"w{number}", begins, begins + SPOKEN, round(min(purity, 1.0), 3))
