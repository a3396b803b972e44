"""`/ws/transcribe` over a real socket: what each field changes, barge-in, contexts, and session after session."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect

from stenod.settings import Settings
from support.serving import Running, fake, pcm, said, serving, talk, until

pytestmark = pytest.mark.anyio
PATH = "/ws/transcribe"
WORDS = [1, 2, 3, 4, 5, 6, 7, 8]


class Client:
    """One that reads and writes JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def say(self, type: str, **more: Any) -> None:  # noqa: A002 - as in the frame
        await self._socket.send(json.dumps({"type": type} | more))

    async def play(self, audio: bytes, *, raw: bool = False) -> None:
        """s16le, in chunks; as float32 unless `raw`."""
        data = audio if raw else (np.frombuffer(audio, "<i2").astype("<f4") / 32768).tobytes()
        for at in range(0, len(data), 4096):
            await self._socket.send(data[at : at + 4096])

    async def hear(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self._socket.recv())
        return frame

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Everything up to the next frame of that type, which is the last."""
        frames = [await self.hear()]
        while frames[-1]["type"] != kind:
            frames.append(await self.hear())
        return frames


@asynccontextmanager
async def calling(server: Running, query: str = "") -> AsyncIterator[Client]:
    with anyio.fail_after(20):
        async with connect(server.ws + PATH + query) as socket:
            client = Client(socket)
            assert (await client.hear())["type"] == "session_started"
            yield client


async def session(
    client: Client, audio: bytes = pcm(WORDS), *, raw: bool = False, **config: Any
) -> list[dict[str, Any]]:
    """A whole session: everything that was said of it after it was configured."""
    await client.say("start_session", session_config=config)
    await client.until("session_configured")
    await client.play(audio, raw=raw)
    await client.say("end_session")
    return await client.until("session_ended")


async def once(server: Running, audio: bytes = pcm(WORDS), **config: Any) -> list[dict[str, Any]]:
    async with calling(server) as client:
        return await session(client, audio, **config)


def of(frames: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [frame["data"] for frame in frames if frame["type"] == kind]


def text(frames: Sequence[dict[str, Any]]) -> str:
    return " ".join(data["text"] for data in of(frames, "transcription_final") if data["text"])


# -------------------------------------------------------------------------------------------------------- the fields


async def test_a_session_from_beginning_to_end(server: Running) -> None:
    frames = await once(server)
    kinds = {frame["type"] for frame in frames}
    assert kinds == {"voice_activity_detected", "transcription_partial", "transcription_final", "session_ended"}
    assert text(frames) == said(WORDS)
    stats = frames[-1]["stats"]
    assert stats["transcriptions_completed"] == len(of(frames, "transcription_final"))
    assert stats["total_audio_duration"] == pytest.approx(3.7, abs=0.01)
    assert stats["chunks_received"] == -(-len(pcm(WORDS)) * 2 // 4096)
    assert 0 < stats["total_processing_time"] < 10
    assert stats["errors"] == 0


async def test_enable_timestamps(server: Running) -> None:
    assert {data["timestamps"] for data in of(await once(server), "transcription_final")} == {None}
    finals = of(await once(server, enable_timestamps=True), "transcription_final")
    words = [word for data in finals for word in data["timestamps"]]
    assert [word["word"] for word in words] == said(WORDS).split()
    for index, word in enumerate(words):
        assert word["start_ms"] == pytest.approx(500 + 300 * index, abs=15)
        assert word["end_ms"] == pytest.approx(700 + 300 * index, abs=15)


async def test_enable_partial_transcription_and_buffer_duration(server: Running) -> None:
    frames = await once(server, enable_partial_transcription=False)
    assert not of(frames, "transcription_partial")
    durations = [data["audio_duration_ms"] for data in of(frames, "transcription_final")]
    assert durations[0] == 2000.0
    longer = of(await once(server, enable_partial_transcription=False, buffer_duration=60), "transcription_final")
    assert [data["text"] for data in longer] == [said(WORDS)]


async def test_final_chunk_duration(server: Running) -> None:
    first = of(await once(server), "transcription_final")
    assert [data["audio_duration_ms"] for data in first[:2]] == [1000.0, 1000.0]
    assert {data["metadata"]["reason"] for data in first[:2]} == {"buffer_full"}
    longer = await once(server, final_chunk_duration=60)
    assert [data["text"] for data in of(longer, "transcription_final")] == [said(WORDS)]
    assert of(longer, "transcription_final")[0]["metadata"]["reason"] == "silence_detected"


async def test_partial_chunk_duration() -> None:
    with serving(fake("fake")) as offline:  # decodes anew each time, so that each partial is one
        count = {
            interval: len(of(await paced(offline, partial_chunk_duration=interval), "transcription_partial"))
            for interval in (0.2, 0.8)
        }
    assert count[0.2] >= 2 * count[0.8] > 0


async def paced(server: Running, **config: Any) -> list[dict[str, Any]]:
    """Like `once`, four times as fast as real time: partials are only worth making while the audio comes."""
    async with calling(server) as client:
        await client.say("start_session", session_config={"final_chunk_duration": 60} | config)
        audio = pcm(WORDS)
        for at in range(0, len(audio), 3200):
            await client.play(audio[at : at + 3200])
            await anyio.sleep(0.025)
        await client.say("end_session")
        return await client.until("session_ended")


async def test_enable_vad(server: Running) -> None:
    audio = pcm([1, 2]) + pcm([3, 4])
    gated = of(await once(server, audio, final_chunk_duration=60), "transcription_final")
    assert [data["text"] for data in gated] == [said([1, 2]), said([3, 4])]
    frames = await once(server, audio, final_chunk_duration=60, enable_vad=False)
    assert [data["text"] for data in of(frames, "transcription_final")] == [said([1, 2, 3, 4])]


@pytest.mark.parametrize(("size", "chunks"), [(1024, 16), (512, 32), (160, 100)])
async def test_chunk_size(server: Running, size: int, chunks: int) -> None:
    frames = await once(server, pcm([1, 2, 3, 4], before=0.0), chunk_size=size, enable_vad=False)
    first = of(frames, "transcription_final")[0]["metadata"]
    assert (first["sequence_start"], first["chunks_count"]) == (0, chunks)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_int16_at_any_rate(server: Running, rate: int) -> None:
    audio = pcm(WORDS, rate=rate)
    assert text(await once(server, audio, raw=True, audio_format="int16", sample_rate=rate)) == said(WORDS)


async def test_language() -> None:
    """A language that the engine has is taken; another one is refused, and the session goes on in the one before."""
    with serving(Settings.model_validate({"model": {"name": "pocketsphinx"}})) as english:
        async with calling(english) as client:
            await client.say("start_session", session_config={"language": "en-US"})
            assert (await client.hear())["config"]["language"] == "en-US"
            for wish in ({"type": "configure", "config": {"language": "fr"}},
                         {"type": "context_update", "data": {"language_context": "de-DE"}}):  # fmt: skip
                await client.say(**wish)
                error = (await client.hear())["error"]
                assert (error["code"], error["recoverable"]) == ("configuration_unsupported_language", True)
            await client.say("configure", config={})
            assert (await client.hear())["config"]["language"] == "en-US"


async def test_unknown_keys_and_nonsense_end_nothing(server: Running) -> None:
    async with calling(server) as client:
        config = {"fasttalk_mode": True, "user_id": "u", "conversation_id": "c", "barge_in_enabled": True}
        await client.say("start_session", session_config=config)
        assert (await client.hear())["ignored"] == ["fasttalk_mode", "user_id"]
        for wrong, code in (
            ({"type": "sing"}, "connection_unknown_type"),
            ({"type": "configure", "config": {"chunk_size": "big"}}, "configuration_invalid_value"),
            ({"type": "context_update", "data": {"conversation_state": "asleep"}}, "configuration_invalid_value"),
        ):
            await client.say(**wrong)
            error = (await client.hear())["error"]
            assert (error["code"], error["recoverable"]) == (code, True)
            assert "Traceback" not in json.dumps(error)
        await client.play(pcm(WORDS))
        await client.say("end_session")
        frames = await client.until("session_ended")
    assert text(frames) == said(WORDS)
    assert frames[-1]["stats"]["errors"] == 3
    assert {data["metadata"]["conversation_id"] for data in frames if data["type"].startswith("voice")} == {"c"}


async def test_the_older_frames(server: Running) -> None:
    async with calling(server, "?legacy=true") as client:
        frames = await session(client)
    assert [data["text"] for data in of(frames, "transcription")] == [
        data["text"] for data in of(frames, "transcription_final")
    ]


async def test_a_flush_is_answered(server: Running) -> None:
    async with calling(server) as client:
        await client.play(pcm([5, 6], before=0.1, after=0.0))
        await client.say("flush_buffer")
        final = (await client.until("transcription_final"))[-1]["data"]
        assert (final["text"], final["metadata"]["reason"]) == (said([5, 6]), "flush_buffer")
        await client.say("flush_buffer")
        assert (await client.until("transcription_final"))[-1]["data"]["text"] == ""


# ---------------------------------------------------------------------------------------------------------- sessions


async def test_session_after_session_on_one_socket(server: Running) -> None:
    async with calling(server) as client:
        for number in range(1, 5):
            await client.play(pcm([number, number + 1]))
            await client.say("end_session")
            if number == 2:  # before the end is answered
                await client.say("end_session")
            frames = await client.until("session_ended")
            assert text(frames) == said([number, number + 1])
            assert frames[-1]["stats"]["total_audio_duration"] == pytest.approx(1.9, abs=0.01)
            assert frames[-1]["session_id"].endswith(f"-{number}") == (number > 1)
            if number == 2:
                assert (await client.hear())["error"]["code"] == "connection_no_session"
            await anyio.to_thread.run_sync(until, lambda: server.service.sessions.count == 0, 5)


async def test_sessions_may_be_written_one_behind_the_other(server: Running) -> None:
    async with calling(server) as client:
        for number in (1, 2, 3):
            await client.play(pcm([number], after=0.0))
            await client.say("end_session")
        assert [text(await client.until("session_ended")) for _ in range(3)] == [said([1]), said([2]), said([3])]


async def test_leaving_between_sessions_is_clean(server: Running) -> None:
    async with calling(server) as client:
        await session(client)
    await anyio.to_thread.run_sync(until, lambda: server.service.sessions.count == 0, 5)


async def test_draining_ends_a_session_and_the_connection() -> None:
    with serving(fake()) as closing:
        async with calling(closing) as client:
            await client.play(pcm([1, 2], after=0.0))
            await client.until("transcription_partial")
            await anyio.to_thread.run_sync(closing.drain)
            assert text(await client.until("session_ended")) == said([1, 2])
        late = await talk(closing.ws + PATH, [])
        assert (late.code, late.reason) == (1013, "Service temporarily unavailable")


async def test_only_so_many_at_once() -> None:
    with serving(fake(server={"max_connections": 1})) as small:
        async with calling(small):
            refused = await talk(small.ws + PATH, [])
        assert (refused.code, refused.reason) == (1008, "Maximum connections exceeded")
        [error] = refused.frames
        assert error["error"]["retry_after"] > 0


# ---------------------------------------------------------------------------------------------------------- barge-in


async def test_after_an_interruption_nothing_older_is_said_and_its_decodes_are_withdrawn() -> None:
    """Three utterances wait for a slow engine, a fourth is being spoken: the interruption forgets the three alone."""
    with serving(fake("fake?cost=0.5")) as slow:
        async with calling(slow) as client:
            config = {"final_chunk_duration": 60, "partial_chunk_duration": 60}
            await client.say("start_session", session_config=config)
            for word in (1, 2, 3):
                await client.play(pcm([word, word]))
            await client.play(pcm([4, 5], before=0.2, after=0.0))
            for began in range(4):
                frames = await client.until("voice_activity_detected")
                if not frames[-1]["data"]["is_speech"]:
                    frames = await client.until("voice_activity_detected")
                assert frames[-1]["data"]["is_speech"], began
            asked = time.monotonic()
            await client.say("user_interrupt", confidence=0.9, timestamp=0, session_id="x")
            before = await client.until("interrupt_acknowledged")
            assert time.monotonic() - asked < 0.4, "it does not wait for the decode that is running"
            assert before[-1]["data"]["buffer_cleared"] is True
            assert not of(before, "transcription_final")
            await client.play(pcm([6], before=0.0))
            await client.say("end_session")
            after = await client.until("session_ended")
            finals = of(after, "transcription_final")
            assert {data["utterance_id"] for data in finals} == {"utt_4_1"}
            assert text(after) == said([4, 5, 6]), "the words that were being spoken are kept, from the first"
            [[pool]] = slow.service.recognizer.snapshot().values()
            assert pool["requests"] <= 2, "the one that was running, and the fourth utterance"
            assert pool["shed"] >= 2


async def test_an_interruption_with_nothing_to_interrupt(server: Running) -> None:
    async with calling(server) as client:
        await client.say("user_interrupt")
        ack = await client.hear()
        assert ack["type"] == "interrupt_acknowledged"
        assert ack["data"]["buffer_cleared"] is False
        assert text(await session(client)) == said(WORDS)


async def test_voice_activity_is_told_as_it_is(server: Running) -> None:
    frames = await once(server)
    began, ended = of(frames, "voice_activity_detected")
    assert (began["is_speech"], ended["is_speech"]) == (True, False)
    assert 0.5 < began["confidence"] <= 1
    assert ended["confidence"] < 0.5
    assert began["energy_level"] == pytest.approx(0.21, abs=0.1)
    assert ended["energy_level"] < 0.01
    assert 100 <= began["duration_ms"] < 300
    assert ended["duration_ms"] == pytest.approx(2300, abs=150)
    assert not of(await once(server, barge_in_enabled=False), "voice_activity_detected")


async def test_a_context_changes_how_long_a_pause_may_be(server: Running) -> None:
    """The silence in the final is the one that ended the utterance: shorter for commands, longer for questions."""
    pauses = {}
    for kind in ("command", "casual", "question"):
        async with calling(server) as client:
            await client.say("start_session", session_config={"final_chunk_duration": 60, "enable_timestamps": True})
            await client.say("context_update", data={"expected_response_type": kind})
            await client.play(pcm([1], after=3.0))
            final = (await client.until("transcription_final"))[-1]["data"]
        [word] = final["timestamps"]
        end = 500 - 300 + final["audio_duration_ms"]  # the padding before the word is in the duration
        pauses[kind] = end - word["end_ms"]
    assert pauses["command"] == pytest.approx(240, abs=70)
    assert pauses["casual"] == pytest.approx(400, abs=70)
    assert pauses["question"] == pytest.approx(640, abs=70)


@pytest.mark.parametrize(("state", "interrupts"), [("listening", True), ("responding", False)])
async def test_a_context_changes_what_counts_as_speech(server: Running, state: str, interrupts: bool) -> None:
    """A burst of 0.2 s, a cough, interrupts nobody who is being answered."""
    async with calling(server) as client:
        await client.say("context_update", data={"conversation_state": state})
        await client.play(pcm([1]))
        await client.say("end_session")
        frames = await client.until("session_ended")
    assert bool(of(frames, "voice_activity_detected")) is interrupts
