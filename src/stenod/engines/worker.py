"""A recogniser in a process of its own, because a hung thread cannot be killed. The parent's side; `child.py` is the other.

One call at a time, each within a time limit. A child that hangs or dies is killed and the call raises WorkerLost; the next
call starts a fresh child, of the next generation. Knows nothing of queues, kinds or sessions.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, Final

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint_if_cancelled

from stenod.engines.base import Family, LoadOptions, Model
from stenod.engines.child import Loaded, Start, Trouble
from stenod.errors import BadRequest, EngineFailed, StenodError, Unavailable

_ENTRY: Final = "from stenod.engines.child import main; main()"
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_KINDS: Final[Mapping[str, type[StenodError]]] = {
    kind.__name__: kind for kind in (BadRequest, EngineFailed, Unavailable)
}


class WorkerLost(EngineFailed):
    """The worker process died or hung; its states are gone and the next call starts a fresh one."""

    def __init__(self, message: str, *, hung: bool) -> None:
        super().__init__(message, code="engine_timeout" if hung else "engine_crashed")
        self.hung = hung
        """True where it ran past the time limit, False where it died."""


class ProcessWorker:
    """One child process with one loaded model. Not for two callers at once; use it under a pool."""

    def __init__(
        self,
        family: Family,
        model: Model,
        options: LoadOptions,
        *,
        timeout: float = 60.0,
        start_timeout: float = 300.0,
    ) -> None:
        self.model = model
        self.generation = 0
        """How many children there have been; states belong to one of them."""
        self.loaded = Loaded()
        """What the last child said when it had loaded."""
        self._start = Start(family.load, model, options)
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._process: tuple[subprocess.Popen[bytes], Connection] | None = None
        self._thread = anyio.CapacityLimiter(1)

    @property
    def alive(self) -> bool:
        """Whether a loaded child is there to take a call."""
        return self._process is not None and self._process[0].poll() is None

    @property
    def pid(self) -> int | None:
        """The child's process id, for the curious and for tests."""
        return self._process[0].pid if self._process is not None else None

    async def start(self) -> None:
        """Load, if there is no living child. Raises Unavailable, EngineFailed, WorkerLost."""
        if self.alive:
            return
        await self.aclose()
        self.generation += 1
        self._process = self._spawn()
        try:
            self.loaded = await self._exchange(*self._process, self._start, self._start_timeout)
        except StenodError:
            await self.aclose()  # it has nothing to serve and ends
            raise

    async def call(self, method: str, *arguments: Any, limit: float | None = None) -> Any:
        """What the child's `method` returns. Raises EngineFailed where it raised, WorkerLost where it died or hung.

        It counts as hung after `limit` seconds, or after the time limit of every call where that is shorter.
        """
        await self.start()
        if self._process is None:
            raise WorkerLost("the recogniser was closed", hung=False)
        seconds = self._timeout if limit is None else min(limit, self._timeout)
        return await self._exchange(*self._process, (method, arguments), seconds)

    async def aclose(self) -> None:
        """Kill the child, if there is one, and leave neither zombie nor open file behind."""
        process, self._process = self._process, None
        if process is None:
            return
        child, pipe = process
        child.kill()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(child.wait)
        pipe.close()

    def _spawn(self) -> tuple[subprocess.Popen[bytes], Connection]:
        """Start the interpreter. On the caller's thread: the kernel ties the child's life to the thread that made it."""
        ours, theirs = socket.socketpair()
        threads = str(self._start.options.threads or max(1, (os.cpu_count() or 1) // self.model.capabilities.workers))
        with ours, theirs:
            child = subprocess.Popen(  # noqa: S603 our own interpreter and module
                [sys.executable, "-P", "-c", _ENTRY, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=os.environ | dict.fromkeys(_THREADS, threads),
            )
            return child, Connection(ours.detach())

    async def _exchange(self, child: subprocess.Popen[bytes], pipe: Connection, message: object, limit: float) -> Any:
        """Send, and wait for the answer; whatever ends the wait early kills the child, so that none answers late."""
        hung = False

        async def guard() -> None:
            nonlocal hung
            try:
                await anyio.sleep(limit)
                hung = True
            finally:
                if not answered:
                    child.kill()  # the thread below then reads the end of the socket

        answer: Any = None
        answered = False
        lost: WorkerLost | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(guard)
                try:
                    answer = await anyio.to_thread.run_sync(_send_and_receive, pipe, message, limiter=self._thread)
                    answered = True
                except (EOFError, OSError):
                    said = f"took longer than {limit:g} s and was stopped" if hung else "stopped unexpectedly"
                    lost = WorkerLost(f"the recogniser {said}", hung=hung)
                tasks.cancel_scope.cancel()
        finally:
            if not answered:
                await self.aclose()
        await checkpoint_if_cancelled()  # then it was us who killed it
        if lost is not None:
            raise lost
        if isinstance(answer, Trouble):
            raise _KINDS.get(answer.kind, EngineFailed)(answer.message, code=answer.code)
        return answer


def _send_and_receive(pipe: Connection, message: object) -> Any:
    pipe.send(message)
    return pipe.recv()
