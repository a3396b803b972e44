"""The fake engine's language survives what audio goes through."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr

from stenod.engines.base import LoadOptions, Request
from stenod.engines.fake import FAMILY
from stenod.engines.tones import SPOKEN, read, speak
from stenod.models.store import Store
from stenod.options import DecodeOptions

WORDS = [0, 1, 65535, 0x1111, 0xFEDC, 4096, 17, 17, 300]


def texts(words):
    return [word.text for word in words]


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000])
def test_words_survive_rates_and_16_bits(rate):
    spoken = np.round(speak(WORDS, rate=rate) * 32767).astype(np.int16).astype(np.float32) / 32768
    heard, _ = read(soxr.resample(spoken, rate, 16000))
    assert texts(heard) == [f"w{word}" for word in WORDS]
    assert all(word.confidence is not None and word.confidence > 0.8 for word in heard)


@pytest.mark.parametrize("level", [0.05, 0.3, 1.0])
def test_words_survive_levels_and_noise(level):
    noise = np.random.default_rng(1).normal(0, 0.003, len(speak(WORDS))).astype(np.float32)
    heard, _ = read(speak(WORDS, level=level) + noise)
    assert texts(heard) == [f"w{word}" for word in WORDS]


def test_words_have_their_times():
    lead = np.zeros(8000, np.float32)
    heard, _ = read(np.concatenate((lead, speak([5, 6], gap=0.5))))
    assert [word.start for word in heard] == pytest.approx([0.5, 0.5 + SPOKEN + 0.5], abs=0.01)
    assert [word.end - word.start for word in heard] == pytest.approx([SPOKEN] * 2)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(0, np.float32), []),
        (np.zeros(16000, np.float32), []),
        (np.random.default_rng(2).normal(0, 0.1, 16000).astype(np.float32), []),
        (speak([1, 2])[:6000], ["w1"]),  # the end is missing
        (speak([1, 2])[1000:], ["w2"]),  # the beginning is missing
    ],
)
def test_what_is_no_whole_word_is_none(samples, said):
    assert texts(read(samples)[0]) == said


@pytest.mark.parametrize("word", [-1, 65536])
def test_words_out_of_range(word):
    with pytest.raises(ValueError, match="65535"):
        speak([word])


@pytest.mark.parametrize("size", [1, 79, 160, 512, 1600, 5000, 100000])
def test_streaming_in_any_slicing_is_the_same(size):
    engine = FAMILY.load(FAMILY.models(Store(Path("nowhere")))[1], LoadOptions())
    audio = speak(WORDS[2:3] if size == 1 else WORDS, gap=0.06)
    options = DecodeOptions()
    state = engine.open(options)
    pieces = [audio[at : at + size] for at in range(0, len(audio), size)]
    answers = [engine.step([state], [piece], [piece is pieces[-1]])[0] for piece in pieces]
    assert answers[-1].words == engine.transcribe([Request(audio, options)])[0].words
    for earlier, later in pairwise(answers):
        assert later.words[: len(earlier.words)] == earlier.words
