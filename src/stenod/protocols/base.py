"""What a wire protocol is: total synchronous functions between messages and the vocabulary.

No socket, clock, logger, lock, numpy, session or sibling protocol enters this folder. Nothing here raises on what a client
sends: nonsense becomes a `Fail` command and takes the same road as everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from stenod.events import Command, Event, Stamp
from stenod.options import Options


@dataclass(frozen=True, slots=True)
class Handshake:
    """What is known of a client before its first message."""

    id: str
    """Identifies the connection (and the request, over HTTP)."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Query parameters, or the text fields of a form (repeated ones joined with commas)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    subprotocols: tuple[str, ...] = ()
    defaults: Options = field(default_factory=Options)
    """The server's own defaults, which a protocol changes where its dialect says otherwise."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the runner waits, in seconds, as data; None: for ever."""

    identify: float | None = None
    """Until the client has said who it is."""
    idle: float | None = None
    """Without any message before the connection is closed."""
    stall: float | None = None
    """Without audio in the middle of speech before the utterance is committed."""
    heartbeat: float | None = None
    """Without anything sent before a `Ticked`."""
    resume: bool = False
    """Whether the session of a lost connection is kept for the client to come back, without its asking for that."""
    again: bool = False
    """Whether the client, having ended a session, may begin another on the same connection: for as long as it likes."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection. `status` is the HTTP status where it was never upgraded."""

    code: int = 1000
    reason: str = ""
    status: int | None = None


Outgoing: TypeAlias = str | bytes | Close


class WireProtocol(Protocol):
    """One dialect on one connection, made from its `Handshake`."""

    @property
    def patience(self) -> Patience:
        """How long the runner waits. Asked each time: it may depend on what was said."""
        ...

    def open(self) -> list[Command]:
        """What the mere connection already says: a `Configure` where the dialect needs no first frame, or nothing."""
        ...

    def receive(self, message: str | bytes) -> list[Command]:
        """What one message says. Total: never raises, keeps no more than the wire format needs."""
        ...

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """How the dialect says `event`: no, one or several messages, in order."""
        ...
