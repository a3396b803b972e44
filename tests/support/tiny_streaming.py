"""The toy language of the model in tests/models/tiny-streaming: nine tones that are pieces of words. Speaks it; numpy alone.

A word is a beginning (`ba`, `do`, `ki`, `lu`) and up to two pieces that go on with it; `uh` is what a listener says. The
model was taught that a speaker has finished 0.4 s after a word, and a listener 0.24 s after `uh`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MODEL: Final = Path(__file__).parents[1] / "models" / "tiny-streaming"

BEGINNINGS: Final = ("ba", "do", "ki", "lu")
GOING_ON: Final = ("ra", "mi", "ne", "so")
UH: Final = "uh"
VOCABULARY: Final = (*(f"▁{piece}" for piece in BEGINNINGS), *GOING_ON, f"▁{UH}", "<EOU>", "<EOB>")
EOU: Final = VOCABULARY.index("<EOU>")
EOB: Final = VOCABULARY.index("<EOB>")

RATE: Final = 16_000
TONE: Final = 0.16
"""Seconds of a piece."""
GAP: Final = 0.16
"""Seconds between words."""
TURN: Final = 0.4
"""Seconds of silence after which the turn is over."""
BACKCHANNEL: Final = 0.24
"""Seconds of silence after which an `uh` is over."""
HERTZ: Final = dict(zip((*BEGINNINGS, *GOING_ON, UH), (300, 420, 590, 830, 1150, 1600, 2200, 3000, 4200), strict=True))


@dataclass(frozen=True, slots=True)
class Said:
    """A token, and the moment (seconds) at which it has been heard to the end."""

    token: int
    time: float


def phrase(random: np.random.Generator) -> list[tuple[str, ...]]:
    """One to six words, or an `uh`; each a tuple of pieces."""
    if random.random() < 0.12:
        return [(UH,)]
    return [
        (str(random.choice(BEGINNINGS)), *map(str, random.choice(GOING_ON, random.integers(0, 3))))
        for _ in range(random.integers(1, 7))
    ]


def spelled(words: Sequence[tuple[str, ...]]) -> str:
    """The text of `words`."""
    return " ".join("".join(word) for word in words)


def compose(
    words: Sequence[tuple[str, ...]], *, before: float = 0.2, after: float = 0.6, level: float = 0.3
) -> tuple[NDArray[np.float32], list[Said]]:
    """`words` as audio (float32, 16 kHz, shape (samples,)) with silence around them, and the tokens that they make."""
    parts = [np.zeros(round(before * RATE))]
    said: list[Said] = []
    now = before
    for word in words:
        for index, piece in enumerate(word):
            parts.append(level * _tone(HERTZ[piece]))
            now += TONE
            said.append(Said(VOCABULARY.index(piece if index else f"▁{piece}"), now))
        if word is not words[-1]:
            parts.append(np.zeros(round(GAP * RATE)))
            now += GAP
    parts.append(np.zeros(round(after * RATE)))
    if words:
        end, pause = (EOB, BACKCHANNEL) if words[-1] == (UH,) else (EOU, TURN)
        said.append(Said(end, now + pause))
    return np.concatenate(parts).astype(np.float32), [one for one in said if one.time <= now + after]


def _tone(hertz: float) -> NDArray[np.float64]:
    times = np.arange(round(TONE * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * times)
    edge = round(0.01 * RATE)
    wave[:edge] *= np.linspace(0, 1, edge)
    wave[-edge:] *= np.linspace(1, 0, edge)
    return wave
