"""Which request goes next: the order at a pool, as a pure queue. No clock, no event loop, no engine; `now` is given.

The rules:

* Live finals go before live partials, these before files, these before revisions; within a kind the oldest goes first.
* Ageing: a request that has waited longer than its kind's patience is overdue, and after three batches that passed an
  overdue request over, the one that has waited longest goes first. So nothing starves, and live work keeps three quarters.
* A batch holds requests of about the same length (within a factor of two, or all below a second), one of a stretch at most,
  and equal options where the engine needs that. While anyone is live it is capped by predicted seconds of work as well.
* A newer partial of a stretch takes the place of an older one that waits; a final removes it.
* A partial that would wait longer than about a second, or behind too many others, is shed. Finals and files never are.

The queue has no bound of its own: each request is a waiting caller, and callers bound what they have in flight.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from stenod.jobs import Kind
from stenod.options import DecodeOptions

PATIENCE: Final[Mapping[Kind, float]] = {Kind.FINAL: math.inf, Kind.PARTIAL: 1.0, Kind.FILE: 5.0, Kind.REVISION: 20.0}
"""Seconds after which a waiting request is overdue; finals need none, nothing goes before them."""

LIVE: Final = frozenset({Kind.FINAL, Kind.PARTIAL})

PASSED: Final = 3
"""Batches that may pass an overdue request over."""

LIVE_MEMORY: Final = 5.0
"""Seconds for which a live request counts as recently seen."""

_MEMORY: Final = 0.9
"""What each batch leaves of the weight of those before it in the measured cost."""


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """One waiting request."""

    kind: Kind
    stretch: Hashable
    """Whose request it is: a newer partial of the same stretch replaces it."""
    seconds: float
    """Audio the engine has to work through."""
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


class Queue:
    """The waiting requests of one worker."""

    def __init__(
        self,
        *,
        max_batch: int = 1,
        uniform: bool = False,
        max_waiting: int = 64,
        max_wait: float = 1.0,
        live_cap: float = 0.5,
    ) -> None:
        self._max_batch = max_batch
        self._uniform = uniform
        self._max_waiting = max_waiting
        self._max_wait = max_wait
        self._live_cap = live_cap
        self._waiting: list[Ticket] = []
        self._passed = 0
        self._live_until = -math.inf
        self._worked = 0.0
        self._heard = 0.0
        self.cost = 0.0
        """Seconds of work for each second of audio, as measured; 0 until something was."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, ticket: Ticket, now: float, ahead: float = 0.0) -> list[Ticket]:
        """Let `ticket` wait; `ahead` is what the running batch still needs, in seconds. The tickets that were shed by it."""
        ticket.at = now
        shed: list[Ticket] = []
        if ticket.kind in LIVE:
            self._live_until = now + LIVE_MEMORY
            shed = [old for old in self._waiting if old.kind is Kind.PARTIAL and old.stretch == ticket.stretch]
            self._remove(shed)
        if ticket.kind is Kind.PARTIAL:
            if shed:
                ticket.at = shed[0].at
            elif self._no_room(ahead):
                return [ticket]
        self._waiting.append(ticket)
        return shed

    def put_back(self, tickets: Iterable[Ticket]) -> None:
        """Let tickets whose batch failed wait again, each for a batch of its own, with the time they have waited."""
        for ticket in tickets:
            ticket.alone = ticket.tried = True
            self._waiting.append(ticket)

    def withdraw(self, stretch: Hashable) -> list[Ticket]:
        """Forget what waits of a stretch; the tickets forgotten."""
        gone = [ticket for ticket in self._waiting if ticket.stretch == stretch]
        self._remove(gone)
        return gone

    def remove(self, ticket: Ticket) -> bool:
        """Forget one ticket; False where it does not wait (any more)."""
        waits = any(other is ticket for other in self._waiting)
        self._remove([ticket])
        return waits

    def drain(self) -> list[Ticket]:
        """Forget everything; the tickets forgotten."""
        gone, self._waiting = self._waiting, []
        return gone

    def take(self, now: float) -> list[Ticket]:
        """The next batch, empty where nothing waits."""
        ordered = self._eligible()
        if not ordered:
            return []
        first = self._first(ordered, now)
        batch = [first]
        for ticket in ordered:
            if len(batch) == self._max_batch or first.alone:
                break
            if ticket is not first and self._fits(ticket, batch, now):
                batch.append(ticket)
        self._remove(batch)
        return batch

    def learn(self, busy: float, audio: float) -> None:
        """A batch of `audio` seconds took `busy` seconds."""
        self._worked = _MEMORY * self._worked + busy
        self._heard = _MEMORY * self._heard + audio
        if self._heard > 0:
            self.cost = self._worked / self._heard

    def predicted(self) -> float:
        """Seconds of work that wait."""
        return self.cost * sum(ticket.seconds for ticket in self._waiting)

    def waiting(self) -> Counter[Kind]:
        """How many wait, by kind."""
        return Counter(ticket.kind for ticket in self._waiting)

    def _eligible(self) -> list[Ticket]:
        """The oldest ticket of each stretch, in order of precedence."""
        heads: dict[Hashable, Ticket] = {}
        for ticket in self._waiting:
            heads.setdefault(ticket.stretch, ticket)
        return sorted(heads.values(), key=lambda ticket: (ticket.kind, ticket.at))

    def _first(self, ordered: list[Ticket], now: float) -> Ticket:
        """By precedence, or the longest waiting of the overdue where these have been passed over often enough."""
        overdue = [ticket for ticket in ordered if now - ticket.at > PATIENCE[ticket.kind]]
        first = ordered[0]
        if not overdue or first in overdue:
            self._passed = 0
        elif self._passed < PASSED:
            self._passed += 1
        else:
            self._passed = 0
            first = min(overdue, key=lambda ticket: ticket.at)
        return first

    def _fits(self, ticket: Ticket, batch: list[Ticket], now: float) -> bool:
        first = batch[0]
        if ticket.alone or ticket.call != first.call or _bucket(ticket.seconds) != _bucket(first.seconds):
            return False
        if self._uniform and ticket.options != first.options:
            return False
        together = self.cost * (ticket.seconds + sum(one.seconds for one in batch))
        return now > self._live_until or together <= self._live_cap

    def _no_room(self, ahead: float) -> bool:
        """Whether a fresh partial would wait too long, or behind too many; files do not count, they go after it."""
        before = [ticket.seconds for ticket in self._waiting if ticket.kind in LIVE]
        return len(before) >= self._max_waiting or ahead + self.cost * sum(before) > self._max_wait

    def _remove(self, tickets: list[Ticket]) -> None:
        self._waiting = [ticket for ticket in self._waiting if not any(ticket is gone for gone in tickets)]


def _bucket(seconds: float) -> int:
    """Requests of one bucket waste less than half of a padded batch."""
    return max(0, math.ceil(math.log2(max(seconds, 1e-3))))
