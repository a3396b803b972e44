"""Compressed audio as clients make it: files that are written in one go, and Opus packets."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000
"""Samples per second of what is encoded; samples have shape (moments, channels), 16 bit."""


def _frames(samples: NDArray[Any]) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples.astype(np.int16).reshape(1, -1)),
        format="s16",
        layout="mono" if samples.shape[1] == 1 else "stereo",
    )
    frame.sample_rate = RATE
    return frame


def growing(container: str, codec: str, samples: NDArray[Any], **options: str) -> bytes:
    """A file as a recorder writes it that cannot go back."""
    written = bytearray()

    class Sink:
        def write(self, data: bytes) -> int:
            written.extend(data)
            return len(data)

    with av.open(Sink(), "w", format=container, options=options) as writer:
        stream = writer.add_stream(codec, rate=RATE, layout="mono" if samples.shape[1] == 1 else "stereo")
        size = stream.codec_context.frame_size
        resampler = av.AudioResampler(stream.format, stream.layout, RATE, frame_size=size)
        for part in (*resampler.resample(_frames(samples)), *resampler.resample(None)):
            writer.mux(stream.encode(part))
        writer.mux(stream.encode())
    return bytes(written)


def opus(samples: NDArray[Any]) -> list[bytes]:
    """Packets of 20 ms each."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format = RATE, "s16"
    encoder.layout = "mono" if samples.shape[1] == 1 else "stereo"
    encoder.open()
    packets = []
    for at in range(0, len(samples), 960):
        frame = _frames(samples[at : at + 960])
        frame.pts = at
        packets += encoder.encode(frame)
    return [bytes(packet) for packet in (*packets, *encoder.encode(None))]
