"""One worker and those who wait for it, without processes: company, failures, deadlines, idleness."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager

import anyio
import pytest

from stenod.engines import keeper
from stenod.engines.pool import SLOW, STOPPED
from stenod.errors import EngineFailed, Unavailable
from stenod.jobs import Kind, Shed
from support.worker import DIED, HUNG, StageWorker, pool, ticket

pytestmark = pytest.mark.anyio

FINAL, PARTIAL, FILE, _ = Kind


@asynccontextmanager
async def running(worker, **more):
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            one = pool(worker, **more)
            tasks.start_soon(one.run)
            yield one
            tasks.cancel_scope.cancel()


async def ask(one, *wanted):
    """What came of tickets that were submitted together: the text, or the error."""
    came = {}

    async def submit(index, each):
        try:
            answer = await one.submit(each)
            came[index] = answer if isinstance(answer, Shed) else answer.text
        except EngineFailed as error:
            came[index] = error.code

    async with anyio.create_task_group() as tasks:
        for index, each in enumerate(wanted):
            tasks.start_soon(submit, index, each)
    return [came[index] for index in range(len(wanted))]


@pytest.mark.parametrize(("engine", "setting", "most"), [(8, 4, 4), (4, 8, 4), (8, 256, 8)])
async def test_the_batch_is_what_engine_and_setting_allow(engine, setting, most):
    worker = StageWorker()
    async with running(worker, max_batch=engine, batch_size=setting) as one:
        await ask(one, *(ticket(FILE, 1.0) for _ in range(16)))
        assert {len(batch) for batch in worker.batches} == {most}
        assert one.snapshot()["largest_batch"] == most


async def test_a_batch_goes_out_shortest_first_and_padding_is_measured():
    worker = StageWorker()
    async with running(worker) as one:
        assert await ask(one, *(ticket(FILE, seconds) for seconds in (4.0, 3.0, 2.5))) == ["4", "3", "2.5"]
        assert worker.batches == [[2.5, 3.0, 4.0]]
        assert one.snapshot()["padding_seconds"] == pytest.approx(2.5)
        assert one.snapshot()["padding_share"] == pytest.approx(2.5 / 12, abs=1e-4)


async def streams(one, count, rounds, *, interval):
    """So many sessions that ask for a partial every `interval` seconds, out of step; how long each answer took."""
    took = []

    async def session(index):
        await anyio.sleep(interval * index / count)
        for _ in range(rounds):
            began = anyio.current_time()
            await one.submit(ticket(PARTIAL, 1.0, session=index))
            took.append(anyio.current_time() - began)
            await anyio.sleep(max(0.0, interval - took[-1]))

    async with anyio.create_task_group() as tasks:
        for index in range(count):
            tasks.start_soon(session, index)
    return took


async def test_partials_of_several_sessions_share_batches_and_a_lone_one_does_not_wait():
    worker = StageWorker(cost=0.02, rate=0.001)
    async with running(worker) as one:
        await ask(one, *(ticket(FILE, seconds) for seconds in (1.0, 8.0) * 5))  # so that the cost is known
        worker.batches.clear()
        took = await streams(one, 1, 6, interval=0.2)
        assert min(took) < 0.04
        assert {len(batch) for batch in worker.batches} == {1}
        worker.batches.clear()
        took = await streams(one, 8, 6, interval=0.2)
        assert len(worker.batches) < 0.4 * 48
        assert sorted(took)[24] < 0.25


async def test_a_final_does_not_wait_and_takes_the_waiting_partials_with_it():
    worker = StageWorker(cost=0.02, rate=0.001)
    async with running(worker) as one:
        await ask(one, *(ticket(FILE, seconds) for seconds in (1.0, 8.0) * 5))
        await ask(one, *(ticket(PARTIAL, 1.0, session=index) for index in range(8)))
        worker.batches.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.submit, ticket(PARTIAL, 1.0, "b"))
            await anyio.sleep(0.01)
            assert worker.batches == []
            began = anyio.current_time()
            await one.submit(ticket(FINAL, 0.9))
            assert anyio.current_time() - began < 0.08
        assert worker.batches == [[0.9, 1.0]]


@pytest.mark.parametrize("fault", [EngineFailed("bad"), HUNG, DIED])
async def test_one_bad_input_costs_only_itself(fault):
    worker = StageWorker(fault=lambda lengths: fault if 1.3 in lengths else None)
    async with running(worker) as one:
        came = await ask(one, *(ticket(FILE, seconds) for seconds in (1.1, 1.2, 1.3, 1.4)))
        assert came == ["1.1", "1.2", fault.code, "1.4"]
        assert worker.batches[0] == [1.1, 1.2, 1.3, 1.4]
        assert sorted(worker.batches[1:]) == [[1.1], [1.2], [1.3], [1.4]]
        assert one.snapshot()["failed"] == 1


@pytest.mark.parametrize(
    ("fault", "failures", "came", "calls"),
    [
        (DIED, 1, "1", 2),
        (HUNG, 1, "1", 2),  # the worker was stopped, the input is good
        (DIED, 9, "engine_crashed", 2),
        (HUNG, 9, "engine_timeout", 2),  # the input hangs the engine: not tried for ever
        (EngineFailed("bad"), 1, "engine_failed", 1),
    ],
)
async def test_a_lone_request_is_tried_again_on_a_fresh_worker(fault, failures, came, calls):
    left = [fault] * failures
    worker = StageWorker(fault=lambda _: left.pop() if left else None)
    async with running(worker) as one:
        assert await ask(one, ticket(FINAL, 1.0)) == [came]
        assert len(worker.batches) == calls


async def test_a_stopped_worker_is_noticed_by_what_the_call_should_take():
    worker = StageWorker(cost=0.01)
    stopped = []
    worker.fault = lambda _: stopped.pop() if stopped else None
    async with running(worker) as one:
        for _ in range(10):
            await ask(one, ticket(FINAL, 1.0))
        assert worker.limits[0] is None  # nothing is known yet: the whole time limit
        predicted = one.snapshot()["batch_cost"] + one.snapshot()["cost"]
        assert worker.limits[-1] == pytest.approx(STOPPED + SLOW * predicted, rel=0.2)
        stopped.append(HUNG)
        assert await ask(one, ticket(FINAL, 1.0)) == ["1"]
        assert worker.limits[-1] is None  # the second try: it may only be slow


async def test_cancelling_withdraws():
    worker = StageWorker(cost=0.1)
    async with running(worker) as one, anyio.create_task_group() as tasks:
        tasks.start_soon(one.submit, ticket(FINAL, 1.0))
        await anyio.sleep(0.02)
        with anyio.move_on_after(0.02):
            await one.submit(ticket(FINAL, 2.0))
        assert one.snapshot()["waiting"] == {}
    assert worker.batches == [[1.0]]


@pytest.mark.parametrize(
    ("seconds", "session", "state", "gone"),
    [(0.2, False, False, True), (0.2, True, False, False), (0.2, False, True, False), (0.0, False, False, False)],
)
async def test_a_model_that_nobody_uses_is_unloaded_and_loaded_again(seconds, session, state, gone, caplog):
    caplog.set_level(logging.INFO)
    worker = StageWorker()
    async with running(worker, name="stage", idle_unload=seconds) as one:
        await ask(one, ticket(FINAL, 1.0))
        if session:
            one.enter()
        assert not state or one.reserve() is not None
        await anyio.sleep(0.6)
        assert worker.alive is not gone
        assert one.snapshot()["loaded"] is not gone
        assert ("is unloaded" in caplog.text) is gone
        if session:  # the last one leaves
            one.leave()
            await anyio.sleep(0.1)
            assert worker.alive
            await anyio.sleep(0.5)
            assert not worker.alive
        assert await ask(one, ticket(FINAL, 2.0)) == ["2"]
        assert worker.generation == 1 + (gone or session)
        assert (one.snapshot()["restarts"], one.snapshot()["unloads"]) == (0, int(gone or session))


@pytest.mark.parametrize("reloads", [True, False])
async def test_a_worker_that_died_at_rest_is_replaced_before_anyone_asks(reloads, monkeypatch, caplog):
    monkeypatch.setattr(keeper, "BEAT", 0.05)
    trouble = [None, None if reloads else Unavailable("gone")]
    worker = StageWorker(load=lambda: trouble.pop(0) if trouble else None)
    async with running(worker, name="stage") as one:
        await ask(one, ticket(FINAL, 1.0))
        worker.alive = False
        await anyio.sleep(0.3)
        assert "died while it had nothing to do" in caplog.text
        assert worker.alive is reloads
        assert ("could not be loaded again: gone" in caplog.text) is not reloads


async def test_a_retired_pool_does_what_waits_and_ends():
    worker = StageWorker(cost=0.05)
    one = pool(worker, max_batch=1)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            tasks.start_soon(one.submit, ticket(FILE, 1.0))
            tasks.start_soon(one.submit, ticket(FILE, 2.0))
            await anyio.sleep(0.01)
            one.retire()
    assert worker.batches == [[1.0], [2.0]]
    await one.aclose()
    assert not worker.alive


async def test_closing_ends_all_waiting():
    worker = StageWorker(cost=30.0)
    one, errors = pool(worker, max_batch=1), []

    async def submit(seconds):
        try:
            await one.submit(ticket(FILE, seconds))
        except EngineFailed as error:
            errors.append(error.code)

    async with anyio.create_task_group() as waiting:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            waiting.start_soon(submit, 1.0)
            waiting.start_soon(submit, 2.0)
            await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        await one.aclose()
    assert errors == ["shutting_down"] * 2


@pytest.mark.parametrize(("deaths", "loads"), [(1, True), (2, False)])
async def test_a_worker_that_dies_while_it_loads_says_nothing_of_the_model_at_first(deaths, loads):
    left = [DIED] * deaths
    worker = StageWorker(load=lambda: left.pop() if left else None)
    async with running(worker) as one:
        if loads:
            await one.start()
        else:
            with pytest.raises(EngineFailed):
                await one.start()
        assert (one.trouble is None) is loads
        assert worker.alive is loads
