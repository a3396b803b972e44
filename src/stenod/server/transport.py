"""What carries messages, whatever it is: the interface between a connection and its socket."""

from __future__ import annotations

from typing import Protocol

from stenod.protocols.base import Close


class Closed(Exception):
    """The other end is gone; `clean` when it said so."""

    def __init__(self, *, clean: bool) -> None:
        super().__init__()
        self.clean = clean


class Transport(Protocol):
    """Messages in both directions."""

    whole: bool
    """What comes is one thing with an end, of which a part is of no use: a file."""

    async def receive(self) -> str | bytes:
        """The next message. Raises Closed, and StenodError where what comes cannot be read on."""
        ...

    async def send(self, message: str | bytes) -> None:
        """Write, waiting while the other end does not read. Raises Closed."""
        ...

    async def close(self, close: Close) -> None:
        """Say goodbye. Total."""
        ...
