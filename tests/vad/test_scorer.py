"""The scorer: batches over sessions, off the loop; bounded; no waiter can hurt another."""

from __future__ import annotations

import threading

import anyio
import numpy as np
import pytest

from stenod.errors import EngineFailed
from stenod.vad.scorer import _MOST, _TURN, Scorer

pytestmark = pytest.mark.anyio


class Scripted:
    """Answers each frame's first sample plus how many its stream has had; fails on NaN; can be held back."""

    def __init__(self):
        self.batches = []
        self.threads = set()
        self.running = 0
        self.let_go = threading.Event()
        self.let_go.set()
        self.entered = threading.Event()

    def open(self):
        return {"heard": 0}

    def score(self, states, frames):
        self.running += 1
        assert self.running == 1, "one caller at a time"
        self.entered.set()
        assert self.let_go.wait(10)
        self.threads.add(threading.get_ident())
        self.batches.append([len(stretch) for stretch in frames])
        self.running -= 1
        if any(np.isnan(stretch).any() for stretch in frames):
            raise RuntimeError("a secret of the detector")
        answers = []
        for state, stretch in zip(states, frames, strict=True):
            answers.append((stretch[:, 0] + state["heard"] + np.arange(len(stretch))).astype(np.float32))
            state["heard"] += len(stretch)
        return answers


def frames(count, value=0.0):
    return np.full((count, 512), value, np.float32)


async def until(event):
    with anyio.fail_after(10):
        while not event.is_set():  # noqa: ASYNC110  a thread sets it
            await anyio.sleep(0.001)


async def test_each_stream_gets_its_own_answers():
    vad = Scripted()
    got = {}

    async def listen(scorer, name):
        state = scorer.open()
        got[name] = [await scorer.score(state, frames(count, 100 * name)) for count in (1, 2, 0, 3)]

    async with Scorer(vad) as scorer, anyio.create_task_group() as tasks:
        for name in range(20):
            tasks.start_soon(listen, scorer, name)
    for name, answers in got.items():
        np.testing.assert_array_equal(np.concatenate(answers), 100 * name + np.arange(6))
    assert max(map(len, vad.batches)) > 5
    assert threading.get_ident() not in vad.threads


async def test_those_who_wait_meanwhile_share_the_next_batch():
    vad = Scripted()
    vad.let_go.clear()
    async with Scorer(vad) as scorer, anyio.create_task_group() as tasks:
        tasks.start_soon(scorer.score, scorer.open(), frames(1))
        await until(vad.entered)
        for _ in range(16):
            tasks.start_soon(scorer.score, scorer.open(), frames(2))
        await anyio.wait_all_tasks_blocked()
        vad.let_go.set()
    assert vad.batches == [[1], [2] * 16]


async def test_a_long_stretch_takes_turns_with_short_ones():
    vad = Scripted()
    vad.let_go.clear()
    order = []

    async def listen(scorer, name, count):
        answers = await scorer.score(scorer.open(), frames(count))
        np.testing.assert_array_equal(answers, np.arange(count))
        order.append(name)

    async with Scorer(vad) as scorer, anyio.create_task_group() as tasks:
        tasks.start_soon(listen, scorer, "file", 5 * _TURN + 1)
        await until(vad.entered)
        tasks.start_soon(listen, scorer, "live", 1)
        await anyio.wait_all_tasks_blocked()
        vad.let_go.set()
    assert order == ["live", "file"]
    assert vad.batches == [[_TURN], [_TURN, 1], [_TURN], [_TURN], [_TURN], [1]]


@pytest.mark.parametrize("queued", [False, True])
async def test_a_cancelled_waiter_hurts_nobody(queued):
    """Cancelled while its batch runs, or while it waits for one: then its frames are not scored at all."""
    vad = Scripted()
    vad.let_go.clear()
    async with Scorer(vad) as scorer, anyio.create_task_group() as tasks:
        if queued:
            tasks.start_soon(scorer.score, scorer.open(), frames(1))
            await until(vad.entered)
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(scorer.score, scorer.open(), frames(3))
            await until(vad.entered)
            await anyio.wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        tasks.start_soon(scorer.score, scorer.open(), frames(2))
        await anyio.wait_all_tasks_blocked()
        vad.let_go.set()
        np.testing.assert_array_equal(await scorer.score(scorer.open(), frames(4)), np.arange(4))
    scored = [length for batch in vad.batches for length in batch if length]
    assert sorted(scored) == sorted([2, 4, 1 if queued else 3])


async def test_a_failing_detector_fails_its_waiters_and_goes_on():
    async with Scorer(Scripted()) as scorer:
        with pytest.raises(EngineFailed, match="failed: RuntimeError") as caught:
            await scorer.score(scorer.open(), frames(1, np.nan))
        assert "secret" not in caught.value.message
        np.testing.assert_array_equal(await scorer.score(scorer.open(), frames(2)), [0, 1])


async def test_after_the_end_there_is_no_scoring():
    async with Scorer(Scripted()) as scorer:
        state = scorer.open()
    with pytest.raises(EngineFailed, match="stopped"):
        await scorer.score(state, frames(1))


async def test_queue_and_batch_are_bounded():
    vad = Scripted()
    vad.let_go.clear()
    async with Scorer(vad, waiting=3) as scorer, anyio.create_task_group() as tasks:
        tasks.start_soon(scorer.score, scorer.open(), frames(1))
        await until(vad.entered)
        for _ in range(_MOST + 10):
            tasks.start_soon(scorer.score, scorer.open(), frames(1))
        await anyio.wait_all_tasks_blocked()
        assert scorer._receive.statistics().current_buffer_used == 3
        vad.let_go.set()
    assert [len(batch) for batch in vad.batches] == [1, _MOST, 10]
