"""What goes over a door, declared as types. Its schema and its page in the docs are made of these; nothing is parsed here.

Each message is a TypedDict: its docstring says what it is for, the text under a field what that holds, and the ends of a
range stand in an `Annotated`. A dialect writes its frames through the types, or is held against them by its tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """All messages of one dialect."""

    client: tuple[type, ...] = ()
    """JSON texts that a client may send. Unknown fields in them are ignored."""
    server: tuple[type, ...] = ()
    """JSON texts that it may get, with these fields and no others."""
    open: tuple[type, ...] = ()
    """Among those, and in them: what may have further fields."""
    query: type | None = None
    """Parameters of the URL's query."""
    audio: str | None = None
    """What binary messages of the client hold; None where there are none."""
