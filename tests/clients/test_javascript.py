"""The JavaScript client in Node, against the real server: over good lines and bad ones."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
import pytest

from conftest import missing
from support.line import bad_line
from support.serving import fake, pcm, said, serving, wav

pytestmark = pytest.mark.anyio

WORDS = [*range(1, 25)]
AUDIO = b"".join(pcm(WORDS[at : at + 4], before=0.2, after=0.7) for at in range(0, len(WORDS), 4))

Stream = Callable[..., Awaitable[dict]]


@pytest.fixture(scope="session")
def node(clients) -> list[str]:
    """Node, with a WebSocket of its own, or with that of the package ws."""
    path = shutil.which("node")
    if path is None:
        missing("Node (Debian package nodejs)")
    assert path is not None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, re.findall(r"\d+", version)[:2])
    if (clients / "javascript" / "node_modules" / "ws").is_dir() or major >= 22:
        return [path]
    if (major, minor) < (20, 10):
        missing(f"a WebSocket for Node {version.strip()} (make node)")
    return [path, "--experimental-websocket", "--no-warnings"]


@pytest.fixture
def streamed(node, clients, tmp_path) -> Stream:
    """Streams with the client in a process of its own; answers what it heard."""

    async def stream(url: str, audio: bytes = AUDIO, **options) -> dict:
        (tmp_path / "audio.raw").write_bytes(audio)
        script = Path(__file__).with_name("streaming.mjs")
        arguments = [clients / "javascript" / "stenod.mjs", tmp_path / "audio.raw", json.dumps({"url": url, **options})]
        with anyio.fail_after(60):
            done = await anyio.run_process([*node, script, *arguments], check=False)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return stream


def text(told) -> str:
    return " ".join(frame["text"] for frame in told["frames"] if frame["type"] == "final" and frame["text"])


def spans(told) -> list[tuple[float, float, str]]:
    return [(frame["start"], frame["end"], frame["text"]) for frame in told["frames"] if frame["type"] == "final"]


async def test_a_stream(streamed: Stream, server) -> None:
    told = await streamed(f"{server.ws}/ws")
    assert (text(told), told["failure"], told["connections"]) == (said(WORDS), None, 1)
    samples = len(AUDIO) // 2
    assert told["frames"][-1]["account"] == {"received": samples, "final": samples, "dropped": {}}
    quiet = await streamed(f"{server.ws}/ws", query={"partials": False})
    assert {frame["type"] for frame in quiet["frames"]} == {"final", "ended"}


async def test_a_line_that_is_cut_again_and_again_costs_nothing(streamed: Stream, server) -> None:
    whole = await streamed(f"{server.ws}/ws")
    async with bad_line(server.port) as line, anyio.create_task_group() as tasks:

        async def cut() -> None:
            while True:
                await anyio.sleep(random.uniform(0.1, 0.4))
                line.cut()

        tasks.start_soon(cut)
        told = await streamed(f"{line.ws}/ws", pace=5)
        tasks.cancel_scope.cancel()
    assert told["connections"] > 2
    assert spans(told) == spans(whole)
    assert told["frames"][-1]["account"] == whole["frames"][-1]["account"]
    assert told["lost"] == 0


async def test_another_server_takes_over(streamed: Stream) -> None:
    settings = fake(server={"resume_secret": "shared"})
    with serving(settings) as first, serving(settings) as second:
        async with bad_line(first.port) as line, anyio.create_task_group() as tasks:

            async def take_over() -> None:
                await line.has_carried(len(AUDIO) // 2)
                line.target = second.port
                await anyio.to_thread.run_sync(first.drain)

            tasks.start_soon(take_over)
            told = await streamed(f"{line.ws}/ws", pace=4)
    assert (text(told), told["connections"]) == (said(WORDS), 2)


async def test_a_narrow_line_lowers_the_bitrate_and_loses_no_word(streamed: Stream, server) -> None:
    async with bad_line(server.port) as line:
        line.upward = 40_000
        told = await streamed(f"{line.ws}/ws", pace=4, adaptive=True, crowded=1.5)
    assert told["bitrate"] == 64_000
    assert text(told) == said(WORDS)
    assert line.carried < len(AUDIO)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere", "the server cannot be reached: close code 1006"),
        ("/ws?threshold=7", "the server refused: threshold must be a number from 0.05 to 0.95, not '7'"),
    ],
)
async def test_a_refusal_is_not_tried_again(streamed: Stream, server, path, reason) -> None:
    assert (await streamed(f"{server.ws}{path}"))["failure"] == reason


async def test_a_server_that_stays_away_is_given_up(streamed: Stream, server) -> None:
    async with bad_line(server.port) as line, anyio.create_task_group() as tasks:

        async def go() -> None:
            await line.has_carried(20_000)
            line.target = 1
            line.cut()

        tasks.start_soon(go)
        told = await streamed(f"{line.ws}/ws", pace=5, patience=0.5)
    assert told["failure"] == "no connection has lasted for 0.5 s"


async def test_the_example(node, clients, server, tmp_path) -> None:
    (tmp_path / "speech.wav").write_bytes(wav(AUDIO))
    script = clients / "javascript" / "example.mjs"
    run = partial(anyio.run_process, check=False)
    done = await run([*node, script, "--url", f"{server.ws}/ws", "--pace", "5", tmp_path / "speech.wav"])
    assert (done.returncode, done.stdout.decode().split()) == (0, said(WORDS).split()), done.stderr
    assert done.stderr.decode().startswith("~ w1\n")


async def test_its_formats_are_the_python_clients(node, clients, stenod_client) -> None:
    module = (clients / "javascript" / "stenod.mjs").as_uri()
    script = f"""
        import {{ levels }} from "{module}";
        const samples = Int16Array.from({{ length: 65536 }}, (_, index) => index - 32768);
        for (const level of levels(16000)) {{
          const encode = level.encoder();
          const parts = [samples.subarray(0, 1000), samples.subarray(1000)].map(encode);
          const whole = Buffer.concat(parts.map((part) => Buffer.from(part)));
          console.log(level.encoding, level.rate, level.bitrate, whole.toString("hex"));
        }}"""
    done = await anyio.run_process([*node, "--input-type=module", "-e", script])
    samples = b"".join(number.to_bytes(2, "little", signed=True) for number in range(-(2**15), 2**15))
    for line, level in zip(done.stdout.decode().splitlines(), stenod_client._levels(16_000), strict=True):
        encode = level.encoder()
        whole = encode(samples[:2_000]) + encode(samples[2_000:])
        encoding, rate, bitrate, written = line.split()
        assert (encoding, int(rate), int(bitrate)) == (level.encoding, level.rate, level.bitrate)
        assert len(written) == 2 * len(whole)
        differing = sum(one != other for one, other in zip(bytes.fromhex(written), whole, strict=True))
        assert differing <= len(whole) // 1_000  # halves are rounded to even in Python, upwards in JavaScript
