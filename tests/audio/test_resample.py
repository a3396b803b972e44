"""The resampler: the same samples whatever the slicing, none lost at a flush, phase kept across it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.audio.resample import Resampler

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_099, 44_100, 48_000, 96_000, 384_000]


def tones(rate, seconds=1.5):
    """A chord below 3 kHz, so that every rate can hold it; starts from silence as audio does."""
    t = np.arange(int(rate * seconds)) / rate
    chord = sum(np.sin(2 * np.pi * hertz * t + hertz) for hertz in (210, 997, 2903))
    return (0.2 * chord * np.minimum(1, 20 * t)).astype(np.float32)


def resampled(samples, rate, cuts=(), flushes=()):
    """All that comes out, fed in pieces between `cuts`, flushed after those at `flushes`."""
    resampler = Resampler(rate)
    out = []
    edges = sorted({0, *cuts, *flushes, len(samples)})
    for start, stop in itertools.pairwise(edges):
        out.append(resampler.feed(samples[start:stop]))
        if stop in flushes:
            out.append(resampler.flush())
            assert sum(map(len, out)) == stop * 16_000 // rate
    return np.concatenate([*out, resampler.flush()])


@pytest.mark.parametrize("rate", RATES)
def test_a_chord_stays_the_chord(rate):
    out = resampled(tones(rate), rate)
    wanted = tones(16_000)
    assert abs(len(out) - len(wanted)) <= 1
    middle = slice(2000, 20_000)
    np.testing.assert_allclose(out[middle], wanted[middle], atol=2e-4)


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_slicing_gives_the_same(rate, data):
    samples = tones(rate, 0.6)
    cuts = data.draw(st.lists(st.integers(0, len(samples)), max_size=20))
    np.testing.assert_allclose(resampled(samples, rate, cuts), resampled(samples, rate), atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_flush_costs_no_sample_and_no_phase(rate, data):
    """Only the filter's reach on both sides of a flush may differ: there the future was not known."""
    samples = tones(rate)
    flushes = sorted(data.draw(st.sets(st.integers(1, len(samples)), max_size=4)))
    whole, pieces = resampled(samples, rate), resampled(samples, rate, (), flushes)
    assert len(pieces) == len(whole) == len(samples) * 16_000 // rate
    untouched = np.ones(len(whole), bool)
    for flush in (*flushes, len(samples)):
        at = flush * 16_000 // rate
        untouched[max(0, at - 500) : at] = False
    np.testing.assert_allclose(pieces[untouched], whole[untouched], atol=1e-6)


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_flushing_all_the_time_keeps_count(rate):
    samples = tones(rate, 0.5)
    resampler = Resampler(rate)
    out = sum(len(resampler.feed(samples[at : at + 7])) + len(resampler.flush()) for at in range(0, len(samples), 7))
    assert out == len(samples) * 16_000 // rate


def test_sixteen_kilohertz_pass_through_uncopied():
    samples = tones(16_000)
    resampler = Resampler(16_000)
    assert resampler.feed(samples) is samples
    assert len(resampler.flush()) == 0


@pytest.mark.parametrize("rate", RATES)
def test_nothing_in_nothing_out(rate):
    resampler = Resampler(rate)
    assert len(resampler.flush()) == 0
    assert len(resampler.feed(np.empty(0, np.float32))) == 0
    assert len(resampler.flush()) == 0
