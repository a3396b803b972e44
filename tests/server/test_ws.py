"""`/ws` over a real socket: what a client hears, and what happens to one that misbehaves or leaves."""

from __future__ import annotations

import itertools
import json
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from stenod.settings import Settings
from support.serving import Running, fake, pcm, said, serving, talk, until

pytestmark = pytest.mark.anyio
END = '{"type":"end"}'


async def test_words_grow_and_what_was_stable_stays(server: Running) -> None:
    first, second = [1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11]
    heard = await talk(f"{server.ws}/ws", [pcm(first) + pcm(second), END], pause=0.03)
    assert heard.code == 1000
    assert [frame["text"] for frame in heard.of("final")] == [
        said(first),
        said(second),
        "",
    ]  # the end has a final of its own
    assert len(heard.of("partial")) >= 2
    stable: dict[int, str] = {}
    for frame in heard.of("partial") + heard.of("final"):
        assert frame["text"].startswith(frame["stable_text"])
        assert frame["stable_text"].startswith(stable.get(frame["utterance"], ""))
        stable[frame["utterance"]] = frame["stable_text"]
        assert frame["is_final"] == (frame["type"] == "final")
        assert frame["text"].split() == [word["word"] for word in frame["words"]]
        assert all(frame["start"] <= word["start"] <= word["end"] <= frame["end"] for word in frame["words"])


async def test_finals_tile_the_stream_and_every_sample_is_accounted_for(server: Running) -> None:
    audio = pcm([1, 2, 3]) + pcm([4, 5])
    heard = await talk(f"{server.ws}/ws", [audio, END])
    finals = heard.of("final")
    assert finals[0]["start"] == 0.0
    assert all(one["end"] == two["start"] for one, two in itertools.pairwise(finals))
    [ended] = heard.of("ended")
    samples = len(audio) // 2
    assert ended == {
        "type": "ended",
        "seconds": round(samples / 16_000, 3),
        "account": {"received": samples, "final": samples, "dropped": {}},
    }
    assert heard.frames[-1] is ended


@pytest.mark.parametrize("chunk", [64, 999, 1_000_000])
async def test_the_slicing_of_the_audio_changes_nothing(server: Running, chunk: int) -> None:
    audio = (pcm([1, 2, 3]) + pcm([4, 5]))[: 70_000 if chunk == 64 else None]
    whole = await talk(f"{server.ws}/ws", [audio, END])
    sliced = await talk(f"{server.ws}/ws", [audio, END], chunk=chunk)
    assert sliced.of("final") == whole.of("final")


@pytest.mark.parametrize(
    ("query", "rate"), [("sample_rate=8000", 8_000), ("sample_rate=48000", 48_000), ("whatever=1", 16_000)]
)
async def test_other_rates(server: Running, query: str, rate: int) -> None:
    heard = await talk(f"{server.ws}/ws?{query}", [pcm([21, 22], rate=rate), END])
    assert heard.text == said([21, 22])


async def test_each_channel_speaks_for_itself(server: Running) -> None:
    left, right = pcm([1, 2]), pcm([3, 4])
    both = b"".join(left[at : at + 2] + right[at : at + 2] for at in range(0, len(left), 2))
    heard = await talk(f"{server.ws}/ws?channels=2&split=true", [both, END])
    texts = {frame["channel"]: frame["text"] for frame in heard.of("final") if frame["text"]}
    assert texts == {0: said([1, 2]), 1: said([3, 4])}
    assert sorted(frame["channel"] for frame in heard.of("ended")) == [0, 1]


async def test_commit_reset_and_ping_are_answered(server: Running) -> None:
    async with connect(f"{server.ws}/ws?partials=false") as socket:
        await socket.send('{"type":"ping","text":"there?"}')
        assert json.loads(await socket.recv()) == {"type": "pong", "text": "there?"}
        await socket.send(pcm([5, 6], after=0.1))
        await socket.send('{"type":"commit"}')
        final = json.loads(await socket.recv())
        assert (final["type"], final["text"], final["cause"]) == ("final", said([5, 6]), "client")
        await socket.send(pcm([7, 8], before=0.0, after=0.1))
        await socket.send('{"type":"reset"}')
        assert json.loads(await socket.recv()) == {"type": "reset"}
        await socket.send(pcm([9]))
        assert json.loads(await socket.recv())["text"] == said([9])


