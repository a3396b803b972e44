"""With a key set no door is open, and each says so in its own words; without one everyone may come in."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import anyio
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from websockets.asyncio.client import connect

from stenod.events import Command, Event, Failed, Identified, Identify, Stamp
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.server import app as server_app
from stenod.server.gate import ALWAYS_OPEN
from stenod.server.guard import Guard, Unauthenticated
from support.serving import Running, fake, pcm, serving, talk, wav

pytestmark = pytest.mark.anyio
KEY = "a-k3y"


class Hurried:
    """Says who it is, if at all, in its first message."""

    patience = Patience(identify=0.3)

    def __init__(self, handshake: Handshake) -> None:
        del handshake

    def open(self) -> list[Command]:
        return []

    def receive(self, message: str | bytes) -> list[Command]:
        return [Identify(str(message))]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:  # noqa: ARG002 - part of the signature
        match event:
            case Identified():
                return [json.dumps({"type": "Identified"})]
            case Failed(code):
                return [json.dumps({"type": "Failed", "code": code}), Close(4401)]
        return []


def prepare(app: FastAPI) -> None:
    server_app._add_socket(app, "/hurried", Hurried, app.state.admission)


@pytest.fixture(scope="module")
def locked() -> Iterator[Running]:
    with serving(fake(server={"api_key": KEY}), prepare) as running:
        yield running


@pytest.mark.parametrize(
    ("query", "headers", "known"),
    [
        ({"token": KEY}, {}, True),
        ({}, {"x-api-key": KEY}, True),
        ({}, {"authorization": f"Bearer {KEY}"}, True),
        ({}, {"authorization": f"bearer  {KEY}"}, True),
        ({"token": "wrong"}, {"x-api-key": KEY}, True),
        ({}, {}, False),
        ({"token": ""}, {"authorization": f"Basic {KEY}"}, False),
        ({"token": KEY + "x"}, {}, None),
        ({"token": KEY[:-1]}, {}, None),
        ({}, {"authorization": "Bearer \ud800é"}, None),
    ],
)
def test_where_the_key_may_be(query: dict[str, str], headers: dict[str, str], known: bool | None) -> None:
    guard = Guard(SecretStr(KEY))
    if known is not None:
        assert guard.check(query, headers) == known
        return
    with pytest.raises(Unauthenticated):
        guard.check(query, headers)


def test_without_a_key_everyone_may_come_in() -> None:
    guard = Guard(None)
    assert guard.open
    assert guard.check({"token": "whatever"}, {})
    assert guard.admits(None)


@pytest.mark.parametrize(
    ("method", "path", "shape"),
    [
        ("POST", "/v1/audio/transcriptions", "openai"),
        ("GET", "/v1/models", "openai"),
        ("GET", "/v1/models/fake", "openai"),
        ("POST", "/transcribe", "detail"),
        ("GET", "/config", "detail"),
        ("GET", "/nowhere", "detail"),
        ("GET", "/openapi.json", "detail"),
    ],
)
async def test_http_is_refused_in_the_shape_of_its_door(locked: Running, method: str, path: str, shape: str) -> None:
    async with httpx.AsyncClient(base_url=locked.http) as client:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            refused = await client.request(method, path, headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert refused.headers["x-request-id"]
            body = refused.json()
            message = "Invalid API key" if headers else "Authentication required"
            if shape == "openai":
                assert body["error"]["message"] == message
                assert (body["error"]["type"], body["error"]["code"]) == ("invalid_request_error", "invalid_api_key")
            else:
                assert body == {"detail": message}
            assert KEY not in refused.text


async def test_every_route_but_health_wants_the_key(locked: Running) -> None:
    paths = {path for path in locked.app.openapi()["paths"] if "{" not in path} | {"/docs", "/openapi.json"}
    async with httpx.AsyncClient(base_url=locked.http) as client:
        answers = {path: (await client.get(path)).status_code for path in paths}
    assert {path for path, status in answers.items() if status != 401} == paths & ALWAYS_OPEN


async def test_files_with_the_key(locked: Running) -> None:
    async with httpx.AsyncClient(base_url=locked.http, headers={"authorization": f"Bearer {KEY}"}) as client:
        answer = await client.post("/v1/audio/transcriptions", files={"file": wav(pcm([1, 2]))})
    assert answer.json()["text"] == "w1 w2"


async def test_a_browser_may_ask_whether_it_may_ask() -> None:
    with serving(fake(server={"api_key": KEY, "cors_origins": ["*"]})) as both:
        asks = {"origin": "https://example.org", "access-control-request-method": "GET"}
        async with httpx.AsyncClient(base_url=both.http) as client:
            assert (await client.options("/v1/models", headers=asks)).status_code == 200
            refused = await client.get("/v1/models", headers={"origin": "https://example.org"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


@pytest.mark.parametrize("path", ["/ws", "/ws?shape=legacy", "/v1/audio/stream", "/ws?resume=true"])
@pytest.mark.parametrize(("token", "message"), [("", "Authentication required"), ("wrong", "Invalid API key")])
async def test_sockets_are_refused_after_the_upgrade(locked: Running, path: str, token: str, message: str) -> None:
    url = f"{locked.ws}{path}{'&' if '?' in path else '?'}token={token}"
    heard = await talk(url, [])
    assert len(heard.frames) == 1
    assert message in json.dumps(heard.frames)
    assert heard.code == 1008


@pytest.mark.parametrize(
    ("query", "headers"),
    [(f"?token={KEY}", {}), ("", {"X-API-KEY": KEY}), ("", {"Authorization": f"Bearer {KEY}"})],
)
async def test_sockets_with_the_key(locked: Running, query: str, headers: dict[str, str]) -> None:
    async with connect(f"{locked.ws}/ws{query}", additional_headers=headers) as socket:
        await socket.send(pcm([5]))
        await socket.send('{"type":"end"}')
        assert "w5" in [json.loads(frame).get("text") async for frame in socket]


async def test_nobody_may_stay_unknown_for_long(locked: Running) -> None:
    began = time.monotonic()
    heard = await talk(f"{locked.ws}/hurried", [])
    assert 0.2 < time.monotonic() - began < 3
    assert (heard.frames, heard.code) == ([{"type": "Failed", "code": "unidentified"}], 4401)
    assert (await talk(f"{locked.ws}/hurried", ["wrong"])).frames == [{"type": "Failed", "code": "unauthenticated"}]
    async with connect(f"{locked.ws}/hurried") as client:
        await client.send(KEY)
        assert json.loads(await client.recv()) == {"type": "Identified"}
        with pytest.raises(TimeoutError), anyio.fail_after(0.6):
            await client.recv()


async def test_where_everyone_may_come_in_nobody_need_say_who_they_are() -> None:
    with serving(fake(), prepare) as free:
        async with connect(f"{free.ws}/hurried") as client:
            with pytest.raises(TimeoutError), anyio.fail_after(0.6):
                await client.recv()
            await client.send("whoever")
            assert json.loads(await client.recv()) == {"type": "Identified"}
