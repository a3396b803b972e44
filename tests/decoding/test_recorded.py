"""Confidences and hotwords on real weights: QuartzNet on recorded speech, and the small model on its own takes."""

from __future__ import annotations

import confidence
import hotwords
import pytest
from _speech import engine_of, find

FILES = 16


@pytest.fixture(scope="module")
def quartznet(quartznet_weights):
    return engine_of(str(quartznet_weights))


@pytest.fixture(scope="module")
def items(shared_speech):
    """The first files of LibriSpeech test-other."""
    return [item for item in find(shared_speech, "all") if item.group == "LibriSpeech test-other"][:FILES]


@pytest.mark.slow
@pytest.mark.model
def test_wrong_words_are_less_sure_than_right_ones(quartznet, items):
    found = confidence.own(quartznet, items)
    assert (~found.right).sum() >= 20
    assert found.auroc >= confidence.WANTED


@pytest.mark.slow
@pytest.mark.model
def test_hotwords_are_heard_and_nothing_else_suffers(quartznet, items):
    spoken, strangers = hotwords.spoken(items)
    lists = hotwords.conditions(spoken, strangers)
    plain, own, strange = (
        hotwords.measure(quartznet, spoken, lists[name]) for name in ("without", "its own words", "strangers alone")
    )
    assert own.recall > plain.recall + 0.02
    assert own.errors < plain.errors
    assert own.elsewhere <= plain.elsewhere
    assert strange.errors <= plain.errors + 0.005 * plain.words


def test_the_small_model_hears_spellings_that_nothing_but_a_hotword_can_tell():
    spoken, strangers = hotwords.synthesised(0)
    engine = engine_of(f"{hotwords.SMALL}")
    plain, own, among, strange = (
        hotwords.measure(engine, spoken, lists) for lists in hotwords.conditions(spoken, strangers).values()
    )
    assert own.recall > plain.recall + 0.1
    assert among.recall > plain.recall
    assert own.errors < plain.errors
    assert own.elsewhere <= plain.elsewhere
    assert strange == plain