async def test_nonsense_is_named_and_the_session_goes_on(server: Running) -> None:
    heard = await talk(f"{server.ws}/ws", ["{", "[]", '{"type":"sing"}', "x" * 100_000, pcm([1, 2]), END])
    codes = [frame["code"] for frame in heard.of("error")]
    assert codes == ["invalid_json", "invalid_message", "unknown_type", "message_too_large"]
    assert heard.text == said([1, 2])


@pytest.mark.parametrize(
    ("query", "code", "names"),
    [
        ("sample_rate=many", "invalid_value", "sample_rate"),
        ("sample_rate=1", "invalid_value", "sample_rate"),
        ("encoding=mp3", "invalid_value", "encoding"),
        ("channels=1.5", "invalid_value", "channels"),
        ("min_silence=0", "invalid_value", "min_silence"),
        ("partials=perhaps", "invalid_value", "partials"),
        ("model=nobody", "model_not_found", "nobody"),
    ],
)
async def test_an_impossible_wish_ends_it_at_once(server: Running, query: str, code: str, names: str) -> None:
    heard = await talk(f"{server.ws}/ws?{query}", [])
    [error] = heard.frames
    assert (error["type"], error["code"]) == ("error", code)
    assert names in error["message"]
    assert heard.code == 1008


async def test_a_client_may_write_everything_before_it_reads(server: Running) -> None:
    words = list(range(1, 60))
    audio = b"".join(pcm([word], before=0.2, after=0.6) for word in words)
    async with connect(f"{server.ws}/ws?partial_interval=0.1", max_queue=1) as socket:
        for at in range(0, len(audio), 1_600):
            await socket.send(audio[at : at + 1_600])
        await socket.send(END)
        frames = [json.loads(message) async for message in socket]
    assert " ".join(frame["text"] for frame in frames if frame["type"] == "final" and frame["text"]) == said(words)


async def test_many_at_once_hear_only_their_own(server: Running) -> None:
    async def one(index: int) -> None:
        words = [100 * index + at for at in range(6)]
        heard = await talk(f"{server.ws}/ws", [pcm(words), END])
        assert heard.text == said(words)

    async with anyio.create_task_group() as tasks:
        for index in range(1, 13):
            tasks.start_soon(one, index)


@pytest.mark.parametrize("how", ["clean", "abrupt"])
async def test_whoever_leaves_takes_the_session_along(server: Running, how: str) -> None:
    async with connect(f"{server.ws}/ws") as socket:
        await socket.send(pcm([1, 2, 3]))
        await anyio.to_thread.run_sync(until, lambda: server.service.sessions.count == 1, 5)
        if how == "abrupt":
            socket.transport.abort()
        else:
            await socket.close()
    await anyio.to_thread.run_sync(until, lambda: server.service.sessions.count == 0, 5)


async def test_a_message_may_not_be_larger_than_16_mib(server: Running) -> None:
    heard = await talk(f"{server.ws}/ws", [b"\0" * (16 * 2**20 + 2)], chunk=2**25)
    assert heard.code == 1009


