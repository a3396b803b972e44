"""A worker without a process: what it does, and when it fails, is a test's to say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np

from stenod.engines.base import Capabilities, Request
from stenod.engines.child import Loaded
from stenod.engines.pool import Pool
from stenod.engines.ticket import Ticket
from stenod.engines.worker import WorkerLost
from stenod.errors import StenodError
from stenod.jobs import Kind
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript

Fault = Callable[[list[float]], StenodError | None]
"""What happens to a batch of such lengths."""

HUNG = WorkerLost("it hung", hung=True)
DIED = WorkerLost("it died", hung=False)


@dataclass(eq=False)
class StageWorker:
    """Answers each request with its length, after `cost` seconds a call and `rate` for each second of padded audio."""

    cost: float = 0.0
    rate: float = 0.0
    fault: Fault = lambda _: None
    load: Callable[[], StenodError | None] = lambda: None
    generation: int = 0
    loaded: Loaded = field(default_factory=Loaded)
    alive: bool = False
    pid: int | None = None
    batches: list[list[float]] = field(default_factory=list)
    limits: list[float | None] = field(default_factory=list)
    closed: int = 0

    async def start(self) -> None:
        if self.alive:
            return
        self.generation += 1
        trouble = self.load()
        if trouble is not None:
            raise trouble
        self.alive, self.pid = True, 1

    async def call(self, method: str, *arguments: Any, limit: float | None = None) -> Any:
        await self.start()
        if method == "close":
            return None
        requests: Sequence[Request] = arguments[0]
        lengths = [len(request.samples) / RATE for request in requests]
        self.batches.append(lengths)
        self.limits.append(limit)
        await anyio.sleep(self.cost + self.rate * max(lengths) * len(lengths))
        fault = self.fault(lengths)
        if isinstance(fault, WorkerLost):
            await self.aclose()
        if fault is not None:
            raise fault
        return [Transcript(f"{length:g}") for length in lengths]

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed += self.alive
        self.alive, self.pid = False, None


@dataclass(frozen=True)
class Plain:
    """Work without a state."""

    seconds: float

    def prepare(self, generation: int) -> Request:  # noqa: ARG002 any worker will do
        return Request(np.zeros(round(self.seconds * RATE), np.float32), DecodeOptions())

    def settle(self, *, answered: bool) -> None:
        """Nothing to remember."""


def ticket(kind: Kind, seconds: float, session: object = None) -> Ticket:
    """A request of a stretch of its own."""
    return Ticket(kind=kind, stretch=object(), seconds=seconds, session=session, work=Plain(seconds))


def pool(worker: StageWorker, *, max_batch: int = 8, **more: Any) -> Pool:
    """A pool over it."""
    return Pool(worker, Capabilities(max_batch=max_batch, max_states=4), **more)
