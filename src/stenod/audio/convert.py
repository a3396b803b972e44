"""From bytes in any format to 16 kHz mono, one stream for each channel that is asked for. No frames, no speech."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from stenod.audio.formats import WIDTH, Unpacker
from stenod.audio.live import Growing, Packets
from stenod.audio.resample import Resampler
from stenod.errors import BadAudio
from stenod.jobs import Samples
from stenod.options import AudioFormat, Encoding


class Decoder(Protocol):
    """Bytes in, samples out, shape (moments, channels). One caller at a time."""

    @property
    def rate(self) -> int:
        """Samples per second and channel, known with the first samples."""
        ...

    @property
    def more(self) -> bool:
        """Whether samples of what was given are still to come: ask again, with no bytes."""
        ...

    @property
    def repaired(self) -> int:
        """Samples that were no number and became 0."""
        ...

    @property
    def skipped(self) -> int:
        """Packets that could not be decoded and were left out."""
        ...

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete moment."""
        ...

    def unpack(self, data: bytes) -> Samples:
        """Take bytes and give the samples that are ready. Raises BadAudio."""
        ...

    def finish(self) -> Samples:
        """Give the last samples: no more bytes will come. Raises BadAudio."""
        ...

    def close(self) -> None:
        """Let go of everything; may be called again."""
        ...


class Converter:
    """Bytes of one format to one list entry per channel (`split`) or to their mean. Blocking; `close` it."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._decoder = _decoder(audio_format)
        self._resamplers: list[Resampler] = []

    @property
    def more(self) -> bool:
        """Whether what was given to `convert` holds more than it gave: ask again, with no bytes."""
        return self._decoder.more

    @property
    def repaired(self) -> int:
        """Samples that were no number and became 0."""
        return self._decoder.repaired

    @property
    def skipped(self) -> int:
        """Packets that could not be decoded and were left out."""
        return self._decoder.skipped

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete moment."""
        return self._decoder.waiting

    def convert(self, data: bytes) -> list[Samples]:
        """Give what is ready of each output, shape (n,) each. Raises BadAudio."""
        return self._resampled(self._decoder.unpack(data))

    def flush(self) -> list[Samples]:
        """Give all that was held back; conversion goes on in phase. An incomplete moment still waits for its bytes."""
        return [resampler.flush() for resampler in self._resamplers] or self._nothing()

    def finish(self) -> list[Samples]:
        """Give all there is: no more bytes will come. Raises BadAudio."""
        decoded = self._resampled(self._decoder.finish())
        return [np.concatenate(parts) for parts in zip(decoded, self.flush(), strict=True)]

    def close(self) -> None:
        """Let go of everything; may be called again."""
        self._decoder.close()

    def _resampled(self, moments: Samples) -> list[Samples]:
        if not moments.size:
            return self._nothing()
        if not self._resamplers:
            self._resamplers = [Resampler(self._decoder.rate) for _ in range(outputs(self._format))]
        if moments.shape[1] == 1 == len(self._resamplers):
            channels = [moments[:, 0]]
        elif not self._format.split:
            channels = [moments.mean(axis=1, dtype=np.float32)]
        elif moments.shape[1] == len(self._resamplers):
            channels = [np.ascontiguousarray(channel) for channel in moments.T]
        else:
            raise BadAudio(f"the audio has {moments.shape[1]} channels, not {self._format.channels} as was announced")
        return [resampler.feed(channel) for resampler, channel in zip(self._resamplers, channels, strict=True)]

    def _nothing(self) -> list[Samples]:
        return [np.empty(0, np.float32) for _ in range(outputs(self._format))]


def outputs(audio_format: AudioFormat) -> int:
    """How many streams come of a format."""
    return audio_format.channels if audio_format.split else 1


def _decoder(audio_format: AudioFormat) -> Decoder:
    if audio_format.encoding in WIDTH:
        return Unpacker(audio_format)
    return Packets(audio_format.channels) if audio_format.encoding is Encoding.OPUS else Growing()
