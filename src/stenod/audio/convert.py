"""From raw bytes in any format to 16 kHz mono, one stream for each channel that is asked for. No frames, no speech."""

from __future__ import annotations

import numpy as np

from stenod.audio.formats import Unpacker
from stenod.audio.resample import Resampler
from stenod.jobs import Samples
from stenod.options import AudioFormat


class Converter:
    """Bytes of one format, cut anywhere, to one list entry per channel (`split`) or to their mean. Blocking."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._unpacker = Unpacker(audio_format)
        self._split = audio_format.split
        self._resamplers = [Resampler(audio_format.rate) for _ in range(outputs(audio_format))]

    @property
    def repaired(self) -> int:
        """Samples that were no number and became 0."""
        return self._unpacker.repaired

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete moment."""
        return self._unpacker.waiting

    def convert(self, data: bytes) -> list[Samples]:
        """Give what is ready of each output, shape (n,) each."""
        moments = self._unpacker.unpack(data)
        if moments.shape[1] == 1:
            channels = [moments[:, 0]]
        elif self._split:
            channels = [np.ascontiguousarray(channel) for channel in moments.T]
        else:
            channels = [moments.mean(axis=1, dtype=np.float32)]
        return [resampler.feed(channel) for resampler, channel in zip(self._resamplers, channels, strict=True)]

    def flush(self) -> list[Samples]:
        """Give all that was held back; conversion goes on in phase. An incomplete moment still waits for its bytes."""
        return [resampler.flush() for resampler in self._resamplers]


def outputs(audio_format: AudioFormat) -> int:
    """How many streams come of a format."""
    return audio_format.channels if audio_format.split else 1
