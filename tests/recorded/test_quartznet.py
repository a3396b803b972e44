"""Real weights of NeMo's family on recorded speech: the server hears what the bare engine hears, as a file and live."""

from __future__ import annotations

from functools import reduce
from operator import add
from pathlib import Path

import pytest
from _speech import find
from wer import measure, total

FILES = 24

MARGIN = 0.008
"""How much larger the server's word error rate may be on these 400 words: three of them. Over all recordings it is none
(docs/performance.md)."""


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.timeout(300)
def test_as_true_as_the_engine_and_steady(shared_speech: Path, quartznet_weights: Path) -> None:
    items = [item for item in find(shared_speech, "all") if item.group == "LibriSpeech test-other"][:FILES]
    heard = measure(items, str(quartznet_weights), 2.0)
    engine, file, live = total(heard)
    assert engine.rate < 0.15
    assert file.rate <= engine.rate + MARGIN
    assert live.rate <= engine.rate + MARGIN
    told = reduce(add, [one.steadiness for one in heard])
    assert told.partials > len(items)
    assert told.wrong <= 0.5 * told.shown
    assert (
        told.broken <= 0.35 * told.finals
    )  # finals that thought better of a promise, on speech that is often misheard
