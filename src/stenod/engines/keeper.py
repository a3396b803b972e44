"""The life of a worker beside its work: loaded when it is wanted, replaced when it dies at rest, let go when nobody uses it.

Knows nothing of requests; what it must know of them, whether there are any, it asks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import anyio

from stenod.engines.work import Worker
from stenod.engines.worker import WorkerLost
from stenod.errors import StenodError

_log = logging.getLogger(__name__)

REST: Final = 5.0
"""Seconds for which a worker that could not load is not started again."""

BEAT: Final = 1.0
"""Seconds between two looks at a worker that rests, at most."""


class Keeper:
    """Of one worker of the model `name`.

    `resting` says whether nobody asks anything of it, `wanted` whether somebody may: a session that has it, a state in it.
    After `idle_unload` seconds unwanted it is let go; 0: never.
    """

    def __init__(
        self, worker: Worker, name: str, idle_unload: float, resting: Callable[[], bool], wanted: Callable[[], bool]
    ) -> None:
        self.used = time.monotonic()
        """When it was last of use to anyone."""
        self.unloads = 0
        self._worker = worker
        self._name = name
        self._idle_unload = idle_unload
        self._resting = resting
        self._wanted = wanted
        self._starting = anyio.Lock()
        self._trouble: tuple[float, StenodError] | None = None

    @property
    def trouble(self) -> StenodError | None:
        """Why it cannot be loaded, where that was tried and has not been made good."""
        return self._trouble[1] if self._trouble is not None else None

    @property
    def restarts(self) -> int:
        """Workers that had to be replaced."""
        return max(0, self._worker.generation - 1 - self.unloads)

    async def start(self) -> None:
        """Load now, if that is not done. Raises Unavailable, EngineFailed; for a few seconds after that, the same again."""
        async with self._starting:
            if self._trouble is not None and time.monotonic() - self._trouble[0] < REST:
                raise self._trouble[1]
            try:
                await self._load()
            except StenodError as error:
                self._trouble = time.monotonic(), error
                raise
            self._trouble = None
            self.used = time.monotonic()

    async def _load(self) -> None:
        """A worker that dies while it loads may have been killed: that says nothing of the model before it happens twice."""
        try:
            await self._worker.start()
        except WorkerLost:
            await self._worker.start()

    async def run(self) -> None:
        """Look after it until cancelled."""
        beat = min(BEAT, self._idle_unload / 4) if self._idle_unload else BEAT
        while True:
            await anyio.sleep(beat)
            if self._resting() and not self._starting.locked():
                await self._look()

    async def _look(self) -> None:
        if self._worker.alive:
            idle = time.monotonic() - self.used
            if self._idle_unload and idle >= self._idle_unload and not self._wanted():
                _log.info("The model %s has not been used for %.0f s and is unloaded.", self._name, idle)
                self.unloads += 1
                await self._worker.aclose()
        elif self._worker.pid is not None and self._trouble is None:  # one that never loaded is tried when it is wanted
            _log.warning("A worker of the model %s died while it had nothing to do; it is replaced.", self._name)
            try:
                await self.start()
            except StenodError as error:
                _log.warning("The model %s could not be loaded again: %s", self._name, error.message)
