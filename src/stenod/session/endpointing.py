"""When speech begins and ends, from one probability per frame. Knows no utterance, sample or engine.

A Schmitt trigger (start at `threshold`, go on down to `threshold - hysteresis`) with a minimum for speech and one for
silence. Its clock is the number of samples it was shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from stenod.options import RATE, Endpointing


class Signal(Enum):
    """What a frame changed."""

    BEGAN = auto()
    """Speech has lasted `min_speech`."""
    RESUMED = auto()
    """Speech again, after an `EAGER` or a `STOPPED`."""
    EAGER = auto()
    """Silence has lasted `eager`."""
    STOPPED = auto()
    """Silence has lasted `min_silence`."""
    OVER = auto()
    """Silence has lasted `min_silence + hold`: time to commit."""


@dataclass(slots=True)
class Endpointer:
    """The state of one stream; `hear` every frame, in order."""

    options: Endpointing
    position: int = 0
    """Samples shown so far."""
    speaking: bool = False
    candidate: int | None = None
    """Where speech that is still too short to count began, or where the present speech began."""
    silence: int | None = None
    """Where the present silence within speech began."""
    _spoken: int = 0
    _said: Signal | None = None

    def hear(self, samples: int, probability: float) -> list[Signal]:
        """Take in one frame of `samples` samples; what it changed, in order."""
        before = self.position
        self.position += samples
        loud = probability >= self.options.threshold
        quiet = probability < self.options.threshold - self.options.hysteresis
        return self._in_speech(before, quiet=quiet) if self.speaking else self._in_silence(before, loud, quiet=quiet)

    def reset(self) -> None:
        """An utterance ended: whatever comes now begins anew."""
        self.speaking = False
        self.candidate = self.silence = self._said = None
        self._spoken = 0

    def assume_speech(self) -> None:
        """Speech is taken to be going on, as after a cut in the middle of it."""
        self.speaking = True
        self.candidate = self.position if self.candidate is None else self.candidate

    def retune(self, options: Endpointing) -> None:
        """New limits, in force from the next frame."""
        self.options = options

    def skip(self, samples: int) -> None:
        """`samples` samples were dropped and will never be shown."""
        self.position += samples

    def _in_silence(self, before: int, loud: bool, *, quiet: bool) -> list[Signal]:
        if quiet or (self.candidate is None and not loud):
            self.candidate, self._spoken = None, 0
            return []
        if self.candidate is None:
            self.candidate = before
        self._spoken += self.position - before
        if self._spoken < self.options.min_speech * RATE:
            return []
        self.speaking = True
        return [Signal.BEGAN]

    def _in_speech(self, before: int, *, quiet: bool) -> list[Signal]:
        if not quiet:
            resumed = self._said is not None
            self.silence = self._said = None
            return [Signal.RESUMED] if resumed else []
        if self.silence is None:
            self.silence = before
        return self._grown_silent((self.position - self.silence) / RATE)

    def _grown_silent(self, seconds: float) -> list[Signal]:
        """The marks that a silence of `seconds` has passed and that were not signalled yet."""
        marks = [
            (self.options.min_silence, Signal.STOPPED),
            (self.options.min_silence + self.options.hold, Signal.OVER),
        ]
        if self.options.eager is not None and self.options.eager < marks[1][0]:
            marks = sorted([(self.options.eager, Signal.EAGER), *marks], key=lambda mark: mark[0])
        order = [signal for _, signal in marks]
        done = order.index(self._said) + 1 if self._said in order else 0
        passed = [signal for seconds_needed, signal in marks[done:] if seconds >= seconds_needed]
        if passed:
            self._said = passed[-1]
        return passed
