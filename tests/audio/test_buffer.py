"""The sample buffer: absolute positions, views that stay true, memory that is let go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.audio.buffer import SampleBuffer


def ramp(start, stop):
    return np.arange(start, stop, dtype=np.float32)


def test_positions_are_absolute():
    buffer = SampleBuffer(100)
    buffer.append(ramp(100, 150))
    assert (buffer.start, buffer.end) == (100, 150)
    np.testing.assert_array_equal(buffer.view(120, 130), ramp(120, 130))
    buffer.trim(125)
    assert (buffer.start, buffer.end) == (125, 150)
    np.testing.assert_array_equal(buffer.view(), ramp(125, 150))


@pytest.mark.parametrize(("start", "stop"), [(4, 6), (5, 21), (12, 11), (0, None), (None, 30)])
def test_what_is_not_here_is_refused(start, stop):
    buffer = SampleBuffer()
    buffer.append(ramp(0, 20))
    buffer.trim(5)
    with pytest.raises(IndexError, match="holds 5 to 20"):
        buffer.view(start, stop)


@pytest.mark.parametrize(("before", "start"), [(-3, 0), (0, 0), (7, 7), (10, 10), (99, 10)])
def test_trim_stays_within_what_there_is(before, start):
    buffer = SampleBuffer()
    buffer.append(ramp(0, 10))
    buffer.trim(before)
    assert (buffer.start, buffer.end) == (start, 10)


def test_a_view_stays_true_while_the_buffer_goes_on():
    buffer = SampleBuffer()
    views = []
    for at in range(0, 200_000, 1000):
        buffer.append(ramp(at, at + 1000))
        views.append((at, buffer.view(at, at + 1000)))
        buffer.trim(at - 3000)
    for at, view in views:
        np.testing.assert_array_equal(view, ramp(at, at + 1000))


def test_a_view_shares_memory_and_cannot_be_written():
    buffer = SampleBuffer()
    buffer.append(ramp(0, 100))
    assert np.shares_memory(buffer.view(0, 50), buffer.view(20, 100))
    with pytest.raises(ValueError, match="read-only"):
        buffer.view()[0] = 1.0


def test_trim_gives_memory_back():
    buffer = SampleBuffer()
    buffer.append(np.zeros(10_000_000, np.float32))
    buffer.trim(9_999_000)
    assert buffer._array.nbytes < 100_000


def test_copying_is_amortised():
    """A million appended samples, 512 at a time, cost fewer than five copies of each."""
    buffer = SampleBuffer()
    copied = 0
    for _ in range(2000):
        before = buffer._array
        held = buffer.end - buffer.start
        buffer.append(np.zeros(512, np.float32))
        copied += held if buffer._array is not before else 0
    assert copied < 5 * buffer.end


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(-2000, 6000)), max_size=30))
def test_any_history_reads_back_what_was_written(history):
    buffer = SampleBuffer(7)
    for count, before in history:
        buffer.append(ramp(buffer.end, buffer.end + count))
        buffer.trim(buffer.start + before)
        np.testing.assert_array_equal(buffer.view(), ramp(buffer.start, buffer.end))
