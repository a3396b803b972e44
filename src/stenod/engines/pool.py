"""One worker and the requests that wait for it: the event loop's side of the queue in `schedule.py`.

Hands batches to the worker one after the other and answers to those who wait; knows which engine states are open there.
Nothing of sessions, times or text. All of it runs on one event loop, so there are no locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import anyio

from stenod.engines.base import Capabilities, Request
from stenod.engines.child import Step
from stenod.engines.gauges import Gauges
from stenod.engines.schedule import Queue, Ticket
from stenod.engines.worker import WorkerLost
from stenod.errors import EngineFailed, StenodError
from stenod.jobs import Shed
from stenod.options import RATE
from stenod.transcript import Transcript

_log = logging.getLogger(__name__)

REST: Final = 5.0
"""Seconds for which a worker that could not load is not started again."""


class Worker(Protocol):
    """What a pool needs of its worker; see `worker.ProcessWorker`."""

    generation: int

    async def start(self) -> None:
        """Load, if that is not done."""
        ...

    async def call(self, method: str, *arguments: Any) -> Any:
        """Have `method` done. Raises EngineFailed, WorkerLost."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


class StateLost(Exception):
    """The engine state that a step wanted is gone."""


class Work(Protocol):
    """What a ticket is about."""

    def prepare(self, generation: int) -> Request | Step:
        """What to send, decided at the last moment. Raises StateLost."""
        ...

    def settle(self, *, answered: bool) -> None:
        """What was prepared has been done, or has failed and its state is dead; called even where nobody waits any more."""
        ...


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits for a ticket, and what came of it."""

    event: anyio.Event = field(default_factory=anyio.Event)
    result: Transcript | Shed | Exception = field(default_factory=Shed)


class Pool:
    """The way to one worker. Whoever makes it has `run` running, and calls `aclose` in the end."""

    def __init__(self, worker: Worker, capabilities: Capabilities) -> None:
        self.gauges = Gauges()
        self._worker = worker
        self._capabilities = capabilities
        self._queue = Queue(max_batch=capabilities.max_batch, uniform=capabilities.uniform)
        self._waiters: dict[Ticket, _Waiter] = {}
        self._news = anyio.Event()
        self._busy_until = 0.0
        self._states: set[int] = set()
        self._numbers = 0
        self._closing: list[int] = []
        self._starting = anyio.Lock()
        self._trouble: tuple[float, StenodError] | None = None

    async def start(self) -> None:
        """Load the model now. Raises Unavailable, EngineFailed; for a few seconds after a failure, the same one again."""
        async with self._starting:
            if self._trouble is not None and time.monotonic() - self._trouble[0] < REST:
                raise self._trouble[1]
            try:
                await self._worker.start()
            except StenodError as error:
                self._trouble = time.monotonic(), error
                raise
            self._trouble = None

    async def submit(self, ticket: Ticket) -> Transcript | Shed:
        """Wait for the ticket's turn and its answer. Raises EngineFailed, StateLost. Cancelling withdraws it."""
        waiter = self._waiters[ticket] = _Waiter()
        ahead = max(0.0, self._busy_until - time.monotonic())
        self._shed(self._queue.put(ticket, time.monotonic(), ahead))
        self._news.set()
        try:
            await waiter.event.wait()
        finally:
            del self._waiters[ticket]
            self._queue.remove(ticket)
        if isinstance(waiter.result, Exception):
            raise waiter.result
        return waiter.result

    def withdraw(self, stretch: Hashable) -> None:
        """Take back what waits of a stretch; whoever waits for it is answered Shed."""
        self._shed(self._queue.withdraw(stretch))

    def reserve(self, *, leave: int = 0) -> int | None:
        """A number for a new engine state here, or None where `max_states` are open; `leave` as many for others."""
        if len(self._states) >= self._capabilities.max_states - leave:
            return None
        self._numbers += 1
        self._states.add(self._numbers)
        return self._numbers

    def release(self, number: int) -> None:
        """The state of that number is not needed any more; it is closed before the next batch."""
        if number in self._states:
            self._states.remove(number)
            self._closing.append(number)
            self._news.set()

    def load(self) -> float:
        """How busy it is, for choosing between pools: seconds of work ahead, then requests, then states."""
        ahead = max(0.0, self._busy_until - time.monotonic())
        return ahead + self._queue.predicted() + 1e-3 * len(self._queue) + 1e-6 * len(self._states)

    def snapshot(self) -> dict[str, Any]:
        """The gauges and what waits, as plain numbers."""
        return {
            "waiting": {kind.name.lower(): count for kind, count in sorted(self._queue.waiting().items())},
            "cost": self._queue.cost,
            "states": len(self._states),
            "restarts": max(0, self._worker.generation - 1),
            **asdict(self.gauges),
        }

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            while batch := self._queue.take(time.monotonic()):
                await self._execute(batch)
            await self._close_states()

    async def aclose(self) -> None:
        """After `run`, or where it never began: end the worker, and the waiting of whoever still waits."""
        self._fail(self._queue.drain(), EngineFailed("the server is shutting down", code="shutting_down"))
        await self._worker.aclose()

    async def _execute(self, batch: list[Ticket]) -> None:
        """One batch, from last-moment preparation to the answers."""
        try:
            await self._close_states()
            await self.start()
            batch, prepared = self._prepare(batch)
            if not batch:
                return
            answers = await self._timed(batch, prepared)
        except WorkerLost as error:
            self._failed(batch, error, again=len(batch) > 1 or not error.hung)
        except StenodError as error:
            self._failed(batch, error, again=len(batch) > 1)
        except Exception:  # noqa: BLE001 a fault of ours costs the batch, not the server
            _log.exception("a batch could not be handed to the worker")
            self._failed(batch, EngineFailed("the recogniser could not be asked"), again=False)
        except BaseException:
            self._fail(batch, EngineFailed("the server is shutting down", code="shutting_down"))
            raise
        else:
            for ticket, answer in zip(batch, answers, strict=True):
                ticket.work.settle(answered=True)
                self._answer(ticket, answer)

    def _prepare(self, batch: list[Ticket]) -> tuple[list[Ticket], list[Request | Step]]:
        """What to send; tickets whose state is lost are answered here and leave the batch."""
        ready: list[Ticket] = []
        prepared: list[Request | Step] = []
        for ticket in batch:
            try:
                prepared.append(ticket.work.prepare(self._worker.generation))
            except StateLost as lost:
                self._answer(ticket, lost)
            else:
                ready.append(ticket)
        return ready, prepared

    async def _timed(self, batch: list[Ticket], prepared: list[Request | Step]) -> list[Transcript]:
        """Call the worker and keep the gauges."""
        seconds = [len(one.chunk if isinstance(one, Step) else one.samples) / RATE for one in prepared]
        started = time.monotonic()
        self._busy_until = started + self._queue.cost * sum(seconds)
        self.gauges.batch(seconds)
        try:
            answers: list[Transcript] = await self._worker.call(batch[0].call, prepared)
        finally:
            took = time.monotonic() - started
            self.gauges.busy_seconds += took
            self._busy_until = 0.0
        self._queue.learn(took, sum(seconds))
        return answers

    def _failed(self, batch: list[Ticket], error: StenodError, *, again: bool) -> None:
        """Give each ticket one more try, alone, where the fault may be another's; else the error."""
        retry: list[Ticket] = []
        for ticket in batch:
            ticket.work.settle(answered=False)
            if ticket not in self._waiters:
                continue
            if not again or ticket.tried:
                self._fail([ticket], error)
            elif ticket.call == "step":
                self._answer(ticket, StateLost())
            else:
                retry.append(ticket)
        if retry:
            self._queue.put_back(retry)
            self._news.set()

    def _fail(self, tickets: Iterable[Ticket], error: StenodError) -> None:
        for ticket in tickets:
            self.gauges.failed += 1
            self._answer(ticket, error)

    def _shed(self, tickets: Iterable[Ticket]) -> None:
        for ticket in tickets:
            self.gauges.shed += 1
            self._answer(ticket, Shed())

    async def _close_states(self) -> None:
        """Tell the worker which states it can free; those of a dead worker are free already."""
        numbers, self._closing = self._closing, []
        if numbers and self._worker.generation:
            try:
                await self._worker.call("close", numbers)
            except StenodError as error:
                _log.warning("closing states failed: %s", error)

    def _answer(self, ticket: Ticket, result: Transcript | Shed | Exception) -> None:
        waiter = self._waiters.get(ticket)
        if waiter is not None:  # else nobody waits any more
            waiter.result = result
            waiter.event.set()
