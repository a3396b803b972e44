"""`/v1/audio/stream` over a real socket: each field of the configuration changes what a client gets."""

from __future__ import annotations

import json
import time
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from support.serving import Running, Talk, fake, pcm, said, serving, talk

pytestmark = pytest.mark.anyio
PATH = "/v1/audio/stream"
STOP = '{"action": "stop"}'
WORDS = [1, 2, 3, 4, 5, 6, 7, 8]


async def speak(server: Running, audio: bytes = pcm(WORDS), **told: Any) -> Talk:
    return await talk(f"{server.ws}{PATH}", [json.dumps(told), audio, STOP])


async def test_partials_then_a_final_then_the_end(server: Running) -> None:
    before = time.time()
    heard = await speak(server)
    assert [frame["type"] for frame in heard.frames] == ["partial"] * len(heard.of("partial")) + ["final"]
    assert (heard.text, heard.code) == (said(WORDS), 1000)
    for frame in heard.frames:
        assert frame.keys() == {"type", "text", "confidence", "timestamp", "is_final"}
        assert frame["is_final"] == (frame["type"] == "final")
        assert frame["confidence"] == 1.0  # as the engine says, not a constant: see the golden conversations
        assert isinstance(frame["timestamp"], int)
        assert before * 1000 - 1 <= frame["timestamp"] <= time.time() * 1000 + 1


async def test_what_was_being_said_at_the_stop_is_still_told(server: Running) -> None:
    heard = await speak(server, pcm(WORDS, after=0.0), enable_partial_results=False)
    assert [frame["text"] for frame in heard.frames] == [said(WORDS)]


async def test_audio_first(server: Running) -> None:
    heard = await talk(f"{server.ws}{PATH}", [pcm(WORDS), STOP])
    assert heard.text == said(WORDS)
    assert heard.of("partial")


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
async def test_sample_rate(server: Running, rate: int) -> None:
    assert (await speak(server, pcm([21, 22], rate=rate), sample_rate=rate)).text == said([21, 22])


async def test_enable_partial_results(server: Running) -> None:
    assert (await speak(server)).of("partial")
    assert not (await speak(server, enable_partial_results=False)).of("partial")


async def test_enable_word_timestamps(server: Running) -> None:
    for frame in (await speak(server, enable_word_timestamps=True)).frames:
        assert [word["word"] for word in frame["words"]] == frame["text"].split()
        assert all(0.3 < word["start"] < word["end"] for word in frame["words"])
        assert all(word["confidence"] == 1.0 for word in frame["words"])


async def test_vad_enabled_false_gives_finals_on_a_beat(server: Running) -> None:
    audio = pcm(list(range(40)), before=0.0, after=0.0)  # twelve seconds without a pause
    gated = await speak(server, audio)
    assert len(gated.of("final")) == 1
    ungated = await speak(server, audio, vad_enabled=False)
    assert len(ungated.of("final")) >= 3
    assert ungated.text == gated.text == said(range(40))
    silence = b"\0" * 200_000
    assert len((await speak(server, pcm([1]) + silence + pcm([2]))).of("final")) == 2
    assert (await speak(server, pcm([1]) + silence + pcm([2]), vad_enabled=False)).text == said([1, 2])


async def test_chunk_duration_is_the_cadence_of_partials() -> None:
    with serving(fake("fake")) as server:  # an engine that decodes anew each time sheds none when nothing waits
        counts = {}
        for chunk in (0.2, 1.0):
            async with connect(f"{server.ws}{PATH}") as socket:
                await socket.send(json.dumps({"chunk_duration": chunk}))
                audio = pcm(WORDS, before=0.1)
                for at in range(0, len(audio), 3_200):
                    await socket.send(audio[at : at + 3_200])
                    await anyio.sleep(0.02)
                await socket.send(STOP)
                kinds = [json.loads(message)["type"] async for message in socket]
            counts[chunk] = kinds.count("partial")
    assert counts[0.2] >= 2 * counts[1.0] >= 2


@pytest.mark.parametrize(
    ("told", "code", "why"),
    [
        ({"model": "nobody"}, 1008, "nobody"),
        ({"sample_rate": 1}, 1008, "sample_rate"),
        ([1], 1008, "Invalid configuration format"),
    ],
)
async def test_an_impossible_configuration(server: Running, told: Any, code: int, why: str) -> None:
    heard = await talk(f"{server.ws}{PATH}", [json.dumps(told)])
    [error] = heard.frames
    assert (error.keys(), error["type"], heard.code) == ({"type", "error"}, "error", code)
    assert why in error["error"]


async def test_a_language_that_is_not_to_be_had_is_refused() -> None:
    with serving(fake("pocketsphinx")) as server:
        heard = await talk(f"{server.ws}{PATH}", ['{"language": "zh-CN"}', pcm([1]), STOP])
    [error] = heard.frames
    assert "zh-CN" in error["error"]
    assert heard.code == 1008


async def test_nonsense_later_costs_nothing(server: Running) -> None:
    heard = await talk(f"{server.ws}{PATH}", ["{}", "{", '{"action": 5}', "{}", pcm([1, 2]), STOP])
    assert len(heard.of("error")) == 3
    assert heard.text == said([1, 2])
