"""Attaches a message transport to a session, whatever the transport and whatever the dialect.

Messages become commands and go to the session; events become messages and go to the client. What needs no session (Ping,
Describe, Identify) is answered here. No field of any dialect, and no HTTP or WebSocket, enters this file.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from stenod.errors import Overloaded, StenodError
from stenod.events import (
    Command,
    Describe,
    Described,
    End,
    Ended,
    Event,
    Fail,
    Failed,
    Identified,
    Identify,
    Ping,
    Ponged,
    Stamp,
    Ticked,
)
from stenod.protocols.base import Close, Outgoing, WireProtocol
from stenod.server.admission import RETRY_AFTER
from stenod.server.guard import Guard, Unauthenticated
from stenod.server.offer import offers
from stenod.server.transport import Closed, Transport
from stenod.service import Service
from stenod.session.sessions import Handle, SessionClosed

log = logging.getLogger(__name__)

LARGE = 65_536
"""Characters of text from which on a message is understood in a thread, so that it holds up nobody else."""

HELD_PATIENCE = 600.0
"""Seconds that a write may take while the client is kept waiting: it may want to write everything before it reads."""

UNREAD_PATIENCE = 60.0
"""Seconds that a write may take while the client sends nothing either; then nobody is reading."""

GOODBYE_PATIENCE = 1.0
"""Seconds that the close frame may take: whoever does not read does not get it."""


class Connection:
    """One client. It lives as long as `run`; its session is cancelled when it goes before the session has ended."""

    def __init__(
        self, transport: Transport, protocol: WireProtocol, service: Service, *, guard: Guard | None = None
    ) -> None:
        """`guard` must be told who is calling before anything else; None: it is known."""
        self.failed: Failed | None = None
        """The fatal failure that was told, if any."""
        self._transport = transport
        self._protocol = protocol
        self._service = service
        self._handle: Handle | None = None
        self._tasks: TaskGroup | None = None
        self._stamp = Stamp(0, 0.0)
        self._writing = anyio.Lock(fast_acquire=True)  # the messages of one event stay together
        self._parsing = anyio.Lock(fast_acquire=True)  # while a thread is in `receive`, nobody enters `send`
        self._write = anyio.CancelScope()
        self._born = self._said = anyio.current_time()
        self._guard = guard
        self._identified = guard is None
        self._told = anyio.Event()  # set, and made anew, when the session that was ending has said everything
        self._listening = True
        self._ending = False  # the client, or its transport, has said that this is all
        self._blocked = True  # the client is kept waiting, so it need not read yet
        self._gone = False
        self._over = False

    async def run(self) -> None:
        """Serve the client until it or the session is done."""
        try:
            async with anyio.create_task_group() as self._tasks:
                if self._protocol.patience.heartbeat is not None:
                    self._tasks.start_soon(self._beat, self._protocol.patience.heartbeat)
                try:
                    await self._listen()
                except SessionClosed:
                    pass  # what it said last is still being told
                except StenodError as error:
                    await self.refuse(error)
                except Exception:
                    log.exception("A dialect or a transport failed")
                    await self.refuse(_mistake())
                self._expect_reading(True)
        finally:
            self._leave()

    async def refuse(self, error: StenodError) -> None:
        """Tell why not, and close."""
        retry_after = getattr(error, "retry_after", None)
        await self._say(Failed(error.code, error.message, fatal=True, retry_after=retry_after), last=True)

    def _leave(self) -> None:
        """The connection is over, and its session with it."""
        if self._handle is not None:
            self._handle.detach()

    # ------------------------------------------------------------------------------------------------------- listening

    def _opening(self) -> list[Command]:
        """What the mere connection says."""
        return self._protocol.open()

    async def _listen(self) -> None:
        for command in self._opening():
            await self._obey(command)
        while not self._over:
            try:
                message = await self._next()
            except Closed as closed:
                await (self._finish("client") if closed.clean else self._stop())
                return
            except TimeoutError:
                await self._lost_patience()
                return
            for command in await self._understand(message):
                await self._obey(command)

    async def _next(self) -> str | bytes:
        self._expect_reading(True)
        with anyio.fail_at(self._deadline()):
            message = await self._transport.receive()
        self._expect_reading(False)
        return message

    def _expect_reading(self, expected: bool) -> None:
        """A client that is being waited for should read what it is sent; one that is kept waiting may yet write first."""
        self._blocked = not expected
        self._write.deadline = anyio.current_time() + (UNREAD_PATIENCE if expected else HELD_PATIENCE)

    def _deadline(self) -> float:
        if self._transport.whole:
            return math.inf
        patience = self._protocol.patience
        idle = patience.idle or self._service.settings.stream.idle or math.inf
        identify = self._born + (patience.identify or 0.0) if not self._identified else math.inf
        return min(anyio.current_time() + idle, identify)

    async def _lost_patience(self) -> None:
        if not self._identified:
            await self.refuse(StenodError("Nobody said who is calling.", code="unidentified"))
        elif self._handle is None:
            await self.refuse(StenodError("Nothing was sent for too long.", code="idle"))
        else:
            await self._finish("idle")

    async def _finish(self, because: str) -> None:
        """No more is read; the session says what it still has to say."""
        self._listening = False
        if self._handle is None:
            await self._stop(Close(1000))
        else:
            self._ending = True
            await self._handle.send(End(because))

    async def _understand(self, message: str | bytes) -> list[Command]:
        if isinstance(message, bytes) or len(message) <= LARGE:
            return self._protocol.receive(message)
        async with self._parsing:
            return await anyio.to_thread.run_sync(self._protocol.receive, message)

    async def _obey(self, command: Command) -> None:
        if self._ending and self._protocol.patience.again:
            await self._told.wait()
        match command:
            case Identify(credential):
                if self._guard is not None and not self._guard.admits(credential):
                    raise Unauthenticated(said=credential is not None)
                self._identified = True
                await self._say(Identified("anonymous"))
            case _ if not self._identified:
                raise Unauthenticated(said=False)
            case Ping(text):
                await self._say(Ponged(text))
            case Describe():
                await self._say(Described(tuple(offers(self._service.recognizer.models()))))
            case Fail(code, message, fatal, detail) if self._handle is None:
                await self._say(Failed(code, message, fatal, detail=detail), last=fatal)
            case _:
                self._ending |= isinstance(command, End)
                await self._session().send(command)

    def _session(self) -> Handle:
        if self._handle is None:
            assert self._tasks is not None  # noqa: S101 running
            self._handle = self._begin()
            self._tasks.start_soon(self._tell, self._handle)
        return self._handle

    def _begin(self, origin: float = 0.0) -> Handle:
        """A session, at `origin` seconds of its time line. Raises Overloaded."""
        stall = self._protocol.patience.stall
        return self._service.sessions.open(self._service.options(), stall=stall, origin=origin)

    # --------------------------------------------------------------------------------------------------------- telling

    async def _tell(self, handle: Handle) -> None:
        """Say everything the session says, to its end."""
        cut = True
        async for event, stamp in handle.events():
            if isinstance(event, Ended):
                cut = self._transport.whole and (not self._ending or bool(event.account.dropped))
                if cut:
                    break  # a part of a file would pass for the whole
            self._stamp = stamp
            await self._say(event, stamp)
        if cut and self.failed is None:
            await self.refuse(Overloaded("The server is shutting down.", retry_after=RETRY_AFTER, code="shutting_down"))
        if self._ending and self._listening and self._protocol.patience.again:
            self._handle, self._ending = None, False
            self._told.set()
            self._told = anyio.Event()
        else:
            await self._stop(Close(1000))

    async def _beat(self, every: float) -> None:
        while True:
            await anyio.sleep_until(self._said + every)
            if anyio.current_time() >= self._said + every:
                await self._say(Ticked())

    async def _say(self, event: Event, stamp: Stamp | None = None, *, last: bool = False) -> None:
        """Write what the dialect makes of `event`; after the `last` the connection is closed."""
        stamp = stamp or replace(self._stamp, now=time.time())
        if isinstance(event, Failed) and event.fatal:
            self.failed = event
        async with self._writing:
            for message in await self._render(event, stamp):
                await self._deliver(message)
            if last:
                await self._stop(Close(1011, "failed"))

    async def _render(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        try:
            async with self._parsing:
                return self._protocol.send(event, stamp)
        except Exception:
            log.exception("A dialect failed to say %s", type(event).__name__)
        sorry = Failed(_mistake().code, _mistake().message, fatal=True)
        try:
            return [*self._protocol.send(sorry, stamp), Close(1011, sorry.message, status=500)]
        except Exception:
            log.exception("A dialect failed to say that it failed")
            return [Close(1011, sorry.message, status=500)]

    async def _deliver(self, message: Outgoing) -> None:
        if isinstance(message, Close):
            await self._stop(message)
            return
        if self._over or self._gone:
            return
        self._said = anyio.current_time()
        patience = HELD_PATIENCE if self._blocked else UNREAD_PATIENCE
        with anyio.CancelScope(deadline=self._said + patience) as self._write:
            try:
                await self._transport.send(message)
            except Closed:
                self._gone = True  # whoever listens learns whether it was clean
        if self._write.cancelled_caught:
            await self._stop(Close(1008, "nobody reads what is sent"))

    async def _stop(self, close: Close | None = None) -> None:
        if close is not None and not self._over:
            with anyio.move_on_after(GOODBYE_PATIENCE):
                await self._transport.close(close)
        self._over = True
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()


def _mistake() -> StenodError:
    return StenodError("The server made a mistake; it has been logged.")
