"""The connection's own duties, over real sockets, with dialects made to strain them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import connect

from stenod.events import Audio, Command, Configure, Describe, Event, Failed, Heard, Identify, Stamp
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.server import app as server_app
from stenod.server import connection
from support.serving import Running, fake, pcm, serving, talk, until

pytestmark = pytest.mark.anyio


# ruff: noqa: ARG002 - the stamp is part of the signature


class Plain:
    """Says the name of every event; audio is audio, text is a command of the tests."""

    patience = Patience()

    def __init__(self, handshake: Handshake) -> None:
        self._options = handshake.defaults
        self._mode = handshake.query.get("mode", "")

    def open(self) -> list[Command]:
        if self._mode == "broken_open":
            raise RuntimeError("/secret/path")
        return [Configure(self._options)] if self._mode != "late" else []

    def receive(self, message: str | bytes) -> list[Command]:
        if isinstance(message, bytes):
            return [Audio(message)]
        if message == "raise":
            raise RuntimeError("/secret/path")
        if len(message) > connection.LARGE:
            return [Identify(threading.current_thread().name)]
        return [Describe()] if message == "describe" else [Identify(None)]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        name = type(event).__name__
        if isinstance(event, Heard) and self._mode == "broken_send":
            raise RuntimeError("/secret/path")
        if isinstance(event, Failed):
            if self._mode == "mute":
                raise RuntimeError("/secret/path")
            return [json.dumps({"type": name, "code": event.code, "message": event.message})]
        return [json.dumps({"type": name})]


class Idle(Plain):
    patience = Patience(idle=0.3)


class Lively(Plain):
    patience = Patience(heartbeat=0.1)


class Flood(Plain):
    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        return ["x" * 1_000_000] * 30 if isinstance(event, Heard) else []


class Closing(Plain):
    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        return ['{"type":"bye"}', Close(3000, "é" * 100), '{"type":"never"}'] if isinstance(event, Heard) else []


@pytest.fixture(scope="module")
def doors() -> Iterator[Running]:
    def prepare(app: FastAPI) -> None:
        for dialect in (Plain, Idle, Lively, Flood, Closing):
            server_app._add_socket(app, f"/{dialect.__name__.lower()}", dialect, app.state.admission)

    with serving(fake(), prepare) as running:
        yield running


@pytest.mark.parametrize(
    ("mode", "messages"),
    [("broken_open", []), ("", ["raise"]), ("broken_send", [b"\0\0" * 1600])],
)
async def test_a_defect_in_a_dialect_costs_its_own_connection(
    doors: Running, mode: str, messages: list[str | bytes], caplog: pytest.LogCaptureFixture
) -> None:
    heard = await talk(f"{doors.ws}/plain?mode={mode}", messages)
    error = heard.frames[-1]
    assert (error["type"], error["code"], heard.code) == ("Failed", "internal_error", 1011)
    assert "secret" not in json.dumps(heard.frames)
    assert "/secret/path" in caplog.text
    assert (await talk(f"{doors.ws}/ws", [pcm([1]), '{"type":"end"}'])).text == "w1"


async def test_a_dialect_that_cannot_even_say_sorry_is_closed(doors: Running, caplog: pytest.LogCaptureFixture) -> None:
    heard = await talk(f"{doors.ws}/plain?mode=mute", ["raise"])
    assert heard.code == 1011
    assert "failed to say that it failed" in caplog.text


async def test_what_needs_no_session_opens_none(doors: Running) -> None:
    async with connect(f"{doors.ws}/plain?mode=late") as client:
        await client.send("describe")
        assert json.loads(await client.recv()) == {"type": "Described"}
        await client.send("who")
        assert json.loads(await client.recv()) == {"type": "Identified"}
        assert doors.service.sessions.count == 0


async def test_large_messages_are_understood_in_a_thread(doors: Running) -> None:
    seen: list[str] = []

    class Spy(Plain):
        def receive(self, message: str | bytes) -> list[Command]:
            seen.append(threading.current_thread().name)
            return super().receive(message)

    server_app._add_socket(doors.app, "/spy", Spy, doors.app.state.admission)
    async with connect(f"{doors.ws}/spy?mode=late") as client:
        for message in ("small", "x" * (connection.LARGE + 1)):
            await client.send(message)
            assert json.loads(await client.recv()) == {"type": "Identified"}
    small, large = seen
    assert small != large
    assert "worker" in large.lower()


async def test_silence_on_the_wire_ends_the_session(doors: Running) -> None:
    heard = await talk(f"{doors.ws}/idle", [pcm([1, 2])])
    assert [frame["type"] for frame in heard.frames][-1] == "Ended"
    assert "Final" in {frame["type"] for frame in heard.frames}
    assert heard.code == 1000


async def test_the_heart_beats_while_nothing_is_said(doors: Running) -> None:
    async with connect(f"{doors.ws}/lively?mode=late") as client:
        beats = [json.loads(await client.recv()) for _ in range(3)]
    assert beats == [{"type": "Ticked"}] * 3


async def test_nothing_follows_a_close_and_its_reason_fits(doors: Running) -> None:
    heard = await talk(f"{doors.ws}/closing", [b"\0\0" * 1600])
    assert heard.frames == [{"type": "bye"}]
    assert (heard.code, heard.reason) == (3000, "é" * 61)


async def test_a_client_that_never_reads_is_closed(doors: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_PATIENCE", 0.5)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", doors.port))
    with client:
        lines = ("GET /flood HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "")  # fmt: skip
        client.sendall("\r\n".join(lines).encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        client.sendall(b"\x82\x84\0\0\0\0\0\0\0\0")
        await anyio.to_thread.run_sync(until, lambda: doors.service.sessions.count == 1, 5)
        await anyio.to_thread.run_sync(until, lambda: doors.service.sessions.count == 0, 5)


def test_the_connection_knows_no_dialect() -> None:
    source = Path(connection.__file__).read_text(encoding="utf-8")
    assert not {name for name in ("pcm", "openai", "parakeet", "starlette", "fastapi") if name in source}