messages = st.one_of(
    st.binary(max_size=600),
    st.text(max_size=60),
    st.sampled_from(["commit", "reset", "ping", "nonsense"]).map(lambda kind: json.dumps({"type": kind})),
    st.just(pcm([77], before=0.1, after=0.1)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(messages, max_size=12))
async def test_fuzz(server: Running, frames: list[Any]) -> None:
    heard = await talk(f"{server.ws}/ws", [*frames, END])
    assert heard.code == 1000
    [ended] = heard.of("ended")
    account = ended["account"]
    samples = sum(len(frame) for frame in frames if isinstance(frame, bytes)) // 2
    assert account["received"] == samples == account["final"] + sum(account["dropped"].values())
    assert len(heard.of("pong")) == sum(frame == '{"type": "ping"}' for frame in frames)
    assert len(heard.of("reset")) == sum(frame == '{"type": "reset"}' for frame in frames)


async def test_only_so_many_at_once() -> None:
    with serving(fake(server={"max_connections": 2})) as small:
        async with connect(f"{small.ws}/ws"), connect(f"{small.ws}/ws"):
            await anyio.to_thread.run_sync(until, lambda: small.service.sessions.count == 2, 5)
            refused = await talk(f"{small.ws}/ws", [])
            [error] = refused.frames
            assert (error["code"], refused.code) == ("overloaded", 1013)
            async with httpx.AsyncClient(base_url=small.http) as client:
                upload = await client.post("/v1/audio/transcriptions", files={"file": b""})
            assert upload.status_code == 503
            assert int(upload.headers["retry-after"]) >= 1
        await anyio.to_thread.run_sync(until, lambda: small.service.sessions.count == 0, 5)
        assert (await talk(f"{small.ws}/ws", [pcm([1]), END])).text == said([1])


async def test_draining_gives_open_utterances_their_finals() -> None:
    with serving(fake(server={"grace": 5.0})) as closing:
        async with connect(f"{closing.ws}/ws?partials=false") as socket:
            await socket.send(pcm([1, 2, 3], after=0.0))
            await socket.send('{"type":"ping"}')
            assert json.loads(await socket.recv()) == {"type": "pong"}
            await anyio.to_thread.run_sync(closing.drain)
            frames = [json.loads(message) async for message in socket]
            assert [frame["type"] for frame in frames] == ["final", "ended"]
            assert frames[0]["text"] == said([1, 2, 3])
            assert socket.close_code == 1000
        async with httpx.AsyncClient(base_url=closing.http) as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["missing"]) == (503, ["the server is shutting down"])
        late = await talk(f"{closing.ws}/ws", [])
        assert (late.frames[0]["code"], late.code) == ("shutting_down", 1012)


async def test_a_connection_that_breaks_raises_nowhere_else(server: Running) -> None:
    sockets = [await connect(f"{server.ws}/ws") for _ in range(5)]
    for socket in sockets:
        await socket.send(pcm([1, 2]))
        socket.transport.abort()
    with pytest.raises(ConnectionClosed):
        await sockets[0].recv()
    assert (await talk(f"{server.ws}/ws", [pcm([4]), END])).text == said([4])


async def test_a_second_model_revises_each_utterance() -> None:
    settings = Settings.model_validate(
        {"model": {"name": "fake-streaming", "others": ["fake"]}, "endpointing": {"vad": "energy", "min_silence": 0.4}}
    )
    with serving(settings) as running:
        heard = await talk(f"{running.ws}/ws?revise=fake", [pcm([1, 2, 3]), pcm([4, 5]), END])
        refused = await talk(f"{running.ws}/ws?revise=nobody", [pcm([1])])
    assert [(frame["utterance"], frame["text"]) for frame in heard.of("revised")] == [
        (1, said([1, 2, 3])),
        (2, said([4, 5])),
    ]
    assert [word["word"] for word in heard.of("revised")[0]["words"]] == ["w1", "w2", "w3"]
    kinds = [frame["type"] for frame in heard.frames if frame["type"] != "partial"]
    assert kinds.index("final") < kinds.index("revised")
    assert kinds[-1] == "ended"
    assert refused.of("error")[0]["code"] == "model_not_found"


@pytest.mark.parametrize(
    "query", ["encoding=opus&channels=3", "channels=8&split=true&encoding=container&sample_rate=1"]
)
async def test_a_format_that_cannot_be_is_refused_at_once(server: Running, query: str) -> None:
    heard = await talk(f"{server.ws}/ws?{query}", [])
    assert [frame["type"] for frame in heard.frames] == ["error"]
    assert heard.code == 1008
