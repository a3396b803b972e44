"""One waiting request, and how well requests go together by their length. Pure; `schedule.py` decides with it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from stenod.jobs import Kind
from stenod.options import DecodeOptions


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """One waiting request."""

    kind: Kind
    stretch: Hashable
    """Whose request it is: a newer partial of the same stretch replaces it."""
    seconds: float
    """Audio the engine has to work through."""
    session: Hashable = None
    """Among whose partials to be fair; those of None are nobody's."""
    options: DecodeOptions = field(default_factory=DecodeOptions)
    call: Literal["transcribe", "step"] = "transcribe"
    alone: bool = False
    """Never batched with others: it, or one of its companions, has failed before."""
    tried: bool = False
    """Has failed once; not tried a third time."""
    work: Any = None
    """What the pool needs to do it; the queue does not look."""
    at: float = 0.0
    """When it began to wait."""


def padded(tickets: Iterable[Ticket]) -> float:
    """Seconds of audio in a batch, each of its requests as long as the longest."""
    lengths = [ticket.seconds for ticket in tickets]
    return max(lengths) * len(lengths)


def bucket(seconds: float) -> int:
    """Requests of one bucket waste less than half of a padded batch."""
    return max(0, math.ceil(math.log2(max(seconds, 1e-3))))


def distance(ticket: Ticket, other: Ticket) -> float:
    """How much longer the longer of the two is, in powers of two."""
    return abs(math.log2(max(ticket.seconds, 1e-3) / max(other.seconds, 1e-3)))
