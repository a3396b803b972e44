"""A connection whose session outlives it: what is said goes through a scroll, and what is sent twice is heard once.

The same as any connection otherwise. Knows no dialect: a kept session adds `seq`, `acked` and `token` to whatever JSON
objects its dialect sends, and one frame of its own, `session`, begins every connection.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import anyio

from stenod.errors import BadRequest
from stenod.events import Audio, Command, Configure, Event, Failed, Stamp
from stenod.protocols.base import Close, WireProtocol
from stenod.protocols.fields import FALSE, TRUE
from stenod.protocols.wire_json import write
from stenod.server.connection import GOODBYE_PATIENCE, Connection
from stenod.server.parking import Parking
from stenod.server.transport import Transport
from stenod.service import Service
from stenod.session.sessions import Handle


def asks_to_resume(query: Mapping[str, str]) -> bool:
    """Whether the client wants a session that it can come back to, or comes back."""
    return query.get("resume", "").lower() not in FALSE | {""}


@dataclass(frozen=True, slots=True)
class Return:
    """What a client says of where it was: its token, the last number it has read, the first sample it will send."""

    token: str
    seq: int
    offset: int | None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Return | None:
        """What the query says; None where the session is new. Raises BadRequest."""
        token = query.get("resume", "")
        if not token or token.lower() in TRUE:
            return None
        return cls(token, _number(query, "seq") or 0, _number(query, "offset"))


class ResumableConnection(Connection):
    """One client, new or come back."""

    def __init__(
        self, transport: Transport, protocol: WireProtocol, service: Service, parking: Parking, back: Return | None
    ) -> None:
        claim = parking.claim(back.token) if back is not None else None
        known = parking.attach(claim) if claim is not None else None
        kept = known or parking.keep(protocol)
        super().__init__(transport, kept.protocol, service)
        self._parking = parking
        self._kept = kept
        self._known = known is not None
        self._back = back
        self._taken_over = kept.taken_over
        self._parsing = kept.parsing
        self._handle = kept.handle
        self._read = 0
        self._skip = 0
        if back is not None and not self._known:
            acked, rate = (0, None) if claim is None else (claim.acked, claim.rate)
            kept.track.begin(acked if back.offset is None else back.offset, rate)

    async def run(self) -> None:
        """Serve the client until it, its connection or the session is done."""
        async with self._kept.attached, anyio.create_task_group() as tasks:
            tasks.start_soon(self._give_way, tasks.cancel_scope)
            await super().run()
            tasks.cancel_scope.cancel()

    async def _listen(self) -> None:
        if self._back is not None and self._known:
            try:
                self._take_up(self._back)
            except BadRequest as error:
                for message in self._protocol.send(Failed(error.code, error.message, fatal=True), self._stamp):
                    await self._deliver(message)
                await self._stop(Close(1008, error.message))
                return
        await self._deliver(self._greeting())
        assert self._tasks is not None  # noqa: S101 running
        self._tasks.start_soon(self._follow)
        await super()._listen()

    def _take_up(self, back: Return) -> None:
        """Find where the client's reading and its audio go on. Raises BadRequest."""
        kept = self._kept
        again = kept.track.again(kept.track.offset if back.offset is None else back.offset)
        if again is None:
            raise BadRequest(f"Audio is missing: sample {kept.track.offset} comes next.", code="resume_gap")
        if not kept.scroll.holds(back.seq):
            raise BadRequest("What followed that number is not kept any more.", code="resume_gap")
        self._read = back.seq
        self._skip = again

    def _greeting(self) -> str:
        kept = self._kept
        told = {
            "type": "session",
            "token": kept.token(),
            "known": self._known,
            "offset": kept.track.offset,
            "window": self._parking.window,
        }
        return write(told)

    async def _give_way(self, scope: anyio.CancelScope) -> None:
        """Stop when the client has come back by another connection."""
        await self._taken_over.wait()
        with anyio.move_on_after(GOODBYE_PATIENCE):
            await self._transport.close(Close(1001, "continued on another connection"))
        scope.cancel()

    async def _follow(self) -> None:
        """Read the scroll to the client."""
        async for message in self._kept.scroll.follow(self._read):
            await self._deliver(message)
        await self._stop(Close(1000))

    def _leave(self) -> None:
        """The connection is over; what was said waits for another, even to the end: it may not have arrived."""
        if not self._taken_over.is_set():
            self._parking.release(self._kept)

    # -------------------------------------------------------------------------------------------------------- commands

    def _opening(self) -> list[Command]:
        return [] if self._known else super()._opening()

    async def _obey(self, command: Command) -> None:
        if isinstance(command, Configure):
            self._kept.track.heed(command.options.format)
        if not isinstance(command, Audio):
            await super()._obey(command)
            return
        fresh = command.data[self._skip :]
        self._skip -= len(command.data) - len(fresh)
        if fresh:
            with anyio.CancelScope(shield=True):  # taken in and counted, or neither
                await super()._obey(Audio(fresh))
                self._kept.track.taken += len(fresh)

    def _begin(self, origin: float = 0.0) -> Handle:
        handle = super()._begin(origin + self._kept.track.place())
        self._parking.adopt(self._kept, handle)
        return handle

    # --------------------------------------------------------------------------------------------------------- telling

    async def _tell(self, handle: Handle) -> None:
        """Nothing: a kept session is told where it is kept."""

    async def _say(self, event: Event, stamp: Stamp | None = None, *, last: bool = False) -> None:
        if isinstance(event, Failed) and event.fatal:
            self.failed = event
        async with self._parsing:
            self._kept.say(event, replace(stamp or self._stamp, now=time.time()))
        if last:
            self._kept.write(Close(1011, "failed"))


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise BadRequest(f"{name} must be a whole number.", code="bad_request")
    return int(text)
