"""A session's own place at the recognisers: which engine state has heard how much of which stretch.

Turns a `Decode` into a ticket at a pool, replays what a lost state had heard, moves times to the session's zero and refines
the text. One event loop, no locks; knows nothing of scheduling or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, TypeAlias

import anyio.to_thread

from stenod.engines.base import Model, Request
from stenod.engines.child import Step
from stenod.engines.pool import Pool, StateLost
from stenod.engines.schedule import Ticket
from stenod.errors import EngineFailed
from stenod.jobs import Answer, Decode, Kind, Samples, Shed
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript, shift

Refine: TypeAlias = Callable[[Transcript, DecodeOptions], Transcript]

STRIDE: Final = 2 * RATE
"""Samples of a file that a streaming engine is given at a time."""

_lanes: Final[Iterator[int]] = count(1)


@dataclass(frozen=True, slots=True)
class Crew:
    """A model and the pools of its workers, all alike."""

    model: Model
    pools: Sequence[Pool]

    def idlest(self) -> Pool:
        """The pool with the least work ahead."""
        return min(self.pools, key=Pool.load)


class Stretch:
    """One engine state in the parent's books: whose it is, where it began, what it has heard."""

    def __init__(self, pool: Pool, number: int, origin: int) -> None:
        self.pool = pool
        self.number = number
        self.origin = origin
        """Session position of the first sample it heard."""
        self.consumed = origin
        """Session position after the last sample it heard."""
        self.generation: int | None = None
        """Of the worker that holds it; None until its first step is sent."""
        self.dead = False

    def fresh(self, job: Decode) -> Samples:
        """What of the job's view it has not heard. Raises StateLost where there is a gap between the two."""
        if self.dead or self.consumed < job.start:
            raise StateLost
        return job.samples[self.consumed - job.start :]

    def release(self) -> None:
        """Give the place in the worker back; doing it twice is harmless."""
        self.dead = True
        self.pool.release(self.number)


@dataclass(slots=True)
class Whole:
    """Work: decode the job's whole view at once."""

    job: Decode

    def prepare(self, generation: int) -> Request:  # noqa: ARG002 any worker will do
        """The request."""
        return Request(self.job.samples, self.job.options)

    def settle(self, *, answered: bool) -> None:
        """Nothing to remember."""


@dataclass(slots=True)
class Onward:
    """Work: let the stretch's state hear what is fresh in the job's view."""

    stretch: Stretch
    job: Decode

    def prepare(self, generation: int) -> Step:
        """The step; the first one opens the state. Raises StateLost where the state died with an earlier worker."""
        stretch, job = self.stretch, self.job
        chunk = stretch.fresh(job)
        opens = job.options if stretch.generation is None else None
        if opens is not None:
            stretch.generation = generation
        elif stretch.generation != generation:
            raise StateLost
        return Step(stretch.number, chunk, job.last, opens)

    def settle(self, *, answered: bool) -> None:
        """Note what was heard; a failed step has killed the state, a last one has finished it."""
        if answered:
            self.stretch.consumed = max(self.stretch.consumed, self.job.start + len(self.job.samples))
        if self.job.last or not answered:
            self.stretch.release()


