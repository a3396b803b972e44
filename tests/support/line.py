"""A bad line: a TCP relay that can be cut, made narrow, and led to another server, all while it is in use."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream

GONE = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


class Line:
    """Relays whatever connects to `port` to the server at `target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.upward: float | None = None
        """Bytes a second to the server; None: as many as come."""
        self.carried = 0
        """Bytes to the server so far."""
        self._progress = anyio.Event()
        self._ends: list[socket.socket] = []

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Both ends of every connection find it gone, without a goodbye."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    async def has_carried(self, count: int) -> None:
        """Return when so many bytes went to the server."""
        while self.carried < count:
            await self._progress.wait()

    async def relay(self, client: SocketStream) -> None:
        """One connection."""
        async with client:
            with suppress(*GONE):
                async with await anyio.connect_tcp("127.0.0.1", self.target) as server:
                    self._ends += [each.extra(SocketAttribute.raw_socket) for each in (client, server)]
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._carry, server, client, False, tasks.cancel_scope)
                        tasks.start_soon(self._carry, client, server, True, tasks.cancel_scope)

    async def _carry(self, source: ByteStream, target: ByteStream, up: bool, scope: anyio.CancelScope) -> None:
        with suppress(*GONE):
            while data := await source.receive(1_024 if up and self.upward else 65_536):
                if up:
                    self.carried += len(data)
                    self._progress.set()
                    self._progress = anyio.Event()
                    if self.upward:
                        await anyio.sleep(len(data) / self.upward)
                await target.send(data)
        scope.cancel()


@asynccontextmanager
async def bad_line(target: int) -> AsyncIterator[Line]:
    """A line to the server at port `target`, for as long as the block lasts."""
    line = Line(target)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    line.port = listener.extra(SocketAttribute.local_port)
    for each in listener.listeners:
        each.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, line.relay)
        yield line
        tasks.cancel_scope.cancel()
