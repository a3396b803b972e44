"""Where sessions wait for a client that lost its connection, with everything they have said meanwhile.

A kept session is told here, not by its connection: its events are rendered, numbered and written to a scroll, which whatever
connection is attached reads to its client. Knows no socket; of a dialect only that its texts are JSON objects.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import anyio
from anyio.abc import TaskGroup

from stenod.events import Event, Failed, Partial, Stamp
from stenod.protocols.base import Close, Outgoing, WireProtocol
from stenod.protocols.wire_json import write
from stenod.server.scroll import Scroll
from stenod.server.tokens import Claim, Tokens
from stenod.server.track import Track
from stenod.session.sessions import Handle

log = logging.getLogger(__name__)


class Kept:
    """One session that outlives its connections."""

    def __init__(self, protocol: WireProtocol, tokens: Tokens, unread: int) -> None:
        self.id = token_hex(8)
        self.protocol = protocol
        self.scroll = Scroll(unread)
        self.handle: Handle | None = None
        self.parsing = anyio.Lock()
        """Held while a thread is in the protocol's `receive`."""
        self.track = Track()
        """Where the client's audio has got to."""
        self.attached = anyio.Lock()
        """Held by the connection that serves it."""
        self.taken_over = anyio.Event()
        """Set when another connection attaches: the one before has nothing more to do."""
        self._tokens = tokens
        self._acked: dict[int, float] = {}
        self._issued = -1

    @property
    def acked(self) -> int:
        """Number of the first sample of the client's audio that it must keep: everything before is settled.

        Of compressed audio all is to be kept: no decoder takes it up in the middle.
        """
        return self.track.sample_at(min(self._acked.values(), default=0.0))

    def token(self) -> str:
        """What the client shows when it comes back."""
        return self._tokens.issue(Claim(self.id, self.acked, self.track.rate))

    async def tell(self, handle: Handle) -> None:
        """Render everything the session says, to its end, whether or not a connection is attached."""
        async for event, stamp in handle.events():
            async with self.parsing:
                self.say(event, stamp)
        self.scroll.close()

    def say(self, event: Event, stamp: Stamp) -> None:
        """Write down what the dialect makes of `event`, numbered. Raises nothing: a defect of a dialect ends the session."""
        self._acked[stamp.channel] = max(stamp.acked, self._acked.get(stamp.channel, 0.0))
        try:
            messages = self.protocol.send(event, stamp)
        except Exception:
            log.exception("A dialect failed to say %s", type(event).__name__)
            messages = [Close(1011, "The server made a mistake; it has been logged.")]
        for message in messages:
            if not self.write(message, passing=isinstance(event, Partial)):
                self._give_up()

    def write(self, message: Outgoing, *, passing: bool = False) -> bool:
        """Number `message` and write it down; False when too many wait unread."""
        return self.scroll.add(self._numbered(message), passing=passing)

    def _numbered(self, message: Outgoing) -> Outgoing:
        """The same object, with its number, what is acknowledged, and a new token where more is than before."""
        if not isinstance(message, str):
            return message
        told = json.loads(message)
        if not isinstance(told, dict):
            return message
        acked = self.acked
        told |= {"seq": self.scroll.last + 1, "acked": acked}
        if acked != self._issued:
            self._issued = acked
            told["token"] = self.token()
        return write(told)

    def _give_up(self) -> None:
        """Too much waits unread."""
        if self.handle is not None:
            self.handle.detach()
        reason = Failed("unread", "Too many messages were waiting to be read.", fatal=True)
        for message in self.protocol.send(reason, Stamp(0, time.time())):
            self.write(message)
        self.scroll.close()


class Parking:
    """The kept sessions of the application: for `window` seconds after their connection is lost, and `most` of them."""

    def __init__(self, window: float, unread: int, most: int, secret: str | None = None) -> None:
        self.window = window
        self._most = most
        self._unread = unread
        self._tokens = Tokens(secret)
        self._kept: dict[str, Kept] = {}
        self._deadlines: dict[str, anyio.CancelScope] = {}
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The time in which sessions can be kept."""
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    @property
    def parked(self) -> int:
        """Sessions that wait for their client."""
        return len(self._deadlines)

    def keep(self, protocol: WireProtocol) -> Kept:
        """A place for a session that is about to begin."""
        kept = Kept(protocol, self._tokens, self._unread)
        self._kept[kept.id] = kept
        return kept

    def adopt(self, kept: Kept, handle: Handle) -> None:
        """The session of `kept` has begun; it is told from here on."""
        kept.handle = handle
        assert self._tasks is not None  # noqa: S101 - open
        self._tasks.start_soon(kept.tell, handle)

    def claim(self, token: str) -> Claim | None:
        """What a token says, if this server believes it."""
        return self._tokens.read(token)

    def attach(self, claim: Claim) -> Kept | None:
        """The session that `claim` speaks of, if it is here; whoever was attached to it is taken over from."""
        kept = self._kept.get(claim.session)
        if kept is None:
            return None
        self._stop_waiting(kept)
        kept.taken_over.set()
        kept.taken_over = anyio.Event()
        return kept

    def release(self, kept: Kept) -> None:
        """The connection is lost: wait for it to come back, so long as there is anything to come back to."""
        if kept.handle is None or self._tasks is None or self.window <= 0:
            self.forget(kept)
            return
        while len(self._deadlines) >= self._most:
            self.forget(self._kept[next(iter(self._deadlines))])  # who has waited longest
        if kept.id not in self._deadlines:
            self._tasks.start_soon(self._wait, kept, self._deadlines.setdefault(kept.id, anyio.CancelScope()))

    def forget(self, kept: Kept) -> None:
        """The session is over, or its client will not come back."""
        if kept.handle is not None:
            kept.handle.detach()
        self._kept.pop(kept.id, None)
        self._stop_waiting(kept)

    def _stop_waiting(self, kept: Kept) -> None:
        waiting = self._deadlines.pop(kept.id, None)
        if waiting is not None:
            waiting.cancel()

    async def _wait(self, kept: Kept, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(self.window)
            self.forget(kept)
