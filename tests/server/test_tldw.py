"""The unified endpoint over a real socket: each field of a config changes what comes out, and every ending is told."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import anyio
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stenod.engines.tones import speak
from stenod.protocols.base import Patience
from stenod.protocols.tldw import Tldw
from support import compressed
from support.serving import Running, Talk, fake, said, serving, talk

pytestmark = pytest.mark.anyio
DOOR = "/api/v1/audio/stream/transcribe"
COMMIT, STOP, RESET = '{"type":"commit"}', '{"type":"stop"}', '{"type":"reset"}'
WORDS = list(range(1, 13))
"""Each takes 0.3 s."""


def config(**fields: Any) -> str:
    return json.dumps({"type": "config"} | fields)


def sound(  # noqa: PLR0913 - each by name
    words: list[int],
    *,
    rate: int = 16_000,
    before: float = 0.0,
    after: float = 0.0,
    chunk: float = 0.25,
    kind: str = "<f4",
) -> list[str]:
    """Tones as audio frames, each of `chunk` seconds."""
    quiet = [np.zeros(round(seconds * rate), np.float32) for seconds in (before, after)]
    samples = np.concatenate([quiet[0], speak(words, rate=rate), quiet[1]])
    data = (samples * (32767 if kind == "<i2" else 1)).astype(kind)
    step = round(chunk * rate)
    parts = [data[at : at + step].tobytes() for at in range(0, len(data), step)]
    return [json.dumps({"type": "audio", "data": base64.b64encode(part).decode()}) for part in parts]


async def stream(server: Running, *messages: str, query: str = "") -> Talk:
    return await talk(f"{server.ws}{DOOR}{query}", messages)


async def bounded(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    """Every message until the connection is closed, however it is."""
    with suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


def even(frames: list[dict[str, Any]]) -> bool:
    """Whether finals tile the audio and their sums come out even."""
    ends = [0.0, *(frame["segment_end"] for frame in frames)]
    return all(
        frame["segment_id"] == number
        and frame["segment_start"] == before
        and frame["cumulative_audio"] == frame["chunk_end"] == frame["segment_end"]
        and frame["new_audio_duration"] == pytest.approx(frame["segment_end"] - before)
        and frame["chunk_duration"] == pytest.approx(frame["new_audio_duration"] + frame["overlap"])
        and frame["chunk_start"] == pytest.approx(frame["segment_start"] - frame["overlap"])
        for number, (frame, before) in enumerate(zip(frames, ends, strict=False), start=1)
    )


async def test_a_commit_flushes_the_tail_and_gives_everything(server: Running) -> None:
    heard = await stream(server, config(sample_rate=16_000), *sound(WORDS), COMMIT, STOP)
    kinds = [frame["type"] for frame in heard.frames if frame["type"] != "partial"]
    assert kinds == ["status", "final", "final", "full_transcript", "full_transcript", "done"]
    assert heard.frames[0] == {"type": "status", "state": "ready", "model": "fake-streaming"}
    assert heard.text == said(WORDS)
    assert [frame["text"] for frame in heard.of("full_transcript")] == [said(WORDS)] * 2
    assert even(heard.of("final"))
    assert heard.of("final")[-1]["cumulative_audio"] == pytest.approx(3.6)
    assert (heard.code, heard.of("partial")[0]["is_final"]) == (1000, False)


async def test_nothing_needs_to_be_configured(server: Running) -> None:
    heard = await stream(server, *sound(WORDS[:3]), STOP)
    assert [frame["type"] for frame in heard.frames if frame["type"] != "partial"] == [
        "status", "final", "full_transcript", "done",
    ]  # fmt: skip
    assert heard.text == said(WORDS[:3])


@pytest.mark.parametrize("chunk", [0.001, 0.0371, 5.0])
async def test_the_slicing_of_the_audio_changes_nothing(server: Running, chunk: float) -> None:
    heard = await stream(server, config(chunk_duration=1.0), *sound(WORDS[:6], chunk=chunk), COMMIT, STOP)
    assert heard.text == said(WORDS[:6])
    assert [frame["segment_end"] for frame in heard.of("final")] == [1.0, 1.8]


async def test_samples_may_be_cut_anywhere(server: Running) -> None:
    data = speak(WORDS[:3]).astype("<f4").tobytes()
    frames = [json.dumps({"type": "audio", "data": base64.b64encode(data[at : at + 999]).decode().rstrip("=")})
              for at in range(0, len(data), 999)]  # fmt: skip
    assert (await stream(server, *frames, STOP)).text == said(WORDS[:3])


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
async def test_chunk_duration_is_when_a_final_is_due(server: Running, seconds: float) -> None:
    heard = await stream(server, config(chunk_duration=seconds), *sound(WORDS), STOP)
    ends = [frame["segment_end"] for frame in heard.of("final")]
    beats = [round(seconds * number, 3) for number in range(1, int(3.6 / seconds) + 1)]
    assert ends[: len(beats)] == beats
    assert heard.text == said(WORDS)
    assert even(heard.of("final"))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
async def test_overlap_duration_is_reported_and_no_word_is_repeated(server: Running, overlap: float) -> None:
    heard = await stream(server, config(chunk_duration=1.0, overlap_duration=overlap), *sound(WORDS), COMMIT, STOP)
    assert [frame["overlap"] for frame in heard.of("final")] == [0.0, overlap, overlap, overlap]
    assert even(heard.of("final"))
    assert heard.of("full_transcript")[0]["text"] == said(WORDS)


async def test_partials_come_at_their_interval_or_not_at_all(server: Running) -> None:
    async def partials(**fields: Any) -> list[dict[str, Any]]:
        """Those of a stream that waits for each to come."""
        found = []
        async with connect(f"{server.ws}{DOOR}") as socket:
            await socket.send(config(chunk_duration=10, **fields))
            assert json.loads(await socket.recv())["state"] == "ready"
            for frame in sound(WORDS, chunk=0.1):
                await socket.send(frame)
                await socket.send('{"type":"ping"}')
                while (told := json.loads(await socket.recv()))["type"] != "pong":
                    found.append(told)
        return [frame for frame in found if frame["type"] == "partial"]

    often, seldom = await partials(partial_interval=0.2), await partials(partial_interval=1.0)
    assert len(often) > 2 * len(seldom) > 0
    assert await partials(enable_partial=False) == []
    late = await partials(partial_interval=0.2, min_partial_duration=2.0)
    assert min(frame["buffer_duration"] for frame in late) >= 2.0 > min(frame["buffer_duration"] for frame in often)
    assert all(frame["segment_end"] == frame["segment_start"] + frame["buffer_duration"] for frame in often)


async def test_longest_buffer(server: Running) -> None:
    heard = await stream(server, config(chunk_duration=30, max_buffer_duration=1.5), *sound(WORDS), STOP)
    assert len(heard.of("final")) >= 2
    assert heard.text == said(WORDS)


@pytest.mark.parametrize("rate", [8_000, 44_100])
async def test_sample_rate(server: Running, rate: int) -> None:
    heard = await stream(server, config(sample_rate=rate), *sound(WORDS[:4], rate=rate), STOP)
    assert heard.text == said(WORDS[:4])


async def test_silence_commits_where_it_is_asked_to(server: Running) -> None:
    audio = [*sound(WORDS[:3], before=0.3, after=1.5), *sound(WORDS[3:5], after=1.5)]
    heard = await stream(server, config(enable_vad=True), *audio, STOP)
    whole = heard.of("full_transcript")
    assert [frame["auto_commit"] for frame in whole] == [True, True, False]
    assert [frame["text"] for frame in whole] == [said(WORDS[:3]), said(WORDS[:5]), said(WORDS[:5])]
    assert {frame["vad_status"] for frame in whole} == {"enabled"}
    assert whole[0]["voice_to_voice_start"] <= whole[0]["timestamp"]
    assert even(heard.of("final"))
    manual = await stream(server, config(), *audio, STOP)
    assert [frame["vad_status"] for frame in manual.of("full_transcript")] == ["disabled"]


@pytest.mark.parametrize(
    ("fields", "turns"),
    [
        ({"min_silence_ms": 200, "turn_stop_secs": 0.1}, 2),
        ({"min_silence_ms": 1500}, 1),
        ({"min_silence_ms": 250, "turn_stop_secs": 0.75}, 1),
        ({"vad_threshold": 0.9, "min_silence_ms": 200}, 2),
        ({"min_utterance_secs": 3.0}, 0),
    ],
)
async def test_when_silence_commits(server: Running, fields: dict[str, Any], turns: int) -> None:
    audio = [*sound(WORDS[:3], before=0.3, after=0.6), *sound(WORDS[3:6], after=2.5)]
    heard = await stream(server, config(**fields), *audio, STOP)
    frames = [frame for frame in heard.of("full_transcript") if frame["auto_commit"]]
    assert len(frames) == turns
    if turns == 1:
        assert frames[0]["text"] == said(WORDS[:6])


async def test_a_reset_forgets_everything(server: Running) -> None:
    heard = await stream(server, config(), *sound(WORDS[:3]), COMMIT, *sound(WORDS[3:6]), RESET, *sound([7, 8]), STOP)
    assert {"type": "status", "state": "reset"} in heard.frames
    assert heard.of("full_transcript")[-1]["text"] == said([7, 8])
    last = heard.of("final")[-1]
    assert (last["segment_id"], last["segment_start"], last["segment_end"]) == (1, 0.0, pytest.approx(0.6))


async def test_a_pause_is_not_heard(server: Running) -> None:
    control = [json.dumps({"type": "control", "action": action}) for action in ("pause", "resume", "commit", "stop")]
    audio = [*sound([1, 2]), control[0], *sound([3] * 15), control[1], *sound([4]), control[2], control[3]]
    heard = await stream(server, config(protocol_version=2), *audio)
    states = [frame["state"] for frame in heard.of("status")]
    assert states == ["configured", "paused", "resumed", "closing"]
    assert all(frame["protocol_version"] == 2 for frame in heard.of("status"))
    assert {frame["warning_type"] for frame in heard.of("warning")} == {"audio_dropped_during_pause"}
    text = heard.of("full_transcript")[0]["text"].split()
    assert (text[:2], text[-1]) == (["w1", "w2"], "w4")
    assert text.count("w3") < 15
    assert heard.code == 1000


async def test_strict_protocol_v1(server: Running) -> None:
    first = config(protocol_version=1, mode="dictate", audio_format="pcm16", sample_rate=16_000, channels=1)
    heard = await stream(server, first, *sound(WORDS[:4], kind="<i2"), COMMIT, STOP)
    assert heard.text == said(WORDS[:4])
    assert heard.frames[0]["state"] == "configured"


@pytest.mark.parametrize("name", ["opus", "webm"])
async def test_compressed_audio(server: Running, name: str) -> None:
    samples = (speak(WORDS[:4], rate=compressed.RATE) * 32767).astype(np.int16).reshape(-1, 1)
    parts = compressed.opus(samples) if name == "opus" else [compressed.growing(name, "libopus", samples)]
    audio = [json.dumps({"type": "audio", "data": base64.b64encode(part).decode()}) for part in parts]
    heard = await stream(server, config(audio_format=name), *audio, STOP)
    assert heard.text == said(WORDS[:4])


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([config(protocol_version=3)], "protocol_version must be 1"),
        ([config(audio_format="pcm16")], "protocol_version must be 1"),
        ([config(protocol_version=1, mode="voice_chat")], "Mode voice_chat is not allowed for audio.stream.transcribe"),
        ([config(protocol_version=1, audio_format="float32")], "audio_format must be pcm16"),
        ([config(protocol_version=1, sample_rate=8000)], "sample_rate must be 16000"),
        ([config(protocol_version=1, channels=2)], "channels must be 1"),
        ([config(protocol_version=1), b"\0\0"], "Audio frame must be type=audio"),
        ([config(protocol_version=1), '{"type":"sing"}'], "Audio frame must be type=audio"),
        ([config(protocol_version=1), '{"type":"audio","data":7}'], "Audio frame data must be base64 PCM16"),
        ([config(protocol_version=1), '{"type":"audio","data":"?"}'], "Invalid base64 audio frame"),
        ([config(protocol_version=1), '{"type":"audio","data":"AAAA"}'], "PCM16 audio frame has an odd byte count"),
        ([config(protocol_version=1), "{"], "Invalid JSON message"),
    ],
)
async def test_strict_protocol_v1_ends_at_the_first_mistake(
    server: Running, messages: list[str | bytes], message: str
) -> None:
    heard = await talk(f"{server.ws}{DOOR}?request_id=mine", messages)
    error = heard.frames[-1]
    assert (error["type"], error["code"], error["message"]) == ("error", "bad_request", message)
    assert (error["request_id"], heard.code) == ("mine", 4400)


async def test_mistakes_are_named_and_the_stream_goes_on(server: Running) -> None:
    nonsense = [
        "{",
        "[]",
        '{"type":"sing"}',
        '{"type":"audio"}',
        '{"type":"audio","data":"?"}',
        config(chunk_duration=[]),
    ]
    strange = {"chunk_duration": 1000, "x" * 500: 1, "surprise": {"deep": []}, "beam_size": 3, "vad_filter": True}
    heard = await stream(server, *nonsense, config(**strange), *sound(WORDS[:3]), STOP)
    assert len(heard.of("error")) == 6
    assert all(frame["code"] == frame["error_type"] == "validation_error" for frame in heard.of("error"))
    assert heard.text == said(WORDS[:3])
    configured = heard.of("status")[1]
    assert configured["adjusted"] == {"chunk_duration": 30.0}
    assert "surprise" in configured["ignored"]
    assert "vad_filter" in configured["ignored"]
    assert "chunk_duration" not in configured["ignored"]


@pytest.mark.parametrize(
    "fields",
    [{"diarization": True}, {"diarization": {"enabled": True}}, {"diarize": True}, {"diarization_enabled": True}],
)
async def test_what_is_not_installed_is_said_once(server: Running, fields: dict[str, Any]) -> None:
    heard = await stream(server, config(insights={"enabled": True}, **fields), *sound(WORDS[:3]), COMMIT, STOP)
    states = [frame["state"] for frame in heard.of("status")]
    assert states == ["ready", "diarization_unavailable", "insights_unavailable"]
    assert heard.of("full_transcript")[0]["diarization_status"] == "unavailable"
    assert heard.of("warning") == []
    none = await stream(server, config(diarization={"enabled": False}, insights_enabled=False), STOP)
    assert [frame["state"] for frame in none.of("status")] == ["ready"]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"model": "parakeet"}, "parakeet"),
        ({"model": "parakeet-onnx"}, "parakeet-onnx"),
        ({"model": "parakeet", "model_variant": "mlx"}, "parakeet-mlx"),
        ({"variant": "onnx"}, "parakeet-onnx"),
        ({"model": "canary", "language": "de"}, "canary"),
        ({"model": "qwen3-asr"}, "qwen3-asr"),
        ({"model": "whisper", "whisper_model_size": "distil-large-v3"}, "whisper-distil-large-v3"),
    ],
)
async def test_another_model_takes_the_place_of_one_that_is_not_there(
    server: Running, fields: dict[str, Any], asked: str
) -> None:
    heard = await stream(server, config(**fields), *sound(WORDS[:3]), STOP)
    [warning] = heard.of("warning")
    assert (warning["fallback"], warning["original_model"], warning["active_model"]) == (True, asked, "fake-streaming")
    assert heard.of("final")[0]["model"] == "fake-streaming"
    same = await stream(server, config(model="fake-streaming"), *sound(WORDS[:3]), STOP)
    assert same.of("warning") == []


@pytest.mark.parametrize("fields", [{"language": "de"}, {"task": "translate"}, {"model": "canary", "language": "es"}])
async def test_what_the_model_cannot_do_is_an_error(fields: dict[str, Any]) -> None:
    with serving(fake("pocketsphinx")) as english:
        heard = await stream(english, config(**fields))
        allowed = await stream(english, config(language="de", auto_detect_language=True), STOP)
    [error] = heard.frames
    assert error["type"] == "error"
    assert error["code"] in {"unsupported_language", "unsupported_task"}
    assert heard.code == 1000
    assert allowed.frames[0]["state"] == "ready"


@pytest.fixture(scope="module")
def locked() -> Iterator[Running]:
    with serving(fake(server={"api_key": "a-k3y"})) as running:
        yield running


async def test_who_is_calling(locked: Running) -> None:
    auth = '{"type":"auth","token":"a-k3y"}'
    for query, messages in (("?token=a-k3y", []), ("", [auth])):
        heard = await stream(locked, *messages, config(), *sound(WORDS[:3]), STOP, query=query)
        assert (heard.text, heard.code) == (said(WORDS[:3]), 1000)
    refusals = [
        ("?token=wrong", [], "Invalid API key"),
        ("", ['{"type":"auth","token":"wrong"}'], "Invalid API key"),
        ("", ['{"type":"auth"}'], "Authentication required"),
        ("", [config()], "Authentication required"),
        ("", [sound([1])[0]], "Authentication required"),
    ]
    for query, messages, message in refusals:
        heard = await stream(locked, *messages, query=query)
        assert heard.frames == [{"type": "error", "message": message}]
        assert heard.code == 4401


async def test_impatience(locked: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Tldw.patience == Patience(identify=5.0, heartbeat=10.0)
    monkeypatch.setattr(Tldw, "patience", Patience(identify=0.3, heartbeat=0.1, idle=0.5))
    heard = await stream(locked)
    assert heard.of("error") == [
        {"type": "error", "message": "Authentication timeout. Send auth message within 5 seconds."}
    ]
    assert heard.code == 4401
    for messages in ([], [config(), *sound(WORDS[:3])]):
        idle = await stream(locked, *messages, query="?token=a-k3y")
        assert len(idle.of("ping")) >= 2
        [error] = idle.of("error")
        assert (error["code"], idle.code) == ("idle_timeout", 1001)
        assert [frame["text"] for frame in idle.of("full_transcript")] == ([said(WORDS[:3])] if messages else [])


async def test_a_failed_decode_is_told_and_the_commit_answered() -> None:
    with serving(fake("fake?raise_on=w66")) as fragile:
        heard = await stream(fragile, config(), *sound([1, 2]), COMMIT, *sound([66]), COMMIT, *sound([3]), COMMIT, STOP)
    [error] = heard.of("error")
    assert (error["code"], error["error_type"]) == ("provider_error", "provider_error")
    assert [frame["text"] for frame in heard.of("full_transcript")] == ["w1 w2", "w1 w2", "w1 w2 w3", "w1 w2 w3"]
    assert heard.code == 1000


async def test_a_shutdown_loses_nothing() -> None:
    with serving(fake()) as closing:
        async with connect(f"{closing.ws}{DOOR}") as socket:
            for message in (config(enable_partial=False), *sound(WORDS[:3]), '{"type":"ping"}'):
                await socket.send(message)
            while json.loads(await socket.recv())["type"] != "pong":
                pass
            await anyio.to_thread.run_sync(closing.drain)
            frames = [json.loads(message) async for message in bounded(socket)]
            assert [frame["type"] for frame in frames] == ["final", "full_transcript", "error"]
            assert (frames[0]["text"], frames[2]["code"]) == (said(WORDS[:3]), "service_unavailable")
            assert socket.close_code == 1013


async def test_many_at_once_hear_only_their_own(server: Running) -> None:
    async def one(index: int) -> None:
        words = [100 * index + at for at in range(6)]
        heard = await stream(server, config(), *sound(words), COMMIT, STOP)
        assert heard.of("full_transcript")[0]["text"] == said(words)

    async with anyio.create_task_group() as tasks:
        for index in range(1, 9):
            tasks.start_soon(one, index)


async def test_a_lost_connection_is_come_back_to(server: Running) -> None:
    audio = sound(WORDS, chunk=0.1)
    url, frames, greeting, cuts = (
        f"{server.ws}{DOOR}?resume=",
        list[dict[str, Any]](),
        {"token": "true"},
        [9, 21, len(audio)],
    )
    for cut in cuts:
        seen = f"&seq={frames[-1]['seq']}" if frames else ""
        async with connect(f"{url}{greeting['token']}{seen}") as socket:
            greeting = json.loads(await socket.recv())
            if not frames:
                await socket.send(config(chunk_duration=1.0))
            for message in audio[greeting["offset"] // 1_600 : cut]:
                await socket.send(message)
            await socket.send(STOP if cut == cuts[-1] else '{"type":"ping"}')
            async for message in bounded(socket):
                frames.append(json.loads(message))
                if frames[-1]["type"] == "pong":
                    socket.transport.abort()
                    break
    finals = [frame for frame in frames if frame["type"] == "final"]
    assert even(finals)
    assert " ".join(frame["text"] for frame in finals) == said(WORDS)
    assert [frame["text"] for frame in frames if frame["type"] == "full_transcript"] == [said(WORDS)]
    assert frames[-1]["type"] == "done"
