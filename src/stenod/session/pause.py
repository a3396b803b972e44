"""The audio of a pause: a little is kept, the rest is dropped and counted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from stenod.events import Warned
from stenod.jobs import Frame
from stenod.options import RATE

WARNING_EVERY = 5.0
"""Seconds of dropped audio between two warnings."""


@dataclass(slots=True)
class Parking:
    """Frames that wait for `Continue`."""

    frames: deque[Frame] = field(default_factory=deque)
    held: int = 0
    """Samples in `frames`."""
    lost: int = 0
    """Samples dropped in this pause, all of them older than `frames`."""

    def park(self, frame: Frame, room: float) -> tuple[int, Warned | None]:
        """Keep `frame`, at most `room` seconds in all; how many samples were dropped for it, and whether to warn."""
        self.frames.append(frame)
        self.held += len(frame.samples)
        before = self.lost
        while self.held > room * RATE:
            oldest = len(self.frames.popleft().samples)
            self.held -= oldest
            self.lost += oldest
        step = int(WARNING_EVERY * RATE)
        due = self.lost > before and (before == 0 or self.lost // step > before // step)
        return self.lost - before, self._warning() if due else None

    def _warning(self) -> Warned:
        detail = {
            "dropped_seconds": self.lost / RATE,
            "buffered_seconds": self.held / RATE,
            "policy": "drop_oldest",
        }
        return Warned("audio_dropped_during_pause", "Audio was dropped while paused.", detail)
