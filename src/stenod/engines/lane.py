"""A session's own place at the recognisers: which engine state has heard how much of which stretch.

Turns a `Decode` into a ticket at a pool, replays what a lost state had heard, moves times to the session's zero and refines
the text. One event loop, no locks; knows nothing of scheduling or processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Final, TypeAlias

import anyio.to_thread

from stenod.engines.crew import Crew
from stenod.engines.pool import Pool
from stenod.engines.stretch import Onward, Stretch, Whole
from stenod.engines.ticket import Ticket
from stenod.engines.work import StateLost
from stenod.errors import EngineFailed, StenodError
from stenod.jobs import Answer, Decode, Kind, Shed
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript, shift

Refine: TypeAlias = Callable[[Transcript, DecodeOptions], Transcript]

STRIDE: Final = 2 * RATE
"""Samples of a file that a streaming engine is given at a time."""

REPLAYS: Final = 2
"""States that are tried for one job."""

_lanes: Final[Iterator[int]] = count(1)


class PoolLane:
    """Implements `jobs.Lane` over the crews of this machine."""

    def __init__(self, crew_of: Callable[[DecodeOptions], Crew], refine: Refine | None = None, holds: int = 0) -> None:
        self._crew_of = crew_of
        self._refine = refine
        self._holds = holds
        self._lane = next(_lanes)
        self._stretches: dict[tuple[int, str], Stretch] = {}
        """By number and model: partials may come from another model than finals."""
        self._crews: dict[str, Crew] = {}

    async def decode(self, job: Decode) -> Answer | Shed:
        """See Lane. Raises EngineFailed, ModelNotFound, BadRequest, Unavailable."""
        crew = self._enter(self._crew_of(job.options))
        try:
            try:
                result = await self._decode(job, crew)
            except StenodError:
                follower = self._crew_of(job.options)
                if follower is crew:
                    raise
                crew = self._enter(follower)  # that model did not load: there is another
                result = await self._decode(job, crew)
        finally:
            if job.last:
                self._release(job.stretch)
        if isinstance(result, Shed):
            return result
        if self._refine is not None:
            result = await anyio.to_thread.run_sync(self._refine, result, job.options)
        capabilities = crew.model.capabilities
        return Answer(result, self._holds + capabilities.holds, capabilities.append_only)

    async def withdraw(self, stretch: int) -> None:
        """See Lane. Whoever still waits for a decode of the stretch is answered Shed."""
        for crew in self._crews.values():
            for pool in crew.pools:
                pool.withdraw((self._lane, stretch))
        self._release(stretch)

    async def aclose(self) -> None:
        """Withdraw everything, and use no model any more."""
        for stretch in {number for number, _ in self._stretches}:
            await self.withdraw(stretch)
        for crew in self._crews.values():
            crew.leave(self._lane)
        self._crews.clear()

    def _enter(self, crew: Crew) -> Crew:
        """The crew, which knows from now on that this session uses it."""
        known = self._crews.get(crew.model.name)
        if known is not crew:
            if known is not None:
                known.leave(self._lane)
            crew.enter()
            self._crews[crew.model.name] = crew
        return crew

    async def _decode(self, job: Decode, crew: Crew) -> Transcript | Shed:
        """By the way that suits the engine and the job."""
        capabilities = crew.model.capabilities
        if len(job.samples) > capabilities.max_seconds * RATE:
            raise EngineFailed(f"the model takes {capabilities.max_seconds:g} s of audio at once", code="too_long")
        if len(job.samples) == 0:
            return Transcript()
        if capabilities.streams and job.kind in (Kind.FINAL, Kind.PARTIAL):
            return await self._onward(job, crew)
        if capabilities.streams and len(job.samples) > STRIDE:
            return await self._strides(job, crew)
        return await self._whole(job, crew)

    async def _whole(self, job: Decode, crew: Crew, *, tried: bool = False) -> Transcript | Shed:
        """Decode the whole view, wherever there is least to do."""
        ticket = self._ticket(job, len(job.samples), tried=tried)
        ticket.work = Whole(job)
        result = await crew.idlest().submit(ticket)
        return result if isinstance(result, Shed) else shift(result, job.start / RATE)

    async def _onward(self, job: Decode, crew: Crew) -> Transcript | Shed:
        """Step over what is fresh. A lost state is replayed from the job, alone if it failed; a last job whole."""
        tried = False
        for _ in range(REPLAYS):
            stretch = self._stretch(job, crew)
            if stretch is None:
                break
            try:
                return await self._step(job, stretch, tried=tried)
            except StateLost as lost:
                stretch.release()
                tried = tried or lost.tried
        return Shed() if job.kind is Kind.PARTIAL else await self._whole(job, crew, tried=tried)

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
        except StateLost as lost:
            return await self._whole(job, crew, tried=lost.tried)
        finally:
            stretch.release()
        return result

    async def _step(self, job: Decode, stretch: Stretch, *, tried: bool = False) -> Transcript | Shed:
        """One step of a state. Raises StateLost."""
        ticket = self._ticket(job, job.start + len(job.samples) - stretch.consumed, tried=tried)
        ticket.call = "step"
        ticket.work = Onward(stretch, job)
        result = await stretch.pool.submit(ticket)
        return result if isinstance(result, Shed) else shift(result, stretch.origin / RATE)

    def _stretch(self, job: Decode, crew: Crew) -> Stretch | None:
        """The job's living state, or a new one where that is worth it and there is room."""
        key = job.stretch, crew.model.name
        known = self._stretches.get(key)
        if known is not None and not known.dead and known.pool in crew.pools:
            return known
        self._forget(key)
        if job.last:
            return None
        for pool in sorted(crew.pools, key=Pool.load):
            number = pool.reserve()
            if number is not None:
                return self._stretches.setdefault(key, Stretch(pool, number, job.start))
        return None

    def _release(self, stretch: int) -> None:
        """Free the states that heard the stretch, of whatever model."""
        for key in [key for key in self._stretches if key[0] == stretch]:
            self._forget(key)

    def _forget(self, key: tuple[int, str]) -> None:
        state = self._stretches.pop(key, None)
        if state is not None:
            state.release()

    def _ticket(self, job: Decode, samples: int, *, tried: bool = False) -> Ticket:
        """A ticket for `samples` of the job; one that was `tried` before is on its own, and not tried again."""
        return Ticket(
            kind=job.kind,
            stretch=(self._lane, job.stretch),
            session=self._lane,
            seconds=max(0, samples) / RATE,
            options=job.options,
            alone=tried,
            tried=tried,
        )
