"""What a session has said and its client has not taken yet: bounded, and in order.

Of partials only the newest is worth keeping. Everything else is kept up to a limit; beyond it the client does not read,
and the session is over.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio

from stenod.events import Event, Failed, Heard, Partial, Stamp

HEARD_LIMIT = 100_000
"""`Heard`s kept: a client that writes hours of audio before it reads anything is allowed to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with what was true when it was said."""

    event: Event
    channel: int
    acked: float
    lag: float


class Outbox:
    """One writer (the session's task), one reader (the connection)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._heard = 0
        self._seq = 0
        self._closed = False
        self._changed = anyio.Event()

    def put(self, entry: Entry) -> bool:
        """Keep `entry` for the reader; False when that was one too many, and the reader will learn why it is over."""
        if self._closed:
            return True
        if isinstance(entry.event, Partial):
            self._forget_partial(entry.channel)
        self._entries.append(entry)
        self._heard += isinstance(entry.event, Heard)
        self._changed.set()
        if self._heard <= HEARD_LIMIT and len(self._entries) - self._heard <= self._limit:
            return True
        reason = Failed("unread", f"More than {self._limit} messages were waiting to be read.", fatal=True)
        self._entries.clear()
        self._entries.append(Entry(reason, entry.channel, entry.acked, entry.lag))
        self.close()
        return False

    def close(self) -> None:
        """Nothing more will come; what is kept can still be read."""
        self._closed = True
        self._changed.set()

    async def events(self) -> AsyncIterator[tuple[Event, Stamp]]:
        """Everything, in order, until the outbox is closed and empty."""
        while True:
            while self._entries:
                entry = self._entries.popleft()
                self._heard -= isinstance(entry.event, Heard)
                self._seq += 1
                yield entry.event, Stamp(self._seq, time.time(), entry.acked, entry.lag, entry.channel)
            if self._closed:
                return
            self._changed = anyio.Event()
            await self._changed.wait()

    def _forget_partial(self, channel: int) -> None:
        """Drop the partial of `channel` that has not been read: a newer one says more."""
        for entry in reversed(self._entries):
            if entry.channel == channel and isinstance(entry.event, Partial):
                self._entries.remove(entry)
                return
            if entry.channel == channel and not isinstance(entry.event, Heard):
                return
