"""What a resumable session has said, by number: read on from anywhere, while it is being written.

One writer (the session), one reader at a time (the connection that is attached). Knows no dialect and no socket.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

import anyio

from stenod.protocols.base import Outgoing

KEPT = 1000
"""Messages kept after they were written to a connection, since that does not say that they arrived."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message and its number."""

    seq: int
    message: Outgoing
    passing: bool
    """A partial: the next one says more, so it need not be kept for somebody who has not read it yet."""


class Scroll:
    """The messages of one session. `limit` is how many may wait unread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[Line] = deque()
        self._read = 0
        self._gone = 0  # the number of the newest message that is not kept any more
        self._changed = anyio.Event()
        self.last = 0
        """The number of the newest message."""
        self.closed = False

    def add(self, message: Outgoing, *, passing: bool) -> bool:
        """Write `message` as number `last + 1`; False when too many wait unread."""
        if self._lines and self._lines[-1].passing and passing and self._lines[-1].seq > self._read:
            self._lines.pop()
        self.last += 1
        self._lines.append(Line(self.last, message, passing))
        while len(self._lines) > KEPT and self._lines[0].seq <= self._read:
            self._gone = self._lines.popleft().seq
        self._wake()
        return len(self._lines) <= self._limit + KEPT

    def close(self) -> None:
        """Nothing more will be written."""
        self.closed = True
        self._wake()

    def holds(self, after: int) -> bool:
        """Whether everything that followed number `after` can still be read."""
        return self._gone <= after <= self.last

    async def follow(self, after: int) -> AsyncIterator[Outgoing]:
        """The messages that follow number `after`, as they come, to the end."""
        while True:
            for line in reversed([*takewhile(partial(_follows, after), reversed(self._lines))]):
                after = line.seq
                self._read = max(self._read, after)
                yield line.message
            if self.closed and after >= self.last:
                return
            if after >= self.last:
                await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _follows(after: int, line: Line) -> bool:
    return line.seq > after