class PoolLane:
    """Implements `jobs.Lane` over the crews of this machine."""

    def __init__(self, crew_of: Callable[[DecodeOptions], Crew], refine: Refine | None = None, holds: int = 0) -> None:
        self._crew_of = crew_of
        self._refine = refine
        self._holds = holds
        self._lane = next(_lanes)
        self._stretches: dict[int, Stretch] = {}
        self._crews: dict[str, Crew] = {}

    async def decode(self, job: Decode) -> Answer | Shed:
        """See Lane. Raises EngineFailed, ModelNotFound, BadRequest, Unavailable."""
        crew = self._crew_of(job.options)
        self._crews[crew.model.name] = crew
        capabilities = crew.model.capabilities
        if len(job.samples) > capabilities.max_seconds * RATE:
            raise EngineFailed(f"the model takes {capabilities.max_seconds:g} s of audio at once", code="too_long")
        if len(job.samples) == 0:
            result: Transcript | Shed = Transcript()
        elif capabilities.streams and job.kind in (Kind.FINAL, Kind.PARTIAL):
            result = await self._onward(job, crew)
        elif capabilities.streams and len(job.samples) > STRIDE:
            result = await self._strides(job, crew)
        else:
            result = await self._whole(job, crew)
        if job.last:
            self._release(job.stretch)
        if isinstance(result, Shed):
            return result
        if self._refine is not None:
            result = await anyio.to_thread.run_sync(self._refine, result, job.options)
        return Answer(result, self._holds, capabilities.append_only)

    async def withdraw(self, stretch: int) -> None:
        """See Lane. Whoever still waits for a decode of the stretch is answered Shed."""
        for crew in self._crews.values():
            for pool in crew.pools:
                pool.withdraw((self._lane, stretch))
        self._release(stretch)

    async def aclose(self) -> None:
        """Withdraw everything."""
        for stretch in list(self._stretches):
            await self.withdraw(stretch)

    async def _whole(self, job: Decode, crew: Crew) -> Transcript | Shed:
        """Decode the whole view, wherever there is least to do."""
        ticket = self._ticket(job, len(job.samples))
        ticket.work = Whole(job)
        result = await crew.idlest().submit(ticket)
        return result if isinstance(result, Shed) else shift(result, job.start / RATE)

    async def _onward(self, job: Decode, crew: Crew) -> Transcript | Shed:
        """Step over what is fresh. A lost state is replayed from the job, once, and alone; a last job is decoded whole."""
        for tried in (False, True):
            stretch = self._stretch(job, crew)
            if stretch is None:
                break
            try:
                return await self._step(job, stretch, tried=tried)
            except StateLost:
                stretch.release()
        return Shed() if job.kind is Kind.PARTIAL else await self._whole(job, crew)

    async def _strides(self, job: Decode, crew: Crew) -> Transcript | Shed:
        """A long file on an engine that streams, a stride at a time, so that live work gets in between."""
        pool = crew.idlest()
        number = pool.reserve(leave=crew.model.capabilities.max_states // 2)
        if number is None:
            return await self._whole(job, crew)
        stretch = Stretch(pool, number, job.start)
        result: Transcript | Shed = Transcript()
        try:
            for end in range(STRIDE, len(job.samples) + STRIDE, STRIDE):
                view = replace(job, samples=job.samples[:end], last=end >= len(job.samples))
                result = await self._step(view, stretch)
                if isinstance(result, Shed):  # withdrawn
                    break
        except StateLost:
            return await self._whole(job, crew)
        finally:
            stretch.release()
        return result

    async def _step(self, job: Decode, stretch: Stretch, *, tried: bool = False) -> Transcript | Shed:
        """One step of a state. Raises StateLost."""
        ticket = self._ticket(job, job.start + len(job.samples) - stretch.consumed)
        ticket.call, ticket.alone, ticket.tried = "step", tried, tried
        ticket.work = Onward(stretch, job)
        result = await stretch.pool.submit(ticket)
        return result if isinstance(result, Shed) else shift(result, stretch.origin / RATE)

    def _stretch(self, job: Decode, crew: Crew) -> Stretch | None:
        """The job's living state, or a new one where that is worth it and there is room."""
        known = self._stretches.get(job.stretch)
        if known is not None and not known.dead and known.pool in crew.pools:
            return known
        self._release(job.stretch)
        if job.last:
            return None
        for pool in sorted(crew.pools, key=Pool.load):
            number = pool.reserve()
            if number is not None:
                return self._stretches.setdefault(job.stretch, Stretch(pool, number, job.start))
        return None

    def _release(self, stretch: int) -> None:
        state = self._stretches.pop(stretch, None)
        if state is not None:
            state.release()

    def _ticket(self, job: Decode, samples: int) -> Ticket:
        return Ticket(
            kind=job.kind,
            stretch=(self._lane, job.stretch),
            seconds=max(0, samples) / RATE,
            options=job.options,
        )
