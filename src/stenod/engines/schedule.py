"""Which request goes next: the order at a pool, as a pure queue. No clock, no event loop, no engine; `now` is given.

The rules:

* Live finals go before live partials, these before files, these before revisions; within a kind the oldest goes first.
* Ageing: a request that has waited longer than its kind's patience is overdue, and after three batches that passed an
  overdue request over, the one that has waited longest goes first. So nothing starves, and live work keeps three quarters.
* A batch holds requests of about the same length (within a factor of two, or all below a second, or where the padding
  costs less than another batch), those nearest in length to its first; one of a stretch at most; and equal options where
  the engine needs that. While anyone is live it is capped by predicted seconds of work as well, and partials join finals
  only while these hardly notice.
* Partials wait a moment for company where other sessions had partials lately: as long as it pays, never long, and never
  where anything else waits. In company a session's partials are rarer, too, where each is the whole utterance again.
* Among partials the session that was served longest ago goes first.
* A newer partial of a stretch takes the place of an older one that waits; a final removes it.
* Where a partial would wait longer than about a second, or behind too many others, one is shed: that of the session that
  was served last. So partials thin out for everyone alike. Finals and files are never shed.

The queue has no bound of its own: each request is a waiting caller, and callers bound what they have in flight.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Final

from stenod.engines.cost import Cost
from stenod.engines.ticket import Ticket, bucket, distance, padded
from stenod.jobs import Kind

PATIENCE: Final[Mapping[Kind, float]] = {Kind.FINAL: math.inf, Kind.PARTIAL: 1.0, Kind.FILE: 5.0, Kind.REVISION: 20.0}
"""Seconds after which a waiting request is overdue; finals need none, nothing goes before them."""

LIVE: Final = frozenset({Kind.FINAL, Kind.PARTIAL})

PASSED: Final = 3
"""Batches that may pass an overdue request over."""

LIVE_MEMORY: Final = 5.0
"""Seconds for which a live request counts as recently seen."""

COMPANY: Final = 1.0
"""Seconds after a session's partial in which its next one is expected."""

CROWD: Final = 16
"""Sessions in whose company a partial waits as long, and the next one comes as late, as it may; in less company less."""

WINDOW: Final = 0.4
"""Seconds for which a partial waits for company at most."""

PAYS: Final = 40.0
"""It waits for no longer than so many times what a batch takes: where that is nothing, there is nothing to share."""

WORTH: Final = 100.0
"""In company a session's partials are no further apart than so many times what a batch takes: what is cheap is not saved."""

RIDE: Final = 0.05
"""Seconds by which partials in its batch may delay a final."""

_SERVED: Final = 10.0
"""Seconds for which it is remembered when a session was served."""


