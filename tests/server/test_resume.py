"""Connections that break and come back: nothing lost, nothing doubled, whatever the moment."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from support.serving import Running, fake, pcm, said, serving

pytestmark = pytest.mark.anyio

WORDS = [*range(1, 13)]
AUDIO = b"".join(pcm(WORDS[i : i + 3], before=0.2, after=0.7) for i in range(0, len(WORDS), 3))
CHUNK = 1_600
"""Bytes: 50 ms."""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving(fake(stream={"resume_window": 5.0})) as running:
        yield running


@dataclass
class Client:
    """A client as the docs tell it to be: it keeps what is not acknowledged, and says where it was when it comes back."""

    url: str
    frames: list[dict[str, Any]] = field(default_factory=list)
    token: str = ""
    seq: int = 0
    acked: int = 0
    sent: int = 0
    greetings: list[dict[str, Any]] = field(default_factory=list)
    ended: bool = False

    def address(self, *, wait: bool = False) -> str:
        if not self.token:
            return f"{self.url}?shape=stenod"
        offset = "" if wait else f"&offset={self.acked}"
        return f"{self.url}?shape=stenod&resume={self.token}&seq={self.seq}{offset}"

    async def live(self, cut_at: int | None, *, wait: bool = True, known: bool = True, linger: float = 0.01) -> None:
        """One connection: from the acknowledged sample to byte `cut_at`, where the TCP connection is torn down."""
        async with connect(self.address(wait=wait)) as socket:
            greeting = json.loads(await socket.recv())
            self.greetings.append(greeting)
            assert greeting["type"] == "session"
            if self.token:
                assert greeting["known"] is known
            if not greeting["known"]:
                self.seq = 0  # another session, which counts from 1
            self.token = greeting["token"]
            start = greeting["offset"] if wait else self.acked
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, socket)
                for at in range(2 * start, len(AUDIO) if cut_at is None else cut_at, CHUNK):
                    await socket.send(AUDIO[at : at + CHUNK])
                    self.sent = max(self.sent, at + CHUNK)
                    await anyio.lowlevel.checkpoint()
                if cut_at is None:
                    await socket.send('{"type":"end"}')
                else:
                    await anyio.sleep(random.random() * 2 * linger)
                    socket.transport.abort()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                frame = json.loads(message)
                assert frame["seq"] > self.seq
                assert frame["acked"] >= self.acked
                self.seq, self.acked = frame["seq"], frame["acked"]
                self.token = frame.get("token", self.token)
                self.frames.append(frame)
                self.ended |= frame["type"] == "ended"
        except ConnectionClosed:
            pass

    def finals(self) -> list[dict[str, Any]]:
        return [frame for frame in self.frames if frame["type"] == "final"]

    @property
    def text(self) -> str:
        return " ".join(final["text"] for final in self.finals() if final["text"])


def spans(client: Client) -> list[tuple[float, float, str]]:
    return [(final["start"], final["end"], final["text"]) for final in client.finals()]


@pytest.mark.parametrize("wait", [True, False], ids=["from where the server says", "from the acknowledged sample"])
async def test_a_stream_cut_at_random_moments_is_the_uncut_one(server: Running, *, wait: bool) -> None:
    whole = Client(f"{server.ws}/ws")
    with anyio.fail_after(60):
        await whole.live(None)
        assert whole.text == said(WORDS)
        rng = random.Random(7)
        broken = Client(f"{server.ws}/ws")
        for cut in sorted(rng.sample(range(2, len(AUDIO), 2), 50)):
            await broken.live(cut, wait=wait)
        await broken.live(None, wait=wait)
    assert spans(broken) == spans(whole)
    assert [final["utterance"] for final in broken.finals()] == [final["utterance"] for final in whole.finals()]
    assert broken.frames[-1]["account"] == whole.frames[-1]["account"]
    assert broken.frames[-1]["account"]["received"] == len(AUDIO) // 2


async def test_what_was_missed_is_read_after_coming_back(server: Running) -> None:
    client = Client(f"{server.ws}/ws")
    with anyio.fail_after(20):
        async with connect(client.address()) as socket:
            client.token = json.loads(await socket.recv())["token"]
            for at in range(0, len(AUDIO), CHUNK):
                await socket.send(AUDIO[at : at + CHUNK])
            await socket.send('{"type":"end"}')
            await anyio.sleep(0.5)  # it has arrived
            socket.transport.abort()
        async with connect(client.address()) as socket:
            assert json.loads(await socket.recv())["known"] is True
            await client._read(socket)
    assert client.text == said(WORDS)
    assert client.ended


async def test_a_token_that_this_server_does_not_know_goes_on_from_the_acknowledged_sample(server: Running) -> None:
    """As after a restart: the first server is gone with the session, the second believes the same secret."""
    client = Client("")
    with anyio.fail_after(60):
        for secret in ("the same", "the same"):
            with serving(fake(server={"resume_secret": secret})) as other:
                client.url = f"{other.ws}/ws"
                first = not client.token
                await client.live(len(AUDIO) // 2 if first else None, known=False, linger=1.0)
    first, second = client.greetings
    assert (first["offset"], second["known"]) == (0, False)
    assert 0 < second["offset"] <= len(AUDIO) // 4
    starts = [final["start"] for final in client.finals()]
    assert starts == sorted(starts)
    assert client.text == said(WORDS)


async def test_a_strange_token_begins_anew(server: Running) -> None:
    for token in ("nonsense", "WyJhIiwxXQ.AAAA", "x" * 2000):
        async with connect(f"{server.ws}/ws?resume={token}&offset=16000") as socket:
            greeting = json.loads(await socket.recv())
            assert (greeting["known"], greeting["offset"]) == (False, 16_000)


@pytest.mark.parametrize(("query", "code"), [("offset=999999999", "resume_gap"), ("seq=77777", "resume_gap")])
async def test_a_client_that_cannot_go_on_is_told(server: Running, query: str, code: str) -> None:
    async with connect(f"{server.ws}/ws?shape=stenod") as socket:
        token = json.loads(await socket.recv())["token"]
        await socket.send(AUDIO[:CHUNK])
        socket.transport.abort()
    async with connect(f"{server.ws}/ws?resume={token}&{query}") as socket:
        frame = json.loads(await socket.recv())
    assert (frame["type"], frame["code"]) == ("error", code)


async def test_bad_numbers_are_refused(server: Running) -> None:
    async with connect(f"{server.ws}/ws?resume=abc&seq=-1") as socket:
        frame = json.loads(await socket.recv())
    assert (frame["type"], frame["code"]) == ("error", "bad_request")


async def test_a_second_connection_takes_over_from_the_first(server: Running) -> None:
    client = Client(f"{server.ws}/ws")
    with anyio.fail_after(20):
        async with connect(client.address()) as first:
            client.token = json.loads(await first.recv())["token"]
            await first.send(AUDIO[:CHUNK])
            await anyio.sleep(0.2)
            await client.live(None)
            await first.wait_closed()
    assert client.text == said(WORDS)


async def test_nobody_waits_for_ever() -> None:
    with serving(fake(stream={"resume_window": 0.3})) as running:
        client = Client(f"{running.ws}/ws")
        await client.live(CHUNK * 4)
        assert running.service.sessions.count == 1
        with anyio.fail_after(5):
            while running.service.sessions.count:  # noqa: ASYNC110 - nothing to wait on from outside
                await anyio.sleep(0.05)


async def test_without_being_asked_nothing_is_kept_and_no_frame_is_added(server: Running) -> None:
    before = server.service.sessions.count
    async with connect(f"{server.ws}/ws") as socket:
        await socket.send(AUDIO[:CHUNK])
        await socket.send('{"type":"ping"}')
        assert json.loads(await socket.recv()) == {"type": "pong"}
        socket.transport.abort()
    with anyio.fail_after(2):
        while server.service.sessions.count > before:  # noqa: ASYNC110 - nothing to wait on from outside
            await anyio.sleep(0.02)


async def test_a_cut_inside_a_sample_shifts_nothing(server: Running) -> None:
    for offset in (None, 0):
        client = Client(f"{server.ws}/ws")
        with anyio.fail_after(20):
            async with connect(client.address()) as socket:
                client.token = json.loads(await socket.recv())["token"]
                await socket.send(AUDIO[:20_001])
                await anyio.sleep(0.3)
                socket.transport.abort()
            client.acked = offset or 0
            await client.live(None, wait=offset is None)
        assert client.text == said(WORDS)
        assert client.frames[-1]["account"]["received"] == len(AUDIO) // 2


async def test_what_a_client_says_comes_back_as_it_was(server: Running) -> None:
    async with connect(f"{server.ws}/ws?shape=stenod") as socket:
        await socket.recv()
        await socket.send('{"type":"ping","text":"a\\ud800"}')
        assert json.loads(await socket.recv())["text"] == "a\ud800"


async def test_no_more_sessions_wait_than_there_are_places() -> None:
    settings = fake(server={"max_connections": 2}, stream={"resume_window": 5.0})
    with serving(settings) as running:
        tokens = []
        for _ in range(5):
            async with connect(f"{running.ws}/ws?shape=stenod") as socket:
                tokens.append(json.loads(await socket.recv())["token"])
                await socket.send(AUDIO[:CHUNK])
                await anyio.sleep(0.1)
                socket.transport.abort()
            await anyio.sleep(0.1)
        assert running.app.state.parking.parked == 2
        async with connect(f"{running.ws}/ws?resume={tokens[0]}") as socket:
            assert json.loads(await socket.recv())["known"] is False
