"""One detector for everyone: collects the frames of all sessions that wait and scores them together, off the event loop.

Knows nothing of audio formats or sessions. One task, one thread at a time: while a batch is scored the next one gathers, so
that batches grow with the load and nobody waits for a timer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.to_thread
import numpy as np
from anyio.abc import TaskGroup

from stenod.errors import EngineFailed
from stenod.jobs import Samples
from stenod.vad.base import Vad, VadState

_TURN: Final = 32
"""Frames of one stream in one batch, 1 s: a file being read must not make live streams wait for it."""

_MOST: Final = 64
"""Streams in one batch: larger ones are no cheaper a frame, and a batch stays under a tenth of a second."""


@dataclass(slots=True, eq=False)
class _Request:
    state: VadState
    frames: Samples
    answers: list[Samples] = field(default_factory=list)
    scored: int = 0
    error: EngineFailed | None = None
    done: anyio.Event = field(default_factory=anyio.Event)


class Scorer:
    """An async context manager; inside it, `score`. `waiting` bounds the requests that may queue."""

    def __init__(self, vad: Vad, *, waiting: int = 1024) -> None:
        self._vad = vad
        self._send, self._receive = anyio.create_memory_object_stream[_Request](waiting)
        self._limiter = anyio.CapacityLimiter(1)
        self._tasks: TaskGroup | None = None  # made inside an event loop: the rest may be made outside

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._work)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._send.close()
        assert self._tasks is not None  # noqa: S101 - entered
        return await self._tasks.__aexit__(kind, error, trace)

    def open(self) -> VadState:
        """Begin a stream."""
        return self._vad.open()

    async def score(self, state: VadState, frames: Samples) -> Samples:
        """Score the next frames of a stream, (n, 512) in, (n,) out; one call at a time for each state.

        Raises EngineFailed where the detector does, and the state is then not to be trusted. Cancelling is harmless to
        everyone else.
        """
        request = _Request(state, frames)
        try:
            await self._send.send(request)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise EngineFailed("the voice activity detector has been stopped") from None
        try:
            await request.done.wait()
        finally:
            request.frames = frames[:0]  # nobody waits for the rest of a cancelled request
        if request.error:
            raise request.error
        return np.concatenate(request.answers) if request.answers else np.empty(0, np.float32)

    async def _work(self) -> None:
        """Score batch after batch until the last sender has gone."""
        waiting: list[_Request] = []
        with self._receive:
            try:
                async for first in self._receive:
                    waiting.append(first)
                    while waiting:
                        waiting += self._queued(_MOST - len(waiting))
                        await self._batch(waiting)
                        waiting = [request for request in waiting if not request.done.is_set()]
            finally:
                for request in (*waiting, *self._queued()):
                    _settle(request, EngineFailed("the voice activity detector has been stopped"))

    def _queued(self, most: float = inf) -> list[_Request]:
        """Take what waits now, up to so many."""
        requests: list[_Request] = []
        while len(requests) < most:
            try:
                requests.append(self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream):
                break
        return requests

    async def _batch(self, requests: list[_Request]) -> None:
        """Score the next turn of each request; a detector that fails fails these requests and no other."""
        states = [request.state for request in requests]
        frames = [request.frames[request.scored : request.scored + _TURN] for request in requests]
        try:
            answers = await anyio.to_thread.run_sync(self._vad.score, states, frames, limiter=self._limiter)
        except Exception as error:  # noqa: BLE001  whatever a detector raises, the scorer goes on
            for request in requests:
                _settle(request, EngineFailed(f"the voice activity detector failed: {type(error).__name__}"))
            return
        for request, answer in zip(requests, answers, strict=True):
            request.answers.append(answer)
            request.scored += _TURN
            if request.scored >= len(request.frames):
                request.done.set()


def _settle(request: _Request, error: EngineFailed) -> None:
    request.error = error
    request.done.set()
