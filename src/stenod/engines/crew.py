"""A model and the workers that hold it, all alike: started together, chosen between, and sent away together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import anyio

from stenod.engines.base import Model
from stenod.engines.pool import Pool
from stenod.errors import StenodError


@dataclass(frozen=True, slots=True, eq=False)
class Crew:
    """A model and the pools of its workers."""

    model: Model
    pools: Sequence[Pool]

    @property
    def trouble(self) -> StenodError | None:
        """Why the model cannot be loaded, where that was tried and no worker could."""
        troubles = [pool.trouble for pool in self.pools]
        return troubles[0] if all(troubles) else None

    def idlest(self) -> Pool:
        """The pool with the least work ahead."""
        return min(self.pools, key=Pool.load)

    def enter(self) -> None:
        """A session uses the model from now on."""
        for pool in self.pools:
            pool.enter()

    def leave(self, session: Hashable) -> None:
        """It uses it no more."""
        for pool in self.pools:
            pool.leave(session)

    async def start(self) -> None:
        """Load the model in every worker. Raises Unavailable, EngineFailed."""
        troubles: list[StenodError] = []

        async def start(pool: Pool) -> None:
            try:
                await pool.start()
            except StenodError as error:
                troubles.append(error)

        async with anyio.create_task_group() as tasks:
            for pool in self.pools:
                tasks.start_soon(start, pool)
        if troubles:
            raise troubles[0]

    async def run(self) -> None:
        """Work, until cancelled, or retired and everything that waited is done; the workers have ended then."""
        try:
            async with anyio.create_task_group() as tasks:
                for pool in self.pools:
                    tasks.start_soon(pool.run)
        finally:
            with anyio.CancelScope(shield=True):
                await self.aclose()

    def retire(self) -> None:
        """Nobody new comes: what waits is done, then the workers end."""
        for pool in self.pools:
            pool.retire()

    async def aclose(self) -> None:
        """After `run`, or where it never began: end the workers."""
        for pool in self.pools:
            await pool.aclose()
