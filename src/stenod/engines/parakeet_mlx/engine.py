"""A batch of requests through parakeet-mlx's encoder and our own front-end and searches. Imported in the worker only.

The front-end is NeMo's, on which the models were trained (the library's takes another norm of the spectrum). The library's
encoder knows no padding, so only items of one length share a run of it; the search goes over the whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Final, Protocol

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map
from numpy.typing import NDArray
from parakeet_mlx.utils import from_config

from stenod.decoding import ctc
from stenod.decoding.boosting import Boosters
from stenod.decoding.emissions import Hypothesis, Ints
from stenod.decoding.features import HOP, LogMel
from stenod.decoding.scripts import allowed
from stenod.decoding.transducer import MOST, Batch, Rules, search
from stenod.decoding.words import Token, words
from stenod.engines.base import LoadOptions, Model, Request
from stenod.engines.parakeet_mlx import CONFIGURATION, WEIGHTS
from stenod.engines.parakeet_mlx.networks import Networks, log_probs
from stenod.errors import BadSettings, Unavailable
from stenod.options import RATE
from stenod.transcript import Transcript, of_words

SHORTEST: Final = RATE // 10
"""Samples below which there can be no word."""

_TYPES: Final = {"fp32": mx.float32, "fp16": mx.float16, "bf16": mx.bfloat16}


class Decoder(Protocol):
    """The second half of a model."""

    vocabulary: list[str]
    """Each label's text, without the blank."""

    def decode(self, encoded: Sequence[mx.array], batch: Sequence[Request]) -> list[list[Token]]:
        """The tokens of each item, in seconds; `encoded` are their frames, (frames, features), float32."""
        ...


class ParakeetMlx:
    """An Engine. `net` is a model of parakeet-mlx, whose encoder computes in `dtype`."""

    def __init__(self, net: Any, decoder: Decoder, model: Model, dtype: mx.Dtype) -> None:
        self.capabilities = model.capabilities
        self._language = model.languages[0] if len(model.languages) == 1 and model.languages != ("*",) else None
        self._encoder, self._decoder, self._dtype = net.encoder, decoder, dtype
        front = net.preprocessor_config
        self._front = LogMel(front.features, front.window_size)

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """All of them; what an item gets does not depend on the others."""
        heard = [at for at, request in enumerate(batch) if len(request.samples) >= SHORTEST]
        answers = [Transcript(language=request.options.language or self._language) for request in batch]
        if not heard:
            return answers
        asked = [batch[at] for at in heard]
        features, lengths = self._front([request.samples for request in asked])
        found = self._decoder.decode(self.encode(features, lengths), asked)
        for at, tokens in zip(heard, found, strict=True):
            last = len(batch[at].samples) / RATE  # the last frame may reach beyond
            timed = [replace(token, start=min(token.start, last), end=min(token.end, last)) for token in tokens]
            answers[at] = of_words(words(timed, self._decoder.vocabulary), language=answers[at].language)
        return answers

    def encode(self, features: NDArray[np.float32], lengths: Ints) -> list[mx.array]:
        """Log-mel (batch, bands, frames) to each item's encoded frames, (frames, features); one run for each length."""
        encoded: dict[int, mx.array] = {}
        order = np.argsort(lengths, kind="stable").tolist()
        for length, same in groupby(order, key=lambda item: int(lengths[item])):
            items = list(same)
            mel = mx.array(features[items, :, :length].transpose(0, 2, 1)).astype(self._dtype)
            found, _ = self._encoder(mel)
            encoded.update(zip(items, found.astype(mx.float32), strict=True))
        return [encoded[item] for item in range(len(lengths))]


class Transducer:
    """TDT and RNN-T, by label looping over the batch (`stenod.decoding.transducer`)."""

    def __init__(self, net: Any) -> None:
        self.vocabulary = list(net.vocabulary)
        self._networks = Networks(net)
        self._seconds = net.time_ratio
        self._rules = Rules(
            blank=len(self.vocabulary),
            durations=tuple(getattr(net, "durations", ())),
            most=net.max_symbols or MOST,
        )
        self._boosters = Boosters(self.vocabulary)

    def decode(self, encoded: Sequence[mx.array], batch: Sequence[Request]) -> list[list[Token]]:
        """See Decoder."""
        lengths = np.array([len(frames) for frames in encoded])
        rows = [self._networks.project(frames[None])[0] for frames in encoded]
        projected = np.zeros((len(rows), int(lengths.max()), rows[0].shape[1]), np.float32)
        for item, row in enumerate(rows):
            projected[item, : len(row)] = row
        size = len(self.vocabulary)
        boosters = self._boosters.batch([request.options.hotwords for request in batch])
        masks = [allowed(self.vocabulary, request.options.language) for request in batch]
        free = (
            None
            if all(mask is None for mask in masks)
            else np.stack([np.ones(size, bool) if mask is None else mask for mask in masks])
        )
        found = search(self._networks, self._rules, Batch(projected, lengths, boosters, allowed=free))
        return [self._tokens(one) for one in found]

    def _tokens(self, found: Hypothesis) -> list[Token]:
        """With times in seconds; a label without a duration lasts a frame."""
        starts, ends = found.frames * self._seconds, (found.frames + np.maximum(found.spans, 1)) * self._seconds
        columns = (array.tolist() for array in (found.labels, starts, ends, found.log_probs, found.confidences))
        return [Token(*row) for row in zip(*columns, strict=True)]


