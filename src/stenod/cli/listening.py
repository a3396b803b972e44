"""The running server: its sockets, its signals, and the order in which it stops.

The first SIGINT or SIGTERM drains: no new session is taken, open utterances get their finals, and only then are sockets
closed. The second leaves at once. What is served is none of this file's business.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from importlib.util import find_spec
from typing import Final

import anyio
import uvicorn
from anyio.abc import TaskStatus
from fastapi import FastAPI

from stenod.errors import StenodError
from stenod.settings import Settings

log = logging.getLogger(__name__)

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

GOODBYES: Final = 3.0
"""Seconds that `drain` has beyond the grace period, to write what is left to write."""

KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds and a count: a client that has vanished is noticed after two minutes, however quiet it was."""


class CannotListen(StenodError):
    """The address is not to be had."""

    code = "cannot_listen"


class Server(uvicorn.Server):
    """A uvicorn server that drains before it closes anything.

    uvicorn itself closes every WebSocket the moment it is told to stop; `drain` runs before that.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        grace: float,
        drain: Callable[[], Awaitable[object]],
        started: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.signals: list[int] = []
        self._grace = grace
        self._drain = drain
        self._tell = started

    async def until_stopped(self, sockets: list[socket.socket]) -> int:
        """Serve until a signal has ended it; answers the exit code."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._obey, tasks.cancel_scope)
            await self.serve(sockets)
            tasks.cancel_scope.cancel()
        return 128 + self.signals[-1] if len(self.signals) > 1 else 0

    async def _obey(self, scope: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        """Drain at the first signal, leave at the second; a third meets Python's own handlers again."""
        with anyio.open_signal_receiver(*SIGNALS) as signals:
            task_status.started()
            async for number in signals:
                self.signals.append(number)
                self.should_exit = True
                if len(self.signals) > 1:
                    scope.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone: they come by way of `_obey`, and are not raised again when all is done."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, then close what is left: all within the grace period, and a moment for good-byes."""
        log.info("Finishing open utterances, for at most %g s; Ctrl-C again exits at once", self._grace)
        began = anyio.current_time()
        with anyio.move_on_after(self._grace + GOODBYES):
            await self._drain()
        left = self._grace - (anyio.current_time() - began)
        self.config.timeout_graceful_shutdown = max(1, math.ceil(left))
        await super().shutdown(sockets)


def run(app: FastAPI, settings: Settings, announce: Callable[[str], None]) -> int:
    """Serve `app` until stopped, and answer the exit code. `announce` is told the address once it answers.

    The app's lifespan is entered before and left after; `app.state.drain()` ends all sessions. Raises StenodError.
    """
    sockets = listen(settings.server.host, settings.server.port)
    try:
        if settings.server.monitor_port:
            sockets += listen(settings.server.host, settings.server.monitor_port)
        return anyio.run(
            partial(_run, app, settings, sockets, announce),
            backend_options={"use_uvloop": find_spec("uvloop") is not None},
        )
    finally:
        for each in sockets:
            each.close()


async def _run(app: FastAPI, settings: Settings, sockets: list[socket.socket], announce: Callable[[str], None]) -> int:
    config = uvicorn.Config(
        app,
        lifespan="off",  # it is entered right here, so that what it raises is one line and not a logged traceback
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,  # audio does not get smaller by it, and the server slower
        ws_ping_timeout=None,  # a client held back by our own reading cannot answer; TCP keepalive finds the dead
        log_config=None,
        access_log=settings.server.log_level == "DEBUG",
        server_header=False,
    )
    async with app.router.lifespan_context(app):
        server = Server(
            config,
            grace=settings.server.grace,
            drain=app.state.drain,
            started=lambda: announce(address(settings.server.host, sockets)),
        )
        return await server.until_stopped(sockets)


def address(host: str, sockets: list[socket.socket]) -> str:
    """The URL under which the server answers."""
    port = sockets[0].getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def listen(host: str, port: int) -> list[socket.socket]:
    """Bound sockets, one for each address that `host` means, all on the same port. Raises CannotListen."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise CannotListen(f"{host} is no address of this machine (server.host, --host)") from None
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, target in dict.fromkeys((family, target) for family, _, _, _, target in found):
        wanted = (target[0], bound[0].getsockname()[1], *target[2:]) if bound else target
        try:
            bound.append(_bound(family, wanted))
        except OSError as error:
            failure = error
            if error.errno != errno.EADDRNOTAVAIL:
                break
    if failure is None or (bound and failure.errno == errno.EADDRNOTAVAIL):
        return bound
    for each in bound:
        each.close()
    raise CannotListen(_why(failure, host, port)) from None


def _bound(family: int, target: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            if hasattr(socket, name):
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(target)
        made.listen(2048)
    except OSError:
        made.close()
        raise
    return made


def _why(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"{host}:{port} is taken by another program; choose another port (--port, or --port 0 for any)"
        case errno.EACCES:
            return f"{host}:{port} may not be listened on by this user; choose a port above 1023 (--port)"
        case errno.EADDRNOTAVAIL:
            return f"{host} is no address of this machine (server.host, --host)"
        case _:
            return f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}"
