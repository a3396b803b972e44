"""How well a checkpoint hears held-out speech: `python tools/small_model/evaluate.py FOLDER [COUNT]`.

Prints, for each condition, the word error rate and how far word starts and ends are from the synthesiser's (of words
that are right), as mean, median, 90th percentile and worst, in ms.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from features import featurizer
from heldout import CONDITIONS, Take, hotword_takes, takes
from model import FRAME, SmallModel, load

Words = list[tuple[str, float, float]]


def distance(wanted: Sequence[str], heard: Sequence[str]) -> int:
    """Levenshtein's: fewest words to change, add or leave out."""
    row = list(range(len(heard) + 1))
    for i, left in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def words_of(found: list[tuple[int, int, int]], pieces: sentencepiece.SentencePieceProcessor) -> Words:
    """Decoded tokens as words with times in seconds."""
    words: Words = []
    for token, start, end in found:
        piece = pieces.id_to_piece(token)
        if piece.startswith("▁") or not words:
            words.append((piece.lstrip("▁"), start * FRAME, end * FRAME))
        else:
            text, begun, _ = words[-1]
            words[-1] = (text + piece, begun, end * FRAME)
    return words


def misses(wanted: Words, heard: Words) -> list[tuple[float, float]]:
    """How far starts and ends are off, in seconds, for words that are right."""
    blocks = SequenceMatcher(None, [w[0] for w in wanted], [h[0] for h in heard], autojunk=False).get_matching_blocks()
    pairs = [(wanted[a + n], heard[b + n]) for a, b, size in blocks for n in range(size)]
    return [(h[1] - w[1], h[2] - w[2]) for w, h in pairs]


def listen(model: SmallModel, pieces: sentencepiece.SentencePieceProcessor, every: list[Take]) -> list[Words]:
    """What the model hears, one take at a time."""
    features = featurizer()
    heard = []
    for take in every:
        mel = torch.from_numpy(features(take.sound)).T[None]
        with torch.no_grad():
            encoded, frames = model.encode(mel, torch.tensor([mel.shape[2]]))
        heard.append(words_of(model.greedy(encoded[0, : int(frames)]), pieces))
    return heard


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    pieces = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    model = load(folder / "model.pt", pieces.get_piece_size())
    every = [*takes(count), *hotword_takes()]
    heard = listen(model, pieces, every)
    for condition in (*CONDITIONS, "held out", "confusable", "rare"):
        rows = [
            (take.words, words)
            for take, words in zip(every, heard, strict=True)
            if take.condition == condition or (condition == "held out" and take.condition in CONDITIONS)
        ]
        wrong = sum(distance([w[0] for w in wanted], [h[0] for h in got]) for wanted, got in rows)
        total = sum(len(wanted) for wanted, _ in rows)
        off = np.abs([miss for wanted, got in rows for miss in misses(wanted, got)] or [(9.0, 9.0)]) * 1000
        told = [
            f"{name} {of.mean():.0f}/{np.median(of):.0f}/{np.quantile(of, 0.9):.0f}/{of.max():.0f}"
            for name, of in (("starts", off[:, 0]), ("ends", off[:, 1]))
        ]
        print(f"{condition}: {len(rows)} takes, WER {100 * wrong / total:.1f} %, {', '.join(told)} ms", flush=True)
    for take, words in list(zip(every, heard, strict=True))[:8] + list(zip(every, heard, strict=True))[-16:]:
        print(f"  {' '.join(w[0] for w in take.words)!r} -> {' '.join(w[0] for w in words)!r}")


if __name__ == "__main__":
    main()
