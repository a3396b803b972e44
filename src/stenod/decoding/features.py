"""The front-end of NeMo's models: samples to normalised log-mel features, each item as if it were alone. NumPy only.

What NeMo's AudioToMelSpectrogramPreprocessor computes in evaluation: pre-emphasis, a short-time Fourier transform whose
frames are centred on every tenth millisecond, mel bands of area 1 on Slaney's scale, the logarithm, and in each band mean 0
and variance 1 over the item's own frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stenod.jobs import Samples
from stenod.options import RATE

HOP: Final = 160
"""Samples from one frame to the next: 10 ms."""

POINTS: Final = 512
"""Points of the Fourier transform."""

PREEMPHASIS: Final = np.float32(0.97)
GUARD: Final = np.float32(2**-24)
"""Added to the mel energies, so that silence has a logarithm."""

SMALLEST: Final = np.float32(1e-5)
"""Added to the deviation of each band."""

_BLOCK: Final = 256
"""Frames transformed at a time: what they take stays in the processor's cache."""

_TILE: Final = 8
"""Frames in one matrix product. So small a product is computed where it is asked for (OpenBLAS: up to 2^18 multiplications);
larger ones go to a second pool of threads, which gets in the way of the network's own and on a busy machine takes longer."""


class LogMel:
    """A front-end with `bands` mel bands and a symmetric Hann window of `window` seconds."""

    def __init__(self, bands: int, window: float = 0.025) -> None:
        self.bands = bands
        width = round(window * RATE)
        self._window = np.hanning(width).astype(np.float32)
        self._before = (POINTS - width) // 2
        """Zeros that the transform sees before the window; only the phase knows of them."""
        self._bank = np.ascontiguousarray(slaney(bands)[:, 1:-1].T)
        """Shape (255, bands): no filter hears the first bin nor the last."""

    def __call__(self, batch: Sequence[Samples], multiple: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Features (batch, bands, frames), zero behind each item's own end, and how many frames each has, (batch,).

        An item of n samples has n // 160 frames; the array is the longest, brought up to a `multiple`.
        """
        lengths = np.array([len(samples) // HOP for samples in batch], np.int64)
        longest = -(-int(lengths.max(initial=0)) // multiple) * multiple
        features = np.zeros((len(batch), self.bands, longest), np.float32)
        for item, samples in enumerate(batch):
            if lengths[item]:
                features[item, :, : lengths[item]] = normalised(self.log_mel(samples))
        return features, lengths

    def log_mel(self, samples: Samples) -> NDArray[np.float32]:
        """Logarithms of the mel energies of one item, shape (bands, frames); at least one frame."""
        frames = len(samples) // HOP
        width = len(self._window)
        offset = POINTS // 2 - self._before
        """Zeros before the first sample, so that frame k is centred on sample 160 k."""
        padded = np.zeros(max(len(samples) + offset, (frames - 1) * HOP + width), np.float32)
        sound = padded[offset : offset + len(samples)]
        sound[:] = samples
        sound[1:] -= PREEMPHASIS * samples[:-1]
        views = np.lib.stride_tricks.sliding_window_view(padded, width)[::HOP][:frames]
        block = np.zeros((_BLOCK, POINTS), np.float32)
        energies = np.empty((self.bands, frames), np.float32)
        for start in range(0, frames, _BLOCK):
            view = views[start : start + _BLOCK]
            rows = -(-len(view) // _TILE) * _TILE
            np.multiply(view, self._window, out=block[: len(view), :width])
            spectrum = np.fft.rfft(block[:rows])[:, 1:-1]
            power = np.square(spectrum.real) + np.square(spectrum.imag)
            tiles = power.reshape(-1, _TILE, len(self._bank)) @ self._bank
            energies[:, start : start + len(view)] = tiles.reshape(rows, self.bands)[: len(view)].T
        energies += GUARD
        return np.log(energies, out=energies)


def normalised(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean 0 and variance 1 in each band of one item, (bands, frames); a single frame becomes zero."""
    frames = features.shape[1]
    # summed in double precision: over silence, where all are equal, nothing but zero may remain
    centred: NDArray[np.float32] = features - features.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt(np.square(centred).sum(axis=1, keepdims=True) / np.float32(max(1, frames - 1)))
    centred /= deviation + SMALLEST
    return centred


def slaney(bands: int) -> NDArray[np.float32]:
    """Mel filters of area 1 from 0 to 8 kHz, shape (bands, 257): Slaney's Auditory Toolbox, as librosa has them.

    The scale is linear up to 1 kHz (15 mel) and logarithmic above.
    """
    top = 15 + 27 * np.log(RATE / 2 / 1000) / np.log(6.4)
    mels = np.linspace(0, top, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(np.log(6.4) * (mels - 15) / 27))
    bins = np.linspace(0, RATE / 2, POINTS // 2 + 1)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.astype(np.float32)
