"""What the small model is trained with: its loss is the sum over all paths, and its vocabulary is what it should be."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from conftest import missing
from support.tools import tool


@pytest.mark.parametrize(("frames", "length"), [(1, 0), (3, 2), (4, 1), (5, 3), (6, 0), (7, 4)])
def test_the_loss_is_the_sum_over_every_path(frames: int, length: int) -> None:
    if importlib.util.find_spec("torch") is None:
        missing("the package torch")
    import torch  # noqa: PLC0415 - where it is

    tdt: Any = tool("small_model/tdt")
    made = torch.Generator().manual_seed(frames)
    logits = torch.randn(3, 7, 5, 6 + 5, generator=made)
    targets = torch.randint(0, 5, (3, 4), generator=made)
    loss = tdt.tdt_loss(logits, targets, torch.tensor([frames] * 3), torch.tensor([length] * 3))
    for item in range(3):
        tokens, spans = logits[item, ..., :-5].log_softmax(-1), logits[item, ..., -5:].log_softmax(-1)
        paths: list[Any] = []

        open_ends = [(0, 0, torch.tensor(0.0))]
        while open_ends:
            t, u, so_far = open_ends.pop()
            for span in range(5):
                blank = so_far + tokens[t, u, -1] + spans[t, u, span]
                if span and t + span < frames:
                    open_ends.append((t + span, u, blank))
                elif span and t + span == frames and u == length:
                    paths.append(blank)
                if u < length and t + span < frames:
                    label = so_far + tokens[t, u, targets[item, u]] + spans[t, u, span]
                    open_ends.append((t + span, u + 1, label))
        assert float(loss[item]) == pytest.approx(-float(torch.logsumexp(torch.stack(paths), 0)), abs=1e-3)


def test_the_vocabulary_is_closed_and_has_what_is_easily_mistaken() -> None:
    words: Any = tool("small_model/words")
    import numpy as np  # noqa: PLC0415 - beside what it seeds

    random = np.random.default_rng(3)
    texts = [words.respell(words.phrase(random), random) for _ in range(3000)]
    spoken = [word for text in texts for word in text.split()]
    assert len(words.VOCABULARY) >= 60
    assert set(spoken) <= set(words.VOCABULARY)
    for rare, usual in words.RARE.items():
        assert 0 < spoken.count(rare) < 0.12 * spoken.count(usual)
    for pair in words.CONFUSABLE:
        assert set(pair) <= set(words.VOCABULARY)
