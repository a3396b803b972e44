"""A client of stenod's live door: audio in, partial and final transcripts out. One file; it needs only `websockets`.

    async with AsyncClient("ws://localhost:8000/ws") as client:
        await client.send(audio)            # 16-bit samples, mono, 16 kHz, cut anywhere
        await client.end()
        async for frame in client:
            print(frame["type"], frame.get("text"))

`Client` does the same without asyncio. A lost connection is made again and goes on where it was: audio is kept until the
server has acknowledged it. With `adaptive=True` the bitrate is lowered when audio is long on its way.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import threading
import time
from array import array
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import cache
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

Frame = dict[str, Any]

CHUNK = 0.1  # seconds of audio in a message
CROWDED = 2.0  # seconds of audio on their way from which on the bitrate is lowered
AHEAD = 60.0  # seconds of audio that `send` takes ahead of the network; then it waits
KEPT = 300.0  # seconds of unacknowledged audio that are kept for a lost connection
SOUNDING = 0.5  # seconds of audio after which the server is asked how far it has read, when the bitrate adapts
REFUSALS = frozenset({1002, 1003, 1007, 1008, 1009, 4003, 4400, 4401, 4403})  # close codes; trying again is of no use
AWAY = frozenset({"overloaded", "shutting_down", "unavailable"})  # errors after which it is


class StenodClientError(Exception):
    """The server refused, or it was away for longer than the client's patience."""


