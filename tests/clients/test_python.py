"""The Python client against the real server, over good lines and bad ones."""

from __future__ import annotations

import random

import anyio
import numpy as np
import pytest

from stenod.audio.formats import Unpacker
from stenod.options import AudioFormat, Encoding
from support.line import bad_line
from support.serving import fake, pcm, said, serving

pytestmark = pytest.mark.anyio

WORDS = [*range(1, 25)]
AUDIO = b"".join(pcm(WORDS[at : at + 4], before=0.2, after=0.7) for at in range(0, len(WORDS), 4))


def text(frames) -> str:
    return " ".join(frame["text"] for frame in frames if frame["type"] == "final" and frame["text"])


def spans(frames) -> list[tuple[float, float, str]]:
    return [(frame["start"], frame["end"], frame["text"]) for frame in frames if frame["type"] == "final"]


async def streamed(client, audio: bytes = AUDIO, *, pace: float = 0.0) -> list[dict]:
    """Every frame, for audio sent in tenths of a second, `pace` times as fast as spoken (0: at once)."""
    frames = []

    async def send() -> None:
        for at in range(0, len(audio), 3_200):
            await client.send(audio[at : at + 3_200])
            await anyio.sleep(0.1 / pace if pace else 0)
        await client.end()

    with anyio.fail_after(60):
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            async for frame in client:
                frames.append(frame)  # noqa: PERF401 - kept when it breaks
    return frames


