"""The engine: features, encoder, search, words, for a batch of requests with options of their own.

One search for the whole batch; the encoder runs in groups of items that pay together (`groups`). What an item gets does not
depend on who else is in the batch.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding import ctc, scripts
from stenod.decoding.boosting import Boosters
from stenod.decoding.emissions import Hypothesis, Ints
from stenod.decoding.features import HOP, LogMel
from stenod.decoding.transducer import MOST, Batch, Rules, search
from stenod.decoding.words import Token, words
from stenod.engines.base import Capabilities, Request
from stenod.engines.parakeet_onnx.groups import Costs, groups
from stenod.engines.parakeet_onnx.networks import Dissected, Encoder, Whole
from stenod.jobs import Samples
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript, of_words

EVEN: Final = 16
"""Networks that do not know where an item ends get whole multiples of so many frames, as they were trained."""

_TERM: Final = re.compile(r"[,;\n]")
_TERM_WORDS: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What an engine is made of."""

    capabilities: Capabilities
    encoder: Encoder
    front: LogMel
    vocabulary: list[str]
    """The blank last."""
    language: str | None
    """What is written where the request does not say."""


class Engine:
    """What transducers and CTC models have in common."""

    def __init__(self, parts: Parts) -> None:
        self.capabilities = parts.capabilities
        self.encoder = encoder = parts.encoder
        self.front = parts.front
        self.vocabulary = vocabulary = parts.vocabulary
        self.blank = len(vocabulary) - 1
        self.costs = Costs(even=not encoder.masks)
        self.seconds = encoder.factor * HOP / RATE
        """Of audio in a frame of the encoder's output."""
        self._language = parts.language
        self._boosters = Boosters(vocabulary)
        self._scripts: dict[str | None, NDArray[np.bool_] | None] = {}

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """Decode all; options may differ from request to request."""
        features, lengths = self.features([request.samples for request in batch])
        options = [request.options for request in batch]
        found = self.decode(features, lengths, options)
        return [
            of_words(words(tokens, self.vocabulary), language=wanted.language or self._language)
            for tokens, wanted in zip(found, options, strict=True)
        ]

    def features(self, batch: Sequence[Samples]) -> tuple[NDArray[np.float32], Ints]:
        """Log-mel features (batch, bands, frames), and how many frames are the items' own."""
        return self.front(batch, EVEN if self.costs.even else 1)

    def encode(self, features: NDArray[np.float32], lengths: Ints) -> tuple[NDArray[np.float32], Ints]:
        """One run of the encoder: its output, and how many of its frames are the items' own."""
        return self.encoder(features, lengths)

    def decode(
        self, features: NDArray[np.float32], lengths: Ints, options: Sequence[DecodeOptions]
    ) -> list[list[Token]]:
        """The tokens of each item."""
        raise NotImplementedError

    def encoded(self, features: NDArray[np.float32], lengths: Ints) -> list[tuple[list[int], Any, Ints]]:
        """All runs of the encoder: the items of each, its output and their lengths in it."""
        widths = -(-lengths // EVEN) * EVEN if self.costs.even else lengths
        runs = []
        for items in groups(widths.tolist(), self.costs):
            found, ends = self.encode(
                np.ascontiguousarray(features[items, :, : int(widths[items].max())]), lengths[items]
            )
            runs.append((items, found, ends))
        return runs

    def time_encoder(self, most: int) -> None:
        """Run the encoder on silence, short and long, and learn what a run costs; `most` frames may share one."""
        if self.costs.even:
            return
        took = {}
        for frames in (100, 800):
            silence = np.zeros((1, self.encoder.bands, frames), np.float32)
            took[frames] = min(_timed(lambda s=silence, n=frames: self.encoder(s, np.array([n]))) for _ in range(3))
        slope = max(1e-9, (took[800] - took[100]) / 700)
        self.costs = Costs(run=max(0.0, took[100] / slope - 100), most=most)

    def _allowed(self, options: Sequence[DecodeOptions]) -> list[NDArray[np.bool_] | None]:
        """The tokens that each item may use, without the blank."""
        for language in {one.language for one in options} - self._scripts.keys():
            self._scripts[language] = scripts.allowed(self.vocabulary[:-1], language)
        return [self._scripts[one.language] for one in options]


class Transducer(Engine):
    """RNN-T and TDT."""

    def __init__(self, parts: Parts, decoder: Whole | Dissected, most: int = MOST) -> None:
        super().__init__(parts)
        self.decoder = decoder
        durations = tuple(range(decoder.classes - len(self.vocabulary)))
        self.rules = Rules(blank=self.blank, durations=durations, most=most)

    def decode(
        self, features: NDArray[np.float32], lengths: Ints, options: Sequence[DecodeOptions]
    ) -> list[list[Token]]:
        """The tokens of each item, by one search for all."""
        runs = [
            (items, self.decoder.project(found), np.minimum(ends, found.shape[2]))
            for items, found, ends in self.encoded(features, lengths)
        ]
        if not runs:
            return [[] for _ in options]
        longest = max(projected.shape[1] for _, projected, _ in runs)
        whole = np.zeros((len(options), longest, runs[0][1].shape[2]), runs[0][1].dtype)
        frames = np.zeros(len(options), np.int64)
        for items, projected, ends in runs:
            whole[items, : projected.shape[1]] = projected
            frames[items] = ends
        masks = self._allowed(options)
        allowed = None
        if any(mask is not None for mask in masks):
            allowed = np.stack([np.ones(self.blank, bool) if mask is None else mask for mask in masks])
        batch = Batch(whole, frames, self._boosters.batch([terms(one) for one in options]), allowed=allowed)
        return [self._tokens(one) for one in self.search(batch)]

    def search(self, batch: Batch) -> list[Hypothesis]:
        """The search alone."""
        return search(self.decoder, self.rules, batch)

    def _tokens(self, found: Hypothesis) -> list[Token]:
        """With times in seconds; a label without a duration lasts a frame."""
        starts = (found.frames * self.seconds).tolist()
        ends = ((found.frames + np.maximum(found.spans, 1)) * self.seconds).tolist()
        columns = (found.labels.tolist(), starts, ends, found.log_probs.tolist(), found.confidences.tolist())
        return [Token(*row) for row in zip(*columns, strict=True)]


class Ctc(Engine):
    """CTC: Parakeet-CTC, Citrinet, QuartzNet."""

    def decode(
        self, features: NDArray[np.float32], lengths: Ints, options: Sequence[DecodeOptions]
    ) -> list[list[Token]]:
        """The tokens of each item."""
        tokens: list[list[Token]] = [[] for _ in options]
        boosters = [self._boosters.of(terms(one)) for one in options]
        masks = self._allowed(options)
        for items, log_probs, ends in self.encoded(features, lengths):
            found = ctc.greedy(
                log_probs,
                np.minimum(ends, log_probs.shape[1]),
                blank=self.blank,
                seconds=self.seconds,
                boosters=[boosters[item] for item in items],
                allowed=[masks[item] for item in items],
            )
            for item, one in zip(items, found, strict=True):
                tokens[item] = one
        return tokens


def terms(options: DecodeOptions) -> tuple[str, ...]:
    """The hotwords, and what a prompt lists: its pieces between commas, semicolons and lines, of up to four words.

    A prompt in sentences tells this engine nothing.
    """
    listed = [term.strip() for term in _TERM.split(options.prompt or "")]
    short = [term for term in listed if 0 < len(term.split()) <= _TERM_WORDS]
    return tuple(dict.fromkeys((*options.hotwords, *short)))


def _timed(function: Any) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
