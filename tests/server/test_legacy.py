"""The first document's program's shape of `/ws`, and its other path for files."""

from __future__ import annotations

import json

import httpx
import pytest
from websockets.asyncio.client import connect

from support.serving import Running, pcm, said, wav

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("chunk", [37, 640, 1_000_000])
async def test_queued_then_text_and_nothing_else(server: Running, chunk: int) -> None:
    audio = pcm([1, 2, 3]) + pcm([4, 5])
    async with connect(f"{server.ws}/ws?shape=legacy") as socket:
        await socket.send("text means nothing here")
        for at in range(0, len(audio), chunk):
            await socket.send(audio[at : at + chunk])
        frames = [json.loads(await socket.recv()) for _ in range(4)]
    assert [frame for frame in frames if "text" in frame] == [{"text": said([1, 2, 3])}, {"text": said([4, 5])}]
    assert [frame for frame in frames if "text" not in frame] == [{"status": "queued"}] * 2
    assert frames[0] == {"status": "queued"}


async def test_nobody_hears_another(server: Running) -> None:
    async with connect(f"{server.ws}/ws?shape=legacy") as one, connect(f"{server.ws}/ws?shape=legacy") as other:
        await one.send(pcm([1]))
        await other.send(pcm([2]))
        for socket, word in ((one, 1), (other, 2)):
            assert [json.loads(await socket.recv()) for _ in range(2)] == [{"status": "queued"}, {"text": said([word])}]


@pytest.mark.parametrize("path", ["/audio/transcriptions", "/v1/audio/transcriptions"])
@pytest.mark.parametrize("fields", [{"should_chunk": "true"}, {"include_timestamps": "false"}])
def test_either_field_of_the_first_document_adds_timestamps(server: Running, path: str, fields: dict[str, str]) -> None:
    files = {"file": ("a.wav", wav(pcm([1, 2])))}
    answer = httpx.post(f"{server.http}{path}", data=fields, files=files).json()
    assert (answer["text"], answer["timestamps"]) == (said([1, 2]), None)
    assert "timestamps" not in httpx.post(f"{server.http}{path}", files=files).json()
    timed = httpx.post(f"{server.http}{path}", data={"include_timestamps": "true"}, files=files).json()
    assert [word["text"] for word in timed["timestamps"]["words"]] == ["w1", "w2"]