async def test_a_stream(stenod_client, server) -> None:
    client = stenod_client.AsyncClient(f"{server.ws}/ws")
    frames = await streamed(client)
    assert text(frames) == said(WORDS)
    assert {frame["type"] for frame in frames} == {"partial", "final", "ended"}
    assert frames[-1]["account"] == {"received": len(AUDIO) // 2, "final": len(AUDIO) // 2, "dropped": {}}
    assert client.connections == 1


async def test_options_go_into_the_query_and_controls_are_said_in_their_place(stenod_client, server) -> None:
    async with stenod_client.AsyncClient(f"{server.ws}/ws", partials=False, endpointing="manual") as client:
        await client.send(pcm([1, 2]))
        await client.commit()
        await client.send(pcm([3]))
        await client.reset()
        await client.send(pcm([4]))
        await client.end()
        frames = [frame async for frame in client]
    assert [frame["type"] for frame in frames] == ["final", "reset", "final", "ended"]
    assert [frame["text"] for frame in frames if frame["type"] == "final"] == ["w1 w2", "w4"]


async def test_a_line_that_is_cut_again_and_again_costs_nothing(stenod_client, server) -> None:
    whole = await streamed(stenod_client.AsyncClient(f"{server.ws}/ws"))
    async with bad_line(server.port) as line, anyio.create_task_group() as tasks:
        client = stenod_client.AsyncClient(f"{line.ws}/ws")

        async def cut() -> None:
            while True:
                await anyio.sleep(random.uniform(0.05, 0.4))
                line.cut()

        tasks.start_soon(cut)
        frames = await streamed(client, pace=5)
        tasks.cancel_scope.cancel()
    assert client.connections > 3
    assert spans(frames) == spans(whole)
    assert frames[-1]["account"] == whole[-1]["account"]
    assert (client.lost, [frame["utterance"] for frame in frames if frame["type"] == "final"]) == (
        0,
        [1, 2, 3, 4, 5, 6, 7],
    )


@pytest.mark.parametrize("gently", [True, False], ids=["drained", "gone"])
async def test_another_server_takes_over(stenod_client, gently: bool) -> None:
    settings = fake(server={"resume_secret": "shared"})
    with serving(settings) as first, serving(settings) as second:
        async with bad_line(first.port) as line, anyio.create_task_group() as tasks:
            client = stenod_client.AsyncClient(f"{line.ws}/ws")

            async def take_over() -> None:
                await anyio.sleep(1.5)
                line.target = second.port
                if gently:
                    await anyio.to_thread.run_sync(first.drain)
                line.cut()

            tasks.start_soon(take_over)
            frames = await streamed(client, pace=4)
    assert text(frames) == said(WORDS)
    assert client.connections == 2
    starts = [frame["start"] for frame in frames if frame["type"] == "final"]
    assert starts == sorted(starts)
    closed = [frame["utterance"] for frame in frames if frame["type"] == "final" and frame["text"]]
    assert closed == sorted(set(closed))


async def test_a_narrow_line_lowers_the_bitrate_and_loses_no_word(stenod_client, server, monkeypatch) -> None:
    monkeypatch.setattr(stenod_client, "CROWDED", 1.5)
    async with bad_line(server.port) as line:
        line.upward = 40_000
        client = stenod_client.AsyncClient(f"{line.ws}/ws", adaptive=True)
        assert client.bitrate == 256_000
        frames = await streamed(client, pace=4)
    assert client.bitrate == 64_000
    assert text(frames) == said(WORDS)
    assert line.carried < len(AUDIO)


async def test_a_server_that_stays_away_is_given_up(stenod_client, server) -> None:
    async with bad_line(server.port) as line, stenod_client.AsyncClient(f"{line.ws}/ws", patience=0.5) as client:
        line.target = 1
        line.cut()
        with pytest.raises(stenod_client.StenodClientError, match="no connection has lasted"):
            [frame async for frame in client]


@pytest.mark.parametrize(
    ("path", "query", "reason"),
    [
        ("/nowhere", {}, "the server refused: HTTP 403"),
        ("/ws", {"sample_rates": 1, "threshold": 7}, "threshold must be a number"),
    ],
)
async def test_a_refusal_is_not_tried_again(stenod_client, server, path, query, reason) -> None:
    client = stenod_client.AsyncClient(f"{server.ws}{path}", **query)
    with anyio.fail_after(5), pytest.raises(stenod_client.StenodClientError, match=reason):
        async with client:
            [frame async for frame in client]


def test_without_asyncio(stenod_client, server) -> None:
    with stenod_client.Client(f"{server.ws}/ws", partials=False) as client:
        client.send(pcm([1, 2]))
        client.commit()
        client.send(pcm([3]))
        client.end()
        frames = list(client)
    assert text(frames) == "w1 w2 w3"
    assert frames[-1]["type"] == "ended"
    with (
        pytest.raises(stenod_client.StenodClientError, match="cannot be reached"),
        stenod_client.Client("ws://[::1]:1"),
    ):
        pass


# ------------------------------------------------------------------------------------------------------------- formats


def heard(level, audio: bytes, chunk: int) -> np.ndarray:
    encode = level.encoder()
    wire = b"".join(encode(audio[at : at + chunk]) for at in range(0, len(audio), chunk))
    return Unpacker(AudioFormat(encoding=Encoding(level.encoding), rate=level.rate)).unpack(wire)[:, 0]


def test_every_16_bit_sample_survives_mu_law_as_well_as_g711_has_it(stenod_client) -> None:
    samples = np.arange(-(2**15), 2**15, dtype="<i2")
    level = stenod_client._levels(16_000)[1]
    error = np.abs(heard(level, samples.tobytes(), 2**17) * 2**15 - samples)
    assert np.all(error <= (np.abs(samples.astype(float)) + 132) / 32)  # half a step


@pytest.mark.parametrize("chunk", [4, 1_000, 3_200, 1_000_000])
def test_half_the_rate_keeps_what_is_below_and_drops_what_is_above(stenod_client, chunk) -> None:
    level = stenod_client._levels(16_000)[2]
    times = np.arange(8_000) / 16_000
    loudness = {}
    for frequency in (500, 2_000, 3_000, 5_500, 7_000):
        tone = (np.sin(2 * np.pi * frequency * times) * 16_000).astype("<i2").tobytes()
        loudness[frequency] = float(np.std(heard(level, tone, chunk)[100:]) * 2**15 / (16_000 / 2**0.5))
    assert loudness == {
        500: pytest.approx(1, abs=0.03),
        2_000: pytest.approx(1, abs=0.03),
        3_000: pytest.approx(1, abs=0.1),
        5_500: pytest.approx(0, abs=0.05),
        7_000: pytest.approx(0, abs=0.02),
    }


@pytest.mark.parametrize(
    ("rate", "bitrates"), [(16_000, [256, 128, 64]), (48_000, [768, 384, 192]), (8_000, [128, 64])]
)
def test_the_levels(stenod_client, rate, bitrates) -> None:
    assert [level.bitrate / 1_000 for level in stenod_client._levels(rate)] == bitrates
