"""The portable core over a real socket, in its own server and mounted in an application that is not ours."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from stenod.engines.tones import speak
from stenod.jobs import Samples
from stenod.server.core_parakeet import PATH, router_for
from stenod.service import Service
from support.serving import Running, fake, said, serving, until

pytestmark = pytest.mark.anyio
QUIET = np.zeros(8_000, np.float32)


def audio(samples: Samples) -> str:
    return json.dumps({"type": "audio", "data": base64.b64encode(samples.tobytes()).decode()})


async def until_whole(socket: ClientConnection) -> list[dict[str, Any]]:
    """Frames up to the full transcript."""
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] != "full_transcript":
        frames.append(json.loads(await socket.recv()))
    return frames


async def ask(socket: ClientConnection, samples: Samples, **told: Any) -> list[dict[str, Any]]:
    """Configure, say, commit; every frame."""
    await socket.send(json.dumps({"type": "config"} | told))
    for at in range(0, len(samples), 1_600):
        await socket.send(audio(samples[at : at + 1_600]))
    await socket.send('{"type": "commit"}')
    return await until_whole(socket)


async def test_segments_then_the_whole_and_then_anew(server: Running) -> None:
    words = list(range(1, 16))
    samples = np.concatenate([speak(words), QUIET])
    async with connect(f"{server.ws}{PATH}") as socket:
        for _ in range(2):
            frames = await ask(socket, samples, chunk_duration=1.0, overlap_duration=0.25)
            assert frames[0]["state"] == "configured"
            finals = [frame for frame in frames if frame["type"] == "final"]
            assert " ".join(frame["text"] for frame in finals) == said(words) == frames[-1]["text"]
            assert [frame["segment_id"] for frame in finals] == list(range(1, len(finals) + 1))
            assert finals[0]["segment_start"] == 0.0
            for one, two in itertools.pairwise(finals):
                assert two["segment_start"] == one["segment_end"] == one["cumulative_audio"]
                assert two["overlap"] == 0.25
            assert finals[-1]["segment_end"] == pytest.approx(len(samples) / 16_000, abs=0.01)
            assert [frame for frame in frames if frame["type"] == "partial"]


async def test_chunk_duration_partials_and_rate(server: Running) -> None:
    async with connect(f"{server.ws}{PATH}") as socket:
        samples = np.concatenate([speak(range(10), rate=8_000), QUIET])
        told = {"sample_rate": 8_000, "enable_partial": False}
        few = await ask(socket, samples, chunk_duration=3.0, **told)
        many = await ask(socket, samples, chunk_duration=0.5, **told)
    for frames in (few, many):
        assert frames[-1]["text"] == said(range(10))
        assert {frame["type"] for frame in frames} == {"status", "final", "full_transcript"}
    assert len(many) > len(few) + 4


async def test_what_is_not_installed_and_what_is_not_known(server: Running) -> None:
    async with connect(f"{server.ws}{PATH}") as socket:
        told = {"model": "parakeet", "diarization": True, "insights": {"enabled": True}, "colour": 1}
        frames = await ask(socket, np.concatenate([speak([1]), QUIET]), **told)
    assert frames[0]["ignored"] == ["colour"]
    states = {frame.get("state") for frame in frames}
    assert {"configured", "diarization_unavailable", "insights_unavailable"} <= states
    [warning] = [frame for frame in frames if frame["type"] == "warning"]
    assert (warning["original_model"], warning["active_model"]) == ("parakeet", "fake-streaming")
    assert frames[-1]["text"] == "w1"


async def test_nonsense_leaves_the_socket_open_and_reset_forgets(server: Running) -> None:
    async with connect(f"{server.ws}{PATH}") as socket:
        for nonsense in ("{", "[]", '{"type": "audio"}', '{"type": "sing"}', '{"type": "audio", "data": "!"}'):
            await socket.send(nonsense)
            assert json.loads(await socket.recv())["type"] == "error"
        await socket.send(speak([1, 2]).tobytes())  # bytes are what base64 would carry
        await socket.send('{"type": "reset"}')
        while json.loads(await socket.recv()) != {"type": "status", "state": "reset"}:
            pass
        await socket.send('{"type": "ping"}')
        assert json.loads(await socket.recv()) == {"type": "pong"}
        frames = await ask(socket, np.concatenate([speak([3]), QUIET]))
        assert frames[-1]["text"] == "w3"
        await socket.send(audio(speak([4, 5])))
        await socket.send('{"type": "stop"}')
        rest = [json.loads(message) async for message in socket]
    assert " ".join(frame["text"] for frame in rest if frame["type"] == "final") == said([4, 5])
    assert socket.close_code == 1000


async def test_a_language_that_is_not_to_be_had_is_told_and_changes_nothing() -> None:
    with serving(fake("pocketsphinx")) as server:
        async with connect(f"{server.ws}{PATH}") as socket:
            await socket.send('{"type": "config", "language": "zh"}')
            error = json.loads(await socket.recv())
            assert (error["type"], error["error_type"]) == ("error", "unsupported_language")
            frames = await ask(socket, QUIET, language="en")
    assert frames[0]["state"] == "configured"


async def test_it_is_mounted_in_open_mode_only() -> None:
    with serving(fake(server={"api_key": "secret-enough"})) as closed, pytest.raises(InvalidStatus):
        await connect(f"{closed.ws}{PATH}?token=secret-enough")


@pytest.fixture
def service() -> Service:
    """Made where others make it: where there is no event loop yet."""
    return Service(fake())


async def test_mounted_in_an_application_of_others(service: Service) -> None:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(router_for(service, max_connections=1), prefix="/speech")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio"))
    with start_blocking_portal() as portal:
        serve = portal.start_task_soon(server.serve)
        try:
            until(lambda: server.started or serve.done(), 20)
            url = f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/speech{PATH}"
            async with connect(url) as socket:
                frames = await ask(socket, np.concatenate([speak([1, 2, 3]), QUIET]))
                assert frames[-1]["text"] == said([1, 2, 3])
                async with connect(url) as second:
                    assert json.loads(await second.recv())["error_type"] == "overloaded"
        finally:
            server.should_exit = True
            serve.result(20)
