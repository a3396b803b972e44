"""Where a client's audio has got to: numbers of its samples, bytes, and seconds of the session, across changes of format.

Pure arithmetic. Places of compressed audio are not samples but bytes, and say nothing of seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from stenod.audio.formats import WIDTH
from stenod.options import AudioFormat

MARKS = 64
"""Changes of format that are remembered; a client that comes back is never that far behind."""


@dataclass(frozen=True, slots=True)
class Mark:
    """From here on the audio has this format."""

    seconds: float
    sample: int
    byte: int
    format: AudioFormat

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel; 1 where there are none to count."""
        return WIDTH.get(self.format.encoding, 0) * self.format.channels or 1

    @property
    def counts_samples(self) -> bool:
        """Whether places are samples, and so seconds."""
        return self.format.encoding in WIDTH


class Track:
    """The audio of one session, from number `origin` on."""

    def __init__(self) -> None:
        self.taken = 0
        """Bytes that were taken in, re-sent ones not counted twice."""
        self._marks = [Mark(0.0, 0, 0, AudioFormat())]
        self._placed = False

    @property
    def offset(self) -> int:
        """Number of the first sample that was not taken in whole."""
        mark = self._marks[-1]
        return mark.sample + (self.taken - mark.byte) // mark.frame_bytes

    @property
    def rate(self) -> int:
        """Samples per second at present."""
        return self._marks[-1].format.rate

    def begin(self, sample: int, rate: int | None) -> None:
        """The first sample will be number `sample`; at `rate` samples a second it lies that many seconds in, where known."""
        self._marks[0] = replace(self._marks[0], sample=sample, seconds=sample / (rate or self.rate))
        self._placed = rate is not None

    def place(self) -> float:
        """Seconds at which the session begins; from now on that is so."""
        self._placed = True
        return self._marks[0].seconds

    def heed(self, audio_format: AudioFormat) -> None:
        """The audio that comes has this format."""
        mark = self._marks[-1]
        if audio_format == mark.format:
            return
        if self.taken == mark.byte:
            seconds = mark.seconds if self._placed or len(self._marks) > 1 else mark.sample / audio_format.rate
            self._marks[-1] = replace(mark, seconds=seconds, format=audio_format)
            return
        passed = (self.offset - mark.sample) / mark.format.rate if mark.counts_samples else 0.0
        self._marks.append(Mark(mark.seconds + passed, self.offset, self.taken, audio_format))
        del self._marks[:-MARKS]

    def again(self, sample: int) -> int | None:
        """Bytes that are here already of audio that is sent again from `sample`; None where that cannot be said."""
        mark = next((mark for mark in reversed(self._marks) if mark.sample <= sample), None)
        if mark is None or sample > self.offset:
            return None
        return self.taken - mark.byte - (sample - mark.sample) * mark.frame_bytes

    def sample_at(self, seconds: float) -> int:
        """Number of the last sample that begins by `seconds`; where there is compressed audio, the first of all."""
        if not all(mark.counts_samples for mark in self._marks):
            return self._marks[0].sample
        mark = next((mark for mark in reversed(self._marks) if mark.seconds <= seconds), self._marks[0])
        return max(mark.sample, min(self.offset, mark.sample + int((seconds - mark.seconds) * mark.format.rate + 1e-6)))
