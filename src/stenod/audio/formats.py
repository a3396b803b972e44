"""Raw audio formats: bytes to samples, and whether a format makes sense. No resampling, no codecs, no frames.

Samples come out as float32, -1 to 1, shape (moments, channels): a *moment* is one sample of every channel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.errors import BadRequest
from stenod.jobs import Samples
from stenod.options import AudioFormat, Encoding

RATES: Final = (8_000, 48_000)
"""Samples per second that can be heard. Files of other rates are brought into this range as they are decoded."""

MOST_CHANNELS: Final = 64

WIDTH: Final = {
    Encoding.S16LE: 2,
    Encoding.F32LE: 4,
    Encoding.S24LE: 3,
    Encoding.U8: 1,
    Encoding.MULAW: 1,
    Encoding.ALAW: 1,
}
"""Bytes per sample of one channel, of raw audio; what is not here is compressed."""


def check(audio_format: AudioFormat) -> None:
    """Raise BadRequest unless stenod can hear it."""
    lowest, highest = RATES
    if audio_format.encoding in WIDTH and not lowest <= audio_format.rate <= highest:
        raise BadRequest(
            f"sample rate {audio_format.rate} is out of range: {lowest} to {highest} Hz", code="bad_format"
        )
    if not 1 <= audio_format.channels <= MOST_CHANNELS:
        raise BadRequest(f"{audio_format.channels} channels are out of range: 1 to {MOST_CHANNELS}", code="bad_format")
    if audio_format.encoding is Encoding.OPUS and audio_format.channels > 2:
        raise BadRequest("an Opus packet has one or two channels", code="bad_format")


def bytes_per_second(audio_format: AudioFormat) -> int:
    """Bytes that one second of raw audio takes."""
    return audio_format.rate * audio_format.channels * WIDTH[audio_format.encoding]


class Unpacker:
    """Bytes of raw audio to samples, cut anywhere: an incomplete moment waits for its other bytes."""

    more = False
    skipped = 0

    def __init__(self, audio_format: AudioFormat) -> None:
        self.rate = audio_format.rate
        self._encoding = audio_format.encoding
        self._channels = audio_format.channels
        self._moment = WIDTH[audio_format.encoding] * audio_format.channels  # bytes
        self._rest = b""
        self.repaired = 0
        """Samples that were no number (NaN, infinity) and became 0."""

    @property
    def waiting(self) -> int:
        """Bytes of an incomplete moment; at the end of the audio they belong to no sample."""
        return len(self._rest)

    def unpack(self, data: bytes) -> Samples:
        """Give the samples that are now complete, shape (moments, channels), clipped to -1 to 1."""
        if self._rest:
            data = self._rest + data
        whole = len(data) - len(data) % self._moment
        self._rest = data[whole:]
        samples = self._decode(memoryview(data)[:whole])
        return samples.reshape(-1, self._channels)

    def finish(self) -> Samples:
        """Nothing is held back that could become a sample."""
        return np.empty((0, self._channels), np.float32)

    def close(self) -> None:
        """Nothing is held open."""

    def _decode(self, data: memoryview) -> Samples:
        match self._encoding:
            case Encoding.S16LE:
                return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(2**15)
            case Encoding.S24LE:
                return _wide(data).astype(np.float32) / np.float32(2**31)
            case Encoding.U8:
                return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(2**7)) / np.float32(2**7)
            case Encoding.MULAW:
                return _MULAW[np.frombuffer(data, np.uint8)]
            case Encoding.ALAW:
                return _ALAW[np.frombuffer(data, np.uint8)]
            case Encoding.F32LE:
                return self._repair(np.frombuffer(data, "<f4"))
            case compressed:
                raise ValueError(f"{compressed} is no raw encoding")

    def _repair(self, samples: Samples) -> Samples:
        """Clip; what is no number becomes silence, and is counted."""
        finite = np.isfinite(samples)
        if not finite.all():
            self.repaired += int(np.count_nonzero(~finite))
            samples = np.where(finite, samples, np.float32(0))
        return np.clip(samples, -1, 1).astype(np.float32, copy=False)


def _wide(data: memoryview) -> NDArray[np.int32]:
    """Three-byte samples as the upper bytes of four: the sign comes for nothing."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4").reshape(-1)


def _mulaw() -> Samples:
    """Table of ITU-T G.711 mu-law: 14 bit magnitude with a bias of 33, all bits inverted."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((2 * mantissa + 33) << exponent) - 33
    return (np.where(code & 0x80, -magnitude, magnitude) / np.float32(2**13)).astype(np.float32)


def _alaw() -> Samples:
    """Table of ITU-T G.711 A-law: 13 bit magnitude, even bits inverted."""
    code = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = np.where(exponent > 0, (2 * mantissa + 33) << np.maximum(exponent - 1, 0), 2 * mantissa + 1)
    return (np.where(code & 0x80, magnitude, -magnitude) / np.float32(2**12)).astype(np.float32)


_MULAW: Final = _mulaw()
_ALAW: Final = _alaw()
