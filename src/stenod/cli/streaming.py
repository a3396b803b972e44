"""One live stream to a server, in any dialect, and when each thing of it was sent and heard. No terminal, no statistics.

Clock times are those of `time.perf_counter`.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Final

import anyio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from stenod.cli.addresses import socket_url
from stenod.cli.dialect import Dialect, Said
from stenod.cli.dialects import understood
from stenod.errors import StenodError
from stenod.jobs import Samples
from stenod.options import RATE

PATIENCE: Final = 60.0
"""Seconds without a word after the last audio before a server is given up."""

CLEAN: Final = 1000


class ClientFailed(StenodError):
    """The server cannot be reached, refused, or stopped in the middle."""

    code = "client_failed"


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said, and the clock time at which it came."""

    at: float
    said: Said


@dataclass(slots=True)
class Take:
    """One stream, from its first audio to the server's last word."""

    heard: list[Heard] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    """Seconds of the stream at which each chunk ends."""
    times: list[float] = field(default_factory=list)
    """Clock time at which each chunk was sent."""
    ended: float | None = None
    """Clock time at which the end was told, once it was."""
    closed: float | None = None
    """Clock time at which the server had said everything."""
    late: float = 0.0
    """Seconds by which the client itself was late with a chunk, at worst."""

    def sent(self, second: float) -> float:
        """Clock time at which the audio up to `second` of the stream had been sent."""
        return self.times[min(bisect_left(self.ends, second - 1e-3), len(self.times) - 1)]

    def of(self, kind: str) -> list[Heard]:
        """What was said of one kind, in order."""
        return [heard for heard in self.heard if heard.said.kind == kind]

    @property
    def text(self) -> str:
        """What the finals say."""
        return " ".join(heard.said.text for heard in self.of("final") if heard.said.text)

    @property
    def seconds(self) -> float:
        """How much audio was sent."""
        return self.ends[-1] if self.ends else 0.0


Tell = Callable[[Said], None]


async def stream(url: str, dialect: Dialect, chunks: AsyncGenerator[Samples], *, pace: float, tell: Tell) -> Take:
    """Send `chunks`, end, and hear the server out; `tell` is called with everything it says.

    `pace`: times as fast as it was spoken; 0 as fast as the server takes it. Raises BadRequest for a wish or address that
    is none, what the source of `chunks` raises, and ClientFailed; an error frame is no reason to raise.
    """
    target = socket_url(url, dialect.path, dialect.query())
    take = Take()
    async with aclosing(chunks), await _connected(target, dialect) as socket, anyio.create_task_group() as tasks:
        tasks.start_soon(_write, socket, dialect, chunks, take, pace)
        await _read(socket, dialect, take, tell)
        tasks.cancel_scope.cancel()
    return take


async def _connected(url: str, dialect: Dialect) -> ClientConnection:
    # A server that holds us back does not read our pings either, so the dead are found by PATIENCE.
    try:
        return await connect(
            url,
            additional_headers=dialect.headers(),
            compression=None,
            max_size=None,
            ping_interval=None,
            user_agent_header="stenod",
        )
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise ClientFailed(f"{_shown(url)} is no WebSocket that we may open: the server answered {status}") from None
    except TimeoutError:
        raise ClientFailed(f"{_shown(url)} does not answer") from None
    except (OSError, InvalidHandshake) as error:
        raise ClientFailed(f"{_shown(url)} cannot be reached: {_reason(error)}") from None


async def _write(
    socket: ClientConnection,
    dialect: Dialect,
    chunks: AsyncGenerator[Samples],
    take: Take,
    pace: float,
) -> None:
    with suppress(ConnectionClosed):  # the reader knows why
        for message in dialect.opening():
            await socket.send(message)
        samples = 0
        start = time.perf_counter()
        async for chunk in chunks:
            samples += len(chunk)
            if pace:
                due = start + samples / RATE / pace
                await anyio.sleep(max(0.0, due - time.perf_counter()))
                take.late = max(take.late, time.perf_counter() - due)
            await socket.send(dialect.audio(chunk))
            take.ends.append(samples / RATE)
            take.times.append(time.perf_counter())
        for message in dialect.ending():
            await socket.send(message)
    take.ended = last = time.perf_counter()
    while time.perf_counter() < last + PATIENCE:
        await anyio.sleep(1.0)
        last = max([last, *(heard.at for heard in take.heard[-1:])])
    raise ClientFailed(f"the server said nothing for {PATIENCE:g} s after the last audio, and did not end")


async def _read(socket: ClientConnection, dialect: Dialect, take: Take, tell: Tell) -> None:
    """Hear the server out. Raises ClientFailed where it goes before it has said everything, and has not said why."""
    over = False
    with suppress(ConnectionClosed):
        while not over:
            said = understood(dialect, await socket.recv())
            if said is not None:
                take.heard.append(Heard(time.perf_counter(), said))
                over = said.kind == "over"
                tell(said)
    take.closed = time.perf_counter()
    if over or take.of("error") or (dialect.parting and take.ended is not None):
        return
    if take.ended is None or socket.close_code != CLEAN:
        why = socket.close_reason or f"code {socket.close_code}"
        raise ClientFailed(f"the server closed the connection before it was done: {why}")


def _reason(error: OSError | InvalidHandshake) -> str:
    number = getattr(error, "errno", None)  # positive where it is the system's, so not of name look-ups
    return os.strerror(number) if number is not None and number > 0 else str(getattr(error, "strerror", None) or error)


def _shown(url: str) -> str:
    """A URL without its query, which may hold a token."""
    return url.partition("?")[0]