class Queue:
    """The waiting requests of one worker.

    `crowded_interval`: seconds between two partials of a session in the company of a `CROWD`.
    """

    def __init__(  # noqa: PLR0913 each a bound of its own, by name
        self,
        *,
        max_batch: int = 1,
        uniform: bool = False,
        max_waiting: int = 64,
        max_wait: float = 1.0,
        live_cap: float = 0.3,
        crowded_interval: float = 0.0,
    ) -> None:
        self._max_batch = max_batch
        self._uniform = uniform
        self._max_waiting = max_waiting
        self._max_wait = max_wait
        self._live_cap = live_cap
        self._crowded_interval = crowded_interval
        self._waiting: list[Ticket] = []
        self._passed = 0
        self._live_until = -math.inf
        self._seen: dict[Hashable, float] = {}
        self._served: dict[Hashable, float] = {}
        self.cost = Cost()
        """As measured."""

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
        self._waiting.append(ticket)
        if ticket.kind is Kind.PARTIAL:
            _note(self._seen, ticket.session, now, COMPANY)
            if shed:
                ticket.at = shed[0].at
            elif self._crowded(ahead, now):
                shed = [self._least_urgent()]
                self._remove(shed)
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

    def forget(self, session: Hashable) -> None:
        """The session is over: nobody waits for its next partial."""
        self._seen.pop(session, None)

    def remove(self, ticket: Ticket) -> bool:
        """Forget one ticket; False where it does not wait (any more)."""
        waits = any(other is ticket for other in self._waiting)
        self._remove([ticket])
        return waits

    def drain(self) -> list[Ticket]:
        """Forget everything; the tickets forgotten."""
        gone, self._waiting = self._waiting, []
        return gone

    def hold(self, now: float) -> float:
        """Seconds for which the next batch had better wait for company."""
        if not self._waiting or any(ticket.kind is not Kind.PARTIAL or ticket.alone for ticket in self._waiting):
            return 0.0
        interval = self._interval(now)
        turns = [max(ticket.at, self._turn(ticket, interval)) for ticket in self._waiting]
        due = [ticket for ticket, turn in zip(self._waiting, turns, strict=True) if turn <= now]
        if not due:
            return min(turns) - now
        here = {ticket.session for ticket in due}
        expected = sum(session not in here for session, seen in self._seen.items() if seen > now - COMPANY)
        if not expected or len(due) >= self._max_batch:
            return 0.0
        window = min(WINDOW, PAYS * self.cost.typical) * min(1.0, expected / CROWD)
        return max(0.0, min(turns) + window - now)

    def take(self, now: float) -> list[Ticket]:
        """The next batch, the shortest first; empty where nothing waits."""
        ordered = self._eligible(now)
        if not ordered:
            return []
        first = self._first(ordered, now)
        batch = [first]
        for ticket in sorted(ordered, key=lambda ticket: (ticket.kind, distance(ticket, first))):
            if len(batch) == self._max_batch or first.alone:
                break
            if ticket is not first and self._fits(ticket, batch, now):
                batch.append(ticket)
        self._remove(batch)
        for ticket in batch:
            if ticket.kind is Kind.PARTIAL:
                _note(self._served, ticket.session, now, _SERVED)
        return sorted(batch, key=lambda ticket: ticket.seconds)

    def predicted(self) -> float:
        """Seconds of work that wait."""
        return self._work(self._waiting)

    def waiting(self) -> Counter[Kind]:
        """How many wait, by kind."""
        return Counter(ticket.kind for ticket in self._waiting)

    def _interval(self, now: float) -> float:
        """Seconds between two partials of a session, in such company."""
        company = sum(seen > now - COMPANY for seen in self._seen.values())
        return min(self._crowded_interval, WORTH * self.cost.typical) * min(1.0, company / CROWD)

    def _turn(self, ticket: Ticket, interval: float) -> float:
        """When a ticket may go at the earliest."""
        if ticket.kind is not Kind.PARTIAL or ticket.call == "step" or ticket.alone:
            return -math.inf
        return self._served.get(ticket.session, -math.inf) + interval

    def _eligible(self, now: float) -> list[Ticket]:
        """The oldest ticket of each stretch, of those whose turn it is, in order of precedence."""
        interval = self._interval(now)
        heads: dict[Hashable, Ticket] = {}
        for ticket in self._waiting:
            heads.setdefault(ticket.stretch, ticket)
        return sorted((head for head in heads.values() if self._turn(head, interval) <= now), key=self._urgency)

    def _urgency(self, ticket: Ticket) -> tuple[Kind, float, float]:
        """Sorts by precedence: the smallest goes first."""
        served = self._served.get(ticket.session, -math.inf) if ticket.kind is Kind.PARTIAL else 0.0
        return ticket.kind, served, ticket.at

    def _least_urgent(self) -> Ticket:
        """The partial to be shed; the newest of equals."""
        partials = [ticket for ticket in reversed(self._waiting) if ticket.kind is Kind.PARTIAL]
        return max(partials, key=self._urgency)

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
        first, together = batch[0], [*batch, ticket]
        if ticket.alone or ticket.call != first.call or (self._uniform and ticket.options != first.options):
            return False
        if bucket(ticket.seconds) != bucket(first.seconds):
            wasted = padded(together) - padded(batch) - ticket.seconds
            if self.cost.rate * wasted >= self.cost.fixed:
                return False
        if now > self._live_until:
            return True
        if self.cost.rate * padded(together) > self._live_cap:
            return False
        finals = [one for one in batch if one.kind is Kind.FINAL]
        if not finals or ticket.kind is Kind.FINAL:
            return True
        return self.cost.rate * (padded(together) - padded(finals)) <= RIDE

    def _crowded(self, ahead: float, now: float) -> bool:
        """Whether the newest that waits would wait too long, or behind too many; files go after it and do not count."""
        before = [ticket for ticket in self._waiting[:-1] if ticket.kind in LIVE]
        interval = self._interval(now)
        due = sum(self._turn(ticket, interval) <= now for ticket in before)
        return due >= self._max_waiting or ahead + self._work(before) > self._max_wait

    def _work(self, tickets: list[Ticket]) -> float:
        """Seconds of work that `tickets` are, in batches as full as may be."""
        batches = math.ceil(len(tickets) / self._max_batch)
        return self.cost.of(sum(ticket.seconds for ticket in tickets), batches)

    def _remove(self, tickets: list[Ticket]) -> None:
        self._waiting = [ticket for ticket in self._waiting if not any(ticket is gone for gone in tickets)]


def _note(times: dict[Hashable, float], session: Hashable, now: float, memory: float) -> None:
    """Remember `now` for the session, as the newest of `times`, and forget what is older than `memory` seconds."""
    if session is None:
        return
    times.pop(session, None)
    times[session] = now
    while next(iter(times.values())) < now - memory:
        del times[next(iter(times))]
