"""Who may come in: at most so many at once, and nobody once the server is closing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from stenod.errors import Overloaded

RETRY_AFTER = 5.0
"""Seconds after which a place may be free, or a server that was shut down be back."""


class Admission:
    """Counts those inside, live connections and files together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._inside = 0
        self._empty = anyio.Event()
        self.closed = False

    @property
    def room(self) -> int:
        """How many more may come in now."""
        return 0 if self.closed else max(0, self.limit - self._inside)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside. Raises Overloaded."""
        if self.closed:
            raise Overloaded("The server is shutting down.", retry_after=RETRY_AFTER, code="shutting_down")
        if self._inside >= self.limit:
            full = f"The server is busy with {self.limit} sessions, which is all it takes."
            raise Overloaded(full, retry_after=RETRY_AFTER)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            if self._inside == 0:
                self._empty.set()
                self._empty = anyio.Event()

    async def empty(self) -> None:
        """Wait until nobody is inside."""
        while self._inside:
            await self._empty.wait()
