"""One worker and the requests that wait for it: the event loop's side of the queue in `schedule.py`.

Hands batches to the worker one after the other and answers to those who wait; knows which engine states are open there.
Nothing of sessions, times or text. All of it runs on one event loop, so there are no locks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import anyio

from stenod.engines.base import Capabilities, Request
from stenod.engines.child import Step
from stenod.engines.gauges import Gauges
from stenod.engines.keeper import Keeper
from stenod.engines.schedule import Queue
from stenod.engines.ticket import Ticket
from stenod.engines.work import StateLost, Worker
from stenod.engines.worker import WorkerLost
from stenod.errors import EngineFailed, StenodError
from stenod.jobs import Shed
from stenod.options import RATE
from stenod.transcript import Transcript

_log = logging.getLogger(__name__)

STOPPED: Final = 5.0
"""Seconds that a call may take, whatever it should take."""

SLOW: Final = 20.0
"""And so many times what it should take. Past both the worker counts as stopped; the second try has the whole time limit."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits for a ticket, and what came of it."""

    event: anyio.Event = field(default_factory=anyio.Event)
    result: Transcript | Shed | Exception = field(default_factory=Shed)


class Pool:
    """The way to one worker. Whoever makes it has `run` running, and calls `aclose` in the end.

    At most `batch_size` requests go together, and no more than the engine takes. The worker ends after `idle_unload`
    seconds (0: never) in which nobody used the model `name`, and the next request loads it again. `crowded_interval`: see
    `Queue`.
    """

    def __init__(  # noqa: PLR0913 each a setting of its own, by name
        self,
        worker: Worker,
        capabilities: Capabilities,
        *,
        name: str = "",
        batch_size: int = 256,
        idle_unload: float = 0.0,
        crowded_interval: float = 0.0,
    ) -> None:
        self.gauges = Gauges()
        self._worker = worker
        self._keeper = Keeper(worker, name, idle_unload, self._resting, lambda: bool(self._sessions or self._states))
        self._capabilities = capabilities
        self._queue = Queue(
            max_batch=min(batch_size, capabilities.max_batch),
            uniform=capabilities.uniform,
            crowded_interval=crowded_interval,
        )
        self._waiters: dict[Ticket, _Waiter] = {}
        self._news = anyio.Event()
        self._working = False
        self._retired = False
        self._busy_until = 0.0
        self._sessions = 0
        self._states: set[int] = set()
        self._numbers = 0
        self._closing: list[int] = []

    async def start(self) -> None:
        """Load the model now. Raises Unavailable, EngineFailed; for a few seconds after a failure, the same one again."""
        await self._keeper.start()

    @property
    def trouble(self) -> StenodError | None:
        """Why the model cannot be loaded, where that was tried and has not been made good."""
        return self._keeper.trouble

    def enter(self) -> None:
        """A session uses this model from now on."""
        self._sessions += 1

    def leave(self, session: Hashable = None) -> None:
        """It uses it no more."""
        self._queue.forget(session)
        self._sessions -= 1
        self._keeper.used = time.monotonic()

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
            if self._retired:
                self._news.set()
            self._keeper.used = time.monotonic()
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
            "cost": self._queue.cost.rate,
            "batch_cost": self._queue.cost.fixed,
            "sessions": self._sessions,
            "states": len(self._states),
            "max_states": self._capabilities.max_states,
            "loaded": self._worker.alive,
            "pid": self._worker.pid,
            "restarts": self._keeper.restarts,
            "unloads": self._keeper.unloads,
            **asdict(self._worker.loaded),
            **asdict(self.gauges),
            "padding_share": round(self.gauges.padding_share, 4),
        }

    async def run(self) -> None:
        """Work until cancelled, or retired and done."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keeper.run)
            while not (self._retired and self._resting()):
                await self._news.wait()
                self._news = anyio.Event()
                self._working = True
                while batch := await self._gather():
                    await self._execute(batch)
                await self._close_states()
                self._working = False
            tasks.cancel_scope.cancel()

    def retire(self) -> None:
        """Nobody new comes: `run` returns when what waits is done."""
        self._retired = True
        self._news.set()

    async def aclose(self) -> None:
        """After `run`, or where it never began: end the worker, and the waiting of whoever still waits."""
        self._fail(self._queue.drain(), EngineFailed("the server is shutting down", code="shutting_down"))
        await self._worker.aclose()

    def _resting(self) -> bool:
        return not self._working and not self._waiters

    async def _gather(self) -> list[Ticket]:
        """The next batch, when it has the company that it can hope for; empty where nothing waits."""
        while (seconds := self._queue.hold(time.monotonic())) > 0:
            self._news = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._news.wait()
        return self._queue.take(time.monotonic())

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
            self._failed(batch, error, again=True)
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
        padded = max(seconds) * len(seconds)
        predicted = self._queue.cost.of(padded)
        sure = self._queue.cost.known and not any(ticket.tried for ticket in batch)
        started = time.monotonic()
        self._busy_until = started + predicted
        self.gauges.batch(seconds)
        try:
            answers: list[Transcript] = await self._worker.call(
                batch[0].call, prepared, limit=STOPPED + SLOW * predicted if sure else None
            )
        finally:
            took = time.monotonic() - started
            self.gauges.busy_seconds += took
            self._busy_until = 0.0
        self._queue.cost.learn(took, padded)
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
                self._answer(ticket, StateLost(tried=True))
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
        if numbers and self._worker.alive:
            try:
                await self._worker.call("close", numbers, limit=STOPPED)
            except StenodError as error:
                _log.warning("closing states failed: %s", error)

    def _answer(self, ticket: Ticket, result: Transcript | Shed | Exception) -> None:
        waiter = self._waiters.get(ticket)
        if waiter is not None:  # else nobody waits any more
            waiter.result = result
            waiter.event.set()
