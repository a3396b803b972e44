"""Dialects whose events are added up in `measures`, and which are otherwise themselves. Nothing else at the doors counts."""

from __future__ import annotations

from stenod.events import Command, Event, Stamp
from stenod.protocols.base import Outgoing, Patience, WireProtocol
from stenod.protocols.files import Renderer
from stenod.server.measures import Tally


class Measured:
    """A dialect whose events are counted."""

    def __init__(self, protocol: WireProtocol, tally: Tally) -> None:
        self._protocol = protocol
        self._tally = tally
        tally.name(type(protocol).__name__)

    @property
    def patience(self) -> Patience:
        """The dialect's."""
        return self._protocol.patience

    def open(self) -> list[Command]:
        """The dialect's."""
        return self._protocol.open()

    def receive(self, message: str | bytes) -> list[Command]:
        """The dialect's."""
        return self._protocol.receive(message)

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """The dialect's; counted on the way."""
        self._tally.add(event, stamp)
        return self._protocol.send(event, stamp)


class MeasuredRenderer(Measured):
    """The same for files."""

    def __init__(self, protocol: Renderer, tally: Tally) -> None:
        super().__init__(protocol, tally)
        self._renderer = protocol

    @property
    def media_type(self) -> str:
        """The dialect's."""
        return self._renderer.media_type
