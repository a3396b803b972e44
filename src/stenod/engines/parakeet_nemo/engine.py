"""A batch of requests through a NeMo model, without files, manifests or data loaders. Imported in the worker only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch

from stenod.decoding.words import Token, words
from stenod.engines.base import Model, Request
from stenod.engines.parakeet_nemo.decoders import Decoder
from stenod.options import RATE
from stenod.transcript import Transcript, of_words

SHORTEST: Final = RATE // 10
"""Samples below which there can be no word."""

LEAST: Final = RATE
"""Samples that the network is given at least, with silence on both sides, as the toolkit's own `transcribe` does."""


class ParakeetNemo:
    """An Engine. `net` is the toolkit's model on `device`, whose encoder computes in `dtype`."""

    def __init__(self, net: Any, decoder: Decoder, model: Model, device: torch.device, dtype: torch.dtype) -> None:
        self.capabilities = model.capabilities
        self._language = model.languages[0] if len(model.languages) == 1 and model.languages != ("*",) else None
        self._net, self._decoder = net, decoder
        self._device, self._dtype = device, dtype
        with torch.inference_mode():
            features, sizes = self.features(torch.zeros(1, 4 * RATE), torch.tensor([4 * RATE]))
            _, frames = self.encode(features, sizes)  # a first run also warms up
        self.frame = round(int(sizes[0]) / int(frames[0])) * float(net.cfg.preprocessor.window_stride)
        """Seconds from one frame of the encoder to the next."""

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """All of them in one padded batch: the encoder masks what is padding, and the search goes over all rows at once."""
        heard = [at for at, request in enumerate(batch) if len(request.samples) >= SHORTEST]
        answers = [Transcript(language=request.options.language or self._language) for request in batch]
        if not heard:
            return answers
        sizes = [max(LEAST, len(batch[at].samples)) for at in heard]
        before = [(size - len(batch[at].samples)) // 2 for size, at in zip(sizes, heard, strict=True)]
        padded = np.zeros((len(heard), max(sizes)), np.float32)
        for row, at in enumerate(heard):
            padded[row, before[row] : before[row] + len(batch[at].samples)] = batch[at].samples
        with torch.inference_mode():
            encoded, lengths = self.encode(*self.features(torch.from_numpy(padded), torch.tensor(sizes)))
            found = self._decoder.decode(encoded, lengths, [batch[at].options.hotwords for at in heard])
        for at, tokens, offset in zip(heard, found, before, strict=True):
            timed = self._timed(tokens, offset / RATE, len(batch[at].samples) / RATE)
            answers[at] = of_words(words(timed, self._decoder.vocabulary), language=answers[at].language)
        return answers

    def _timed(self, tokens: Sequence[Token], before: float, seconds: float) -> list[Token]:
        """From frames to seconds of the audio as it was given: `seconds` long, with `before` of silence put before it."""

        def moment(frames: float) -> float:
            return min(max(0.0, frames * self.frame - before), seconds)

        return [replace(token, start=moment(token.start), end=moment(token.end)) for token in tokens]

    def features(self, samples: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples (batch, samples) to log-mel (batch, bands, frames of 10 ms), and how many frames are no padding."""
        found: tuple[torch.Tensor, torch.Tensor] = self._net.preprocessor(
            input_signal=samples.to(self._device), length=lengths.to(self._device)
        )
        return found

    def encode(self, features: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-mel to what the search reads: (batch, features, frames), float32, and how many frames are no padding."""
        encoded, frames = self._net.encoder(audio_signal=features.to(self._dtype), length=lengths)
        return encoded.float(), frames
