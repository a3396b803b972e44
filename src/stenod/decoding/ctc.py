"""Greedy search over a CTC network's output: the best label of each frame, repeats and blanks taken out.

Graves et al., "Connectionist temporal classification" (ICML 2006). Hotwords are spotted in the same output and take the
place of what greedy search made of their frames (`spotting`). NumPy; knows nothing of networks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.boosting import Booster
from stenod.decoding.confidence import METHOD, Method, measure
from stenod.decoding.spotting import spot
from stenod.decoding.words import Token


def greedy(  # noqa: PLR0913 what a search must know
    log_probs: NDArray[np.floating],
    lengths: Sequence[int] | NDArray[np.int64],
    *,
    blank: int,
    seconds: float,
    boosters: Sequence[Booster | None] | None = None,
    allowed: Sequence[NDArray[np.bool_] | None] | None = None,
    method: Method = METHOD,
) -> list[list[Token]]:
    """The tokens of each item of a batch.

    `log_probs` (batch, frames, labels) in nats, `lengths` (batch,) in frames, `seconds` a frame; `boosters` and `allowed`
    (labels that may be written, shape (labels,) or fewer) one an item. A token's span are the frames of its label, its
    log-probability that of the likeliest of them, its confidence their mean (blanks are left out, as NeMo does).
    """
    found: list[list[Token]] = []
    for item, length in enumerate(lengths):
        rows = np.asarray(log_probs[item, : int(length)], np.float32)
        booster = boosters[item] if boosters is not None else None
        mask = allowed[item] if allowed is not None else None
        narrowed = rows if mask is None else _without(rows, mask)
        labels = narrowed.argmax(axis=1) if booster is None else spot(narrowed, blank, booster)
        found.append(_tokens(rows, labels, blank, seconds, method))
    return found


def _without(rows: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The rows with what is not allowed made impossible; a finite low, so that differences stay numbers."""
    narrowed = rows.copy()
    narrowed[:, : len(mask)][:, ~mask] = np.finfo(np.float32).min / 4
    return narrowed


def _tokens(
    rows: NDArray[np.float32], labels: NDArray[np.int64], blank: int, seconds: float, method: Method
) -> list[Token]:
    """The runs of one label that are no blanks."""
    edges = np.flatnonzero(np.diff(labels)) + 1
    firsts = np.concatenate(([0], edges)) if len(labels) else edges
    lasts = np.append(edges, len(labels))
    logs = rows[np.arange(len(labels)), labels]
    sure = measure(rows, method)
    return [
        Token(
            int(labels[first]),
            float(first * seconds),
            float(last * seconds),
            float(logs[first:last].max()),
            float(sure[first:last].mean()),
        )
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=False)
        if labels[first] != blank
    ]