class Ctc:
    """CTC (`stenod.decoding.ctc`): a model of its own, or the second head of a hybrid."""

    def __init__(self, net: Any, head: Any) -> None:
        self.vocabulary = list(net.vocabulary)
        self._head = head
        self._seconds = net.time_ratio
        self._boosters = Boosters(self.vocabulary)

    def decode(self, encoded: Sequence[mx.array], batch: Sequence[Request]) -> list[list[Token]]:
        """See Decoder."""
        return [
            ctc.greedy(
                log_probs(self._head, frames[None]),
                [len(frames)],
                blank=len(self.vocabulary),
                seconds=self._seconds,
                boosters=[self._boosters.of(request.options.hotwords)],
                allowed=[allowed(self.vocabulary, request.options.language)],
            )[0]
            for frames, request in zip(encoded, batch, strict=True)
        ]


def load(model: Model, options: LoadOptions, directory: Path, decoder: str) -> ParakeetMlx:
    """The engine of a folder. Raises Unavailable, BadSettings."""
    if decoder not in ("", "ctc", "transducer"):
        raise BadSettings(f"model {model.name!r}: decoder must be ctc or transducer")
    _choose(options.device)
    absent = [name for name in (CONFIGURATION, WEIGHTS) if not (directory / name).is_file()]
    if absent:
        raise Unavailable(f"the files of the model {model.name!r} are incomplete: {', '.join(absent)} missing")
    try:
        net = from_config(json.loads((directory / CONFIGURATION).read_text(encoding="utf-8")))
        net.load_weights(str(directory / WEIGHTS))
    except Exception as error:
        raise Unavailable(
            f"the files of the model {model.name!r} cannot be read by parakeet-mlx ({type(error).__name__}):"
            " they may be damaged, or of another kind of model"
        ) from error
    dtype = _dtype(options.precision)
    net.update(tree_map(lambda weight: weight.astype(mx.float32), net.parameters()))
    net.encoder.update(tree_map(lambda weight: weight.astype(dtype), net.encoder.parameters()))
    mx.eval(net.parameters())
    return ParakeetMlx(net, _decoder(model, net, decoder), model, dtype)


def _decoder(model: Model, net: Any, wanted: str) -> Decoder:
    front = net.preprocessor_config
    if front.sample_rate != RATE or front.normalize != "per_feature" or front.hop_length != HOP:
        raise Unavailable(f"the model {model.name!r} wants features of a kind that this engine does not make")
    head = getattr(net, "ctc_decoder", None) or (None if hasattr(net, "joint") else net.decoder)
    if head is not None and (wanted == "ctc" or not hasattr(net, "joint")) and wanted != "transducer":
        return Ctc(net, head)
    if hasattr(net, "joint") and wanted != "ctc":
        return Transducer(net)
    raise Unavailable(f"the model {model.name!r} has no {wanted} decoder")


def _choose(device: str) -> None:
    """Make MLX use `device` in this process."""
    if device == "cpu":
        mx.set_default_device(mx.cpu)
    elif device == "mps" and not mx.metal.is_available():
        raise Unavailable("there is no Apple GPU here; DEVICE=auto takes the processor")
    elif device not in ("auto", "mps"):
        raise Unavailable(f"models for MLX run on cpu or mps (Apple silicon), not on {device}")


def _dtype(precision: str) -> mx.Dtype:
    """The encoder's numbers; the decoder always computes in 32 bits."""
    if precision == "auto":
        precision = "fp32" if mx.default_device() == mx.cpu else "bf16"
    if precision not in _TYPES:
        raise Unavailable(f"models for MLX are loaded as fp32, fp16 or bf16, not as {precision}")
    return _TYPES[precision]
