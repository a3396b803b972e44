"""What a pool handles and does not look into: the worker that it calls, and the work that a ticket is about."""

from __future__ import annotations

from typing import Any, Protocol

from stenod.engines.base import Request
from stenod.engines.child import Loaded, Step


class Worker(Protocol):
    """What a pool needs of its worker; see `worker.ProcessWorker`."""

    generation: int
    loaded: Loaded

    @property
    def alive(self) -> bool:
        """Whether it is loaded and runs."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process, until that was seen to have ended."""
        ...

    async def start(self) -> None:
        """Load, if that is not done."""
        ...

    async def call(self, method: str, *arguments: Any, limit: float | None = None) -> Any:
        """Have `method` done, within `limit` seconds or its usual time. Raises EngineFailed, WorkerLost."""
        ...

    async def aclose(self) -> None:
        """End it."""
        ...


class StateLost(Exception):
    """The engine state that a step wanted is gone; `tried`: with the step, which may be to blame."""

    def __init__(self, *, tried: bool = False) -> None:
        super().__init__("the engine state is gone")
        self.tried = tried


class Work(Protocol):
    """What a ticket is about."""

    def prepare(self, generation: int) -> Request | Step:
        """What to send, decided at the last moment. Raises StateLost."""
        ...

    def settle(self, *, answered: bool) -> None:
        """What was prepared has been done, or has failed and its state is dead; called even where nobody waits any more."""
        ...
