"""Pieces of words: trains the small model's sentencepiece vocabulary, and says when each piece of a phrase is."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
import sentencepiece
from words import VOCABULARY, phrase, respell

PIECES: Final = 192
LONGEST: Final = 5
"""Characters of a piece, its word mark included: short pieces leave no word without an end within four frames."""


def train_pieces() -> bytes:
    """A BPE vocabulary for random phrases, as the bytes of a sentencepiece model. Its first piece is `<unk>`."""
    random = np.random.default_rng(42)
    lines = [respell(phrase(random), random) for _ in range(4000)] + list(VOCABULARY) * 4
    target = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=target,
        model_type="bpe",
        vocab_size=PIECES,
        character_coverage=1.0,
        max_sentencepiece_length=LONGEST,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return target.getvalue()


def piece_times(
    pieces: sentencepiece.SentencePieceProcessor, text: str, times: list[list[float]]
) -> tuple[list[int], list[float], list[float], list[bool]]:
    """Ids, starts, ends (s) and whether it begins a word, for each piece; a word's time is shared by its letters."""
    ids: list[int] = []
    starts: list[float] = []
    ends: list[float] = []
    first: list[bool] = []
    for word, (start, end) in zip(text.split(), times, strict=True):
        own = pieces.encode(word)
        sizes = [max(1, len(pieces.id_to_piece(piece).replace("▁", ""))) for piece in own]
        edges = start + (end - start) * np.cumsum([0, *sizes]) / sum(sizes)
        ids += own
        starts += edges[:-1].tolist()
        ends += edges[1:].tolist()
        first += [True] + [False] * (len(own) - 1)
    return ids, starts, ends, first
