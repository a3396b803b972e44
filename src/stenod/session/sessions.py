"""Where sessions live: a task group that belongs to the application, not to any connection.

Two lifetimes. A session is a task in here; a connection holds its `Handle`, attaches to it while it lasts and detaches
when it is gone. Nothing outlives `async with Sessions(...)`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from stenod.errors import Overloaded, StenodError
from stenod.events import Command, End, Event, Failed, Stamp
from stenod.jobs import Recognizer
from stenod.options import Options
from stenod.session.outbox import Entry, Outbox
from stenod.session.runner import Ears, Limits, Runner

log = logging.getLogger(__name__)

WAITING_COMMANDS = 8
"""Commands taken from a client ahead of the one being carried out; then its socket waits."""


class SessionClosed(StenodError):
    """The session has ended and takes no more commands."""

    code = "session_closed"


class Handle:
    """One live session (or one a channel), as its connection sees it."""

    def __init__(self, commands: MemoryObjectSendStream[Command], outbox: Outbox) -> None:
        self._commands = commands
        self._outbox = outbox
        self._scope = anyio.CancelScope()
        self.ended = anyio.Event()
        """Set when the session's task is over."""

    async def send(self, command: Command) -> None:
        """Have `command` carried out in its turn; waits while too much audio is undecoded. Raises SessionClosed."""
        try:
            await self._commands.send(command)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise SessionClosed("The session has ended.") from None

    def events(self) -> AsyncIterator[tuple[Event, Stamp]]:
        """What the session says, until it has ended. For one reader; a slow one misses partials, nothing else."""
        return self._outbox.events()

    def detach(self) -> None:
        """The client is gone: whatever the session still does is cancelled."""
        self._scope.cancel()

    async def wait(self) -> None:
        """Return when the session's task is over."""
        await self.ended.wait()

    async def run(self, runner: Runner, commands: MemoryObjectReceiveStream[Command]) -> None:
        """The session's task. A defect in it costs this session alone."""
        try:
            with self._scope:
                await runner.run(commands)
        except Exception:
            log.exception("A session failed")
            self._outbox.put(Entry(Failed("internal_error", "The session failed.", fatal=True), 0, 0.0, 0.0))
        finally:
            self._outbox.close()
            self._commands.close()


class Sessions:
    """All the sessions of the application. `ears` makes a session's intake from its first options."""

    def __init__(
        self,
        recognizer: Recognizer,
        ears: Callable[[Options], Ears],
        *,
        defaults: Options,
        limits: Limits | None = None,
    ) -> None:
        self._recognizer = recognizer
        self._ears = ears
        self._defaults = defaults
        self._limits = limits or Limits()
        self._handles: set[Handle] = set()
        self._draining = False
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._tasks is not None  # noqa: S101 - entered
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    @property
    def count(self) -> int:
        """Sessions that are open."""
        return len(self._handles)

    @property
    def draining(self) -> bool:
        """Whether no new session is taken."""
        return self._draining

    def open(self, options: Options | None = None, *, stall: float | None = None, origin: float = 0.0) -> Handle:
        """Start a session with `options`, at `origin` seconds of its time line. Raises Overloaded while draining.

        `stall` is the seconds without audio, in the middle of speech, after which the utterance is taken to be over.
        """
        if self._draining or self._tasks is None:
            raise Overloaded("The server is shutting down.", retry_after=5.0, code="shutting_down")
        send, receive = anyio.create_memory_object_stream[Command](WAITING_COMMANDS)
        limits = self._limits if stall is None else replace(self._limits, stall=stall)
        outbox = Outbox(limits.unread)
        runner = Runner(self._recognizer, self._ears, options or self._defaults, limits, outbox, origin)
        handle = Handle(send, outbox)
        self._handles.add(handle)
        self._tasks.start_soon(self._live, handle, runner, receive)
        return handle

    async def drain(self, grace: float) -> int:
        """Take no more sessions, end those that are open, and wait `grace` seconds for their last finals.

        Answers how many had to be cut off.
        """
        self._draining = True
        handles = list(self._handles)
        with anyio.move_on_after(grace):
            async with anyio.create_task_group() as endings:
                for handle in handles:
                    endings.start_soon(self._finish, handle)
        late = list(self._handles)
        for handle in late:
            handle.detach()
        return len(late)

    async def _finish(self, handle: Handle) -> None:
        try:
            await handle.send(End("shutdown"))
        except SessionClosed:
            return
        await handle.wait()

    async def _live(self, handle: Handle, runner: Runner, commands: MemoryObjectReceiveStream[Command]) -> None:
        try:
            await handle.run(runner, commands)
        finally:
            self._handles.discard(handle)
            handle.ended.set()
