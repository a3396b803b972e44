"""Compressed audio over a real socket: words while the container grows, packets, and clients that break off."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import anyio
import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from support.compressed import RATE, growing, opus
from support.serving import Running, pcm, said, talk, until

pytestmark = pytest.mark.anyio
END = '{"type":"end"}'
CONTAINERS = Path(__file__).parent.parent / "audio" / "containers"


def spoken(words: list[int], **around: float) -> NDArray[np.int16]:
    """Samples that say `words`, shape (moments, 1)."""
    return np.frombuffer(pcm(words, rate=RATE, **around), "<i2").reshape(-1, 1)


def growing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "stenod-growing"]


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("ogg", "libopus"), ("flac", "flac")])
@pytest.mark.parametrize("chunk", [150, 1_000_000])
async def test_a_container_is_transcribed_live(server: Running, container: str, codec: str, chunk: int) -> None:
    data = growing(container, codec, spoken([1, 2, 3, 4, 5, 6]))
    heard = await talk(f"{server.ws}/ws?encoding=container", [data, END], chunk=chunk)
    assert heard.text == said([1, 2, 3, 4, 5, 6])
    [ended] = heard.of("ended")
    assert ended["account"]["received"] == ended["account"]["final"] == pytest.approx(ended["seconds"] * 16_000, abs=9)
    assert ended["seconds"] == pytest.approx(len(spoken([1, 2, 3, 4, 5, 6])) / RATE, abs=0.1)
    assert heard.code == 1000


async def test_words_come_before_the_stream_is_over(server: Running) -> None:
    """A recorder that writes every quarter of a second: the first words are read while the rest is still being said."""
    words = list(range(1, 15))
    data = growing("webm", "libopus", spoken(words), live="1")
    size = round(len(data) / (len(spoken(words)) / RATE) / 4)
    early: list[dict[str, str]] = []
    with anyio.fail_after(20):
        async with connect(f"{server.ws}/ws?encoding=container") as socket:
            for at in range(0, len(data), size):
                await socket.send(data[at : at + size])
                with anyio.move_on_after(0.25):
                    early.append(json.loads(await socket.recv()))
            await socket.send(END)
            frames = early + [json.loads(text) async for text in socket]
    first = early[0]["text"]
    assert len(early) >= 3
    assert first == said(words[: len(first.split())])
    assert len(first.split()) < 6
    assert " ".join(frame["text"] for frame in frames if frame["type"] == "final" and frame["text"]) == said(words)


@pytest.mark.parametrize("channels", [1, 2])
async def test_opus_packets_are_transcribed(server: Running, channels: int) -> None:
    packets = opus(np.repeat(spoken([7, 8, 9]), channels, axis=1))
    heard = await talk(f"{server.ws}/ws?encoding=opus&channels={channels}", [*packets, END])
    assert heard.text == said([7, 8, 9])
    assert heard.of("ended")[0]["account"]["received"] == len(packets) * 320


@pytest.mark.parametrize(("query", "data"), [("container", b"not audio at all " * 9), ("opus", b"\xff" * 99)])
async def test_garbage_gives_one_clear_error(server: Running, query: str, data: bytes) -> None:
    heard = await talk(f"{server.ws}/ws?encoding={query}", [data] * 30)
    assert [(frame["type"], frame["code"]) for frame in heard.of("error")] == [("error", "bad_audio")]
    assert heard.code == 1008
    assert not growing_threads()


async def test_the_end_may_come_before_the_first_sample(server: Running) -> None:
    data = growing("webm", "libopus", spoken([1]))[:200]
    heard = await talk(f"{server.ws}/ws?encoding=container", [data, END])
    assert heard.code == 1000
    assert not heard.of("error")


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_goes_leaves_no_thread(server: Running, politely: bool) -> None:
    data = (CONTAINERS / "river.webm").read_bytes()
    socket = await connect(f"{server.ws}/ws?encoding=container")
    await socket.send(data[:6_000])
    await anyio.to_thread.run_sync(until, lambda: bool(growing_threads()), 5)
    if politely:
        await socket.close()
    else:
        socket.transport.abort()
    await anyio.to_thread.run_sync(until, lambda: not growing_threads(), 5)


async def test_a_lost_connection_takes_a_container_up_again(server: Running) -> None:
    """Offsets of compressed audio are bytes, and none is acknowledged: only a server that knows the session goes on."""
    words = [3, 1, 4, 1, 5, 9, 2, 6]
    data = growing("webm", "libopus", spoken(words), live="1")
    frames: list[dict[str, object]] = []
    with anyio.fail_after(20):
        socket = await connect(f"{server.ws}/ws?encoding=container&resume=true")
        session = json.loads(await socket.recv())
        await socket.send(data[: len(data) // 2])
        frames.append(json.loads(await socket.recv()))
        socket.transport.abort()
        query = f"encoding=container&resume={session['token']}&seq={frames[-1]['seq']}"
        async with connect(f"{server.ws}/ws?{query}") as socket:
            greeting = json.loads(await socket.recv())
            assert greeting["known"]
            assert 0 < greeting["offset"] <= len(data) // 2
            await socket.send(data[greeting["offset"] :])
            await socket.send(END)
            frames += [json.loads(text) async for text in socket]
    assert " ".join(str(frame["text"]) for frame in frames if frame["type"] == "final" and frame["text"]) == said(words)
    assert {frame["acked"] for frame in frames} == {0}
