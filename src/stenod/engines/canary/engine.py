"""Canary's decoding: an encoder and an attention decoder as two ONNX graphs, in the layout that onnx-asr introduced.

Greedy search over the whole batch, each item with languages and switches of its own; one that has ended leaves the batch.
The decoder is given the one new token of each item and the hidden states of those before it. No session, no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.confidence import measure
from stenod.decoding.features import LogMel
from stenod.engines.base import Capabilities, Request
from stenod.engines.canary.prompt import Said, Vocabulary, Wish, longest, loop
from stenod.options import RATE
from stenod.transcript import Transcript

QUIET: Final = 2.0**-12
"""Peak (0 to 1) below which there is nothing to hear: a few steps of 16-bit samples."""

SHORTEST: Final = RATE // 10
"""Samples that the encoder needs to have frames at all; shorter audio holds no word."""


@dataclass(slots=True)
class Item:
    """One request while it is decoded."""

    index: int
    wish: Wish
    seconds: float
    limit: int
    said: list[Said] = field(default_factory=list)

    def take(self, token: Said, end: int) -> bool:
        """Note one more token; whether the text has ended with it."""
        if token.id == end:
            return True
        self.said.append(token)
        again = loop([one.id for one in self.said])
        if again:
            del self.said[-again:]
        return again > 0 or len(self.said) >= self.limit


@dataclass(slots=True)
class Heard:
    """What the encoder made of a batch, and the decoder's memory of it; rows are those of the items still written."""

    embeddings: NDArray[np.float32]
    """(batch, frames, features)."""
    mask: NDArray[np.int64]
    """(batch, frames)."""
    memory: NDArray[np.float32]
    """(layers, batch, tokens, features)."""

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        self.embeddings, self.mask = self.embeddings[rows], self.mask[rows]
        self.memory = self.memory[:, rows]


class Canary:
    """An Engine. `encoder` and `decoder` are onnxruntime.InferenceSession; `config` is the model's config.json."""

    def __init__(
        self, encoder: Any, decoder: Any, vocabulary: Vocabulary, capabilities: Capabilities, config: Mapping[str, Any]
    ) -> None:
        self.capabilities = capabilities
        self._encoder = encoder
        self._decoder = decoder
        self._vocabulary = vocabulary
        bands = next(one.shape[1] for one in encoder.get_inputs() if one.name == "audio_signal")
        self._features = LogMel(bands if isinstance(bands, int) else int(config.get("features_size", 128)))
        layers, _, _, width = next(one.shape for one in decoder.get_inputs() if one.name == "decoder_mems")
        self._memory = (layers, width)
        self._longest = int(config.get("max_sequence_length", 1024))

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """See Engine. Raises BadRequest for languages that the model does not do."""
        wishes = [self._vocabulary.wish(one.options, timed=self.capabilities.words) for one in batch]
        answers = [Transcript(language=wish.target) for wish in wishes]
        items = []
        for index, (request, wish) in enumerate(zip(batch, wishes, strict=True)):
            if len(request.samples) >= SHORTEST and np.abs(request.samples).max() >= QUIET:
                seconds = len(request.samples) / RATE
                items.append(Item(index, wish, seconds, longest(seconds, timed=wish.timed)))
        if items:
            self._write(items, self._hear([batch[item.index] for item in items]))
        for item in items:
            answers[item.index] = self._vocabulary.transcript(item.said, item.seconds, item.wish.target)
        return answers

    def _hear(self, batch: Sequence[Request]) -> Heard:
        features, lengths = self._features([request.samples for request in batch])
        embeddings, mask = self._encoder.run(
            ["encoder_embeddings", "encoder_mask"], {"audio_signal": features, "length": lengths}
        )
        layers, width = self._memory
        return Heard(embeddings, mask, np.zeros((layers, len(batch), 0, width), np.float32))

    def _write(self, items: Sequence[Item], heard: Heard) -> None:
        """Greedy search; fills each item's `said`."""
        tokens = np.array([self._vocabulary.prompt(item.wish) for item in items], np.int64)
        open_ = list(items)
        for _ in range(self._longest - tokens.shape[1]):
            log_probs = self._step(tokens, heard)
            chosen = log_probs.argmax(axis=-1)
            sure = measure(log_probs)
            ended = [
                item.take(Said(int(token), float(row[token]), float(confidence)), self._vocabulary.end)
                for item, token, row, confidence in zip(open_, chosen, log_probs, sure, strict=True)
            ]
            rows = [row for row, over in enumerate(ended) if not over]
            if not rows:
                return
            if len(rows) < len(open_):
                open_ = [open_[row] for row in rows]
                heard.keep(rows)
            tokens = chosen[rows, None]

    def _step(self, tokens: NDArray[np.int64], heard: Heard) -> NDArray[np.float32]:
        """Log-probabilities of the token after `tokens` (batch, new), shape (batch, vocabulary)."""
        logits, heard.memory = self._decoder.run(
            ["logits", "decoder_hidden_states"],
            {
                "input_ids": tokens,
                "encoder_embeddings": heard.embeddings,
                "encoder_mask": heard.mask,
                "decoder_mems": heard.memory,
            },
        )
        last = logits[:, -1]
        last = last - last.max(axis=-1, keepdims=True)
        return np.asarray(last - np.log(np.exp(last).sum(axis=-1, keepdims=True)), np.float32)