class AsyncClient:
    """One stream of audio to a server, for one task that sends and one that iterates (they may be the same).

    `url` is that of `/ws`; further keywords go into its query (`language="en"`, `partials=False`). `rate` is that of the
    samples. `patience`: seconds a connection may be away. Entering raises StenodClientError where there is no server.
    """

    def __init__(
        self,
        url: str = "ws://localhost:8000/ws",
        *,
        token: str | None = None,
        rate: int = 16_000,
        adaptive: bool = False,
        patience: float = 60.0,
        **query: object,
    ) -> None:
        self.connections = 0  # how many there were, the first one included
        self.lost = 0.0  # seconds of audio that no server heard: it was gone for longer than audio is kept
        self._url = urlsplit(url)
        self._query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()}
        self._key = token
        self._levels = _levels(rate) if adaptive else _levels(rate)[:1]
        self._level = 0
        self._rate = rate
        self._patience = patience
        self._audio = bytearray()  # what may have to be sent again
        self._first = 0  # number of its first sample
        self._sent = 0  # number of the sample that is sent next
        self._arrived = 0  # number of a sample up to which the server has read
        self._controls: deque[_Control] = deque()
        self._said = 0
        self._more = asyncio.Event()
        self._less = asyncio.Event()
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue(1_000)
        self._open = asyncio.Event()
        self._token: str | None = None
        self._seq = 0
        self._acked = 0
        self._utterances = 0  # of sessions before this one
        self._closed_utterance = 0
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    @property
    def bitrate(self) -> int:
        """Bits of audio a second, as it is sent now."""
        return self._levels[self._level].bitrate

    @property
    def waiting(self) -> float:
        """Seconds of audio that are not sent yet."""
        return (self._first + len(self._audio) // 2 - self._sent) / self._rate

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        opened = asyncio.create_task(self._open.wait())
        await asyncio.wait({self._task, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def send(self, audio: bytes) -> None:
        """Take 16-bit little-endian samples. Waits only when more than a minute of them is not sent yet."""
        self._audio += audio
        self._more.set()
        while self.waiting > AHEAD and self._task is not None and not self._task.done():
            self._less.clear()
            await self._less.wait()

    async def commit(self) -> None:
        """End the utterance here: its final follows. After a lost connection it may follow twice, the second one empty."""
        self._say("commit")

    async def reset(self) -> None:
        """Forget the open utterance."""
        self._say("reset")

    async def end(self) -> None:
        """All audio is sent: the last finals follow, then the frame `ended`, then iteration ends."""
        self._ending = True
        self._say("end")

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The server's frames, each once, as they come. Raises StenodClientError."""
        while (frame := await self._frames.get()) is not None:
            yield frame
        if self._task is not None:
            await self._task

    def _say(self, kind: str) -> None:
        self._said += 1
        self._controls.append(_Control(self._said, self._first + len(self._audio) // 2, json.dumps({"type": kind})))
        self._more.set()

    async def _run(self) -> None:
        """Connect, again and again, until the server has said everything."""
        well = time.monotonic()
        pause = 0.1
        try:
            while True:
                began, acked = time.monotonic(), self._acked
                try:
                    if await self._live():
                        return
                except (OSError, InvalidHandshake, ConnectionClosed) as error:
                    _refuse(error)
                    if not self.connections:
                        raise StenodClientError(f"the server cannot be reached: {error}") from None
                if self._acked > acked or time.monotonic() > began + 5.0:
                    well, pause = time.monotonic(), 0.1
                elif time.monotonic() > well + self._patience:
                    raise StenodClientError(f"no connection has lasted for {self._patience:g} s")
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)
        finally:
            self._less.set()
            while self._frames.full():  # nobody reads: the end must be seen all the same
                self._frames.get_nowait()
            self._frames.put_nowait(None)

    async def _live(self) -> bool:
        """One connection; True when everything has been said."""
        start = max(self._acked, self._first)
        level = self._levels[self._level]
        offset = start // level.divisor
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        async with connect(self._address(level, offset), additional_headers=headers, compression=None) as socket:
            hello = json.loads(await asyncio.wait_for(socket.recv(), 10))
            if hello.get("code") in AWAY:
                raise ConnectionRefusedError(hello["message"])
            if hello.get("type") != "session":
                raise StenodClientError(hello.get("message") or f"the server knows nothing of resuming: {hello}")
            if not hello["known"]:
                self._seq, self._utterances = 0, self._closed_utterance
                self.lost += max(0, start - self._acked) / self._rate
            self.connections += 1
            self._token = hello["token"]
            self._sent = self._arrived = offset * level.divisor
            self._open.set()
            reader = asyncio.create_task(self._read(socket, level))
            writer = asyncio.create_task(self._write(socket, level, hello["offset"] * level.divisor))
            try:
                await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                if not reader.done() and writer.exception() is None:  # a lower bitrate: a session of its own
                    socket.transport.abort()  # what waits in it would only go before what is sent instead
                    self._level += 1
                    self._token = None
                    return False
                return await reader
            finally:
                reader.cancel()
                writer.cancel()
                await asyncio.gather(reader, writer, return_exceptions=True)

    def _address(self, level: _Level, offset: int) -> str:
        query = dict(parse_qsl(self._url.query)) | self._query
        query |= {"encoding": level.encoding, "sample_rate": str(level.rate), "resume": self._token or "true"}
        if self.connections:  # without a token, "again" is none: a new session, which begins at the offset
            query |= {"resume": self._token or "again", "seq": str(self._seq), "offset": str(offset)}
        return urlunsplit(self._url._replace(query=urlencode(query)))

    async def _read(self, socket: ClientConnection, level: _Level) -> bool:
        async for message in socket:
            frame = json.loads(message)
            if frame["type"] == "pong":
                self._arrived = max(self._arrived, int(frame["text"]))
            if frame["type"] == "pong" or frame["seq"] <= self._seq:
                continue
            if "utterance" in frame:
                frame["utterance"] += self._utterances
            over = frame["type"] == "ended"
            if not over or self._ending:
                await self._frames.put(frame)
            self._seq, self._token = frame["seq"], frame.get("token", self._token)
            self._acked = max(self._acked, frame["acked"] * level.divisor)
            self._forget()
            if frame["type"] == "final" and frame.get("cause") is not None:
                self._closed_utterance = frame["utterance"]
            if over:
                return self._ending  # else the server is going, and another connection goes on
        raise ConnectionResetError("the server left in the middle")

    def _forget(self) -> None:
        """Let go of what was acknowledged, and of what is too much to keep."""
        end = self._first + len(self._audio) // 2
        keep = min(self._sent, max(self._acked, end - round(KEPT * self._rate))) // 2 * 2  # every format begins there
        if keep > self._first:
            del self._audio[: 2 * (keep - self._first)]
            self._first = keep
        while self._controls and self._controls[0].after < keep:
            self._controls.popleft()

    async def _write(self, socket: ClientConnection, level: _Level, heard: int) -> None:
        """Send from `_sent` on; returns when the bitrate should be lowered. `heard`: what the server has already."""
        adapting = self._level + 1 < len(self._levels)
        told = asked = 0
        encode = level.encoder()
        while True:
            next_up = next((one for one in self._controls if one.number > told and one.after >= heard), None)
            limit = self._first + len(self._audio) // 2 if next_up is None else next_up.after
            size = min(limit - self._sent, round(CHUNK * self._rate)) // level.divisor * level.divisor
            if size > 0:
                if adapting and self.waiting + (self._sent - self._arrived) / self._rate > CROWDED:
                    return
                at = 2 * (self._sent - self._first)
                await socket.send(encode(bytes(self._audio[at : at + 2 * size])))
                self._sent += size
                self._less.set()
                if adapting and self._sent >= asked:
                    asked = self._sent + round(SOUNDING * self._rate)
                    await socket.send(json.dumps({"type": "ping", "text": str(self._sent)}))
            elif next_up is not None:
                told = next_up.number
                await socket.send(next_up.text)
            else:
                self._more.clear()
                await self._more.wait()


class Client:
    """The same as `AsyncClient`, without asyncio; a thread of its own does the work. `client` is the one inside."""

    def __init__(self, url: str = "ws://localhost:8000/ws", **keywords: Any) -> None:
        self.client = AsyncClient(url, **keywords)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._call(self.client.__aenter__())
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self.client.__aexit__())
        self._stop()

    def send(self, audio: bytes) -> None:
        """See `AsyncClient.send`."""
        self._call(self.client.send(audio))

    def commit(self) -> None:
        """See `AsyncClient.commit`."""
        self._call(self.client.commit())

    def reset(self) -> None:
        """See `AsyncClient.reset`."""
        self._call(self.client.reset())

    def end(self) -> None:
        """See `AsyncClient.end`."""
        self._call(self.client.end())

    def __iter__(self) -> Iterator[Frame]:
        """See `AsyncClient.__aiter__`."""
        frames = aiter(self.client)

        async def following() -> Frame | None:
            return await anext(frames, None)

        while (frame := self._call(following())) is not None:
            yield frame

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _refuse(error: Exception) -> None:
    """Raise StenodClientError where it is of no use to try again."""
    if isinstance(error, InvalidStatus) and 400 <= error.response.status_code < 500:
        raise StenodClientError(f"the server refused: HTTP {error.response.status_code}") from None
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in REFUSALS:
        raise StenodClientError(f"the server refused: {error.rcvd.reason or error.rcvd.code}") from None


class _Control(NamedTuple):
    number: int
    after: int  # so many samples
    text: str


class _Level(NamedTuple):
    """How samples are written: 16-bit, or mu-law (ITU-T G.711), which takes half; and at half the rate, which takes half."""

    encoding: str
    rate: int
    divisor: int

    @property
    def bitrate(self) -> int:
        return self.rate * (16 if self.encoding == "s16le" else 8)

    def encoder(self) -> Callable[[bytes], bytes]:
        if self.encoding == "s16le":
            return bytes
        halve = _Halver() if self.divisor == 2 else None

        def encode(audio: bytes) -> bytes:
            samples = array("h", audio)
            if sys.byteorder == "big":
                samples.byteswap()
            table = _mulaw()
            return bytes([table[sample] for sample in (samples if halve is None else halve(samples))])

        return encode


def _levels(rate: int) -> list[_Level]:
    found = [_Level("s16le", rate, 1), _Level("mulaw", rate, 1), _Level("mulaw", rate // 2, 2)]
    return found if rate % 2 == 0 and rate >= 16_000 else found[:2]


class _Halver:
    """Every second sample, after a half-band filter (a windowed sinc of 23 taps) that keeps its memory between chunks."""

    def __init__(self) -> None:
        odd = range(1, 12, 2)
        window = {k: 0.54 + 0.46 * math.cos(math.pi * k / 12) for k in odd}
        self._taps = [(k, math.sin(math.pi * k / 2) / (math.pi * k) * window[k]) for k in odd]
        self._memory = array("h", bytes(2 * 22))

    def __call__(self, samples: array[int]) -> Iterator[int]:
        heard = self._memory + samples
        self._memory = heard[-22:]
        for centre in range(11, len(heard) - 11, 2):
            value = 0.5 * heard[centre]
            for k, tap in self._taps:
                value += tap * (heard[centre - k] + heard[centre + k])
            yield max(-32768, min(32767, round(value)))


@cache
def _mulaw() -> list[int]:
    """The byte for each sample; negative ones are found from the end, as Python's indices go."""
    table = []
    for sample in (*range(32768), *range(-32768, 0)):
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        table.append(~((sample < 0) << 7 | exponent << 4 | magnitude >> exponent + 3 & 15) & 0xFF)
    return table
