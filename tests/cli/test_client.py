"""`stenod client` as a process, against the real server: what a person sees, and the exit codes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import anyio
import pytest
from websockets.asyncio.server import serve

from stenod.cli.dialect import Said, Wish
from stenod.cli.dialects import DIALECTS, Name
from stenod.cli.sources import tones
from stenod.cli.streaming import ClientFailed, stream
from support.serving import fake, serving

WORDS = ["w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10", "w11"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The address of a server that wants a key."""
    with serving(fake(server={"api_key": "secret"})) as running:
        yield running.http


def lines(text: str) -> tuple[list[str], list[str]]:
    """Partials and finals."""
    found = text.splitlines()
    return [line[2:] for line in found if line.startswith("~ ")], [line for line in found if not line.startswith("~ ")]


@pytest.mark.parametrize("protocol", list(Name))
def test_partials_and_finals_are_lines_where_there_is_no_terminal(stenod, server, protocol) -> None:
    told = stenod("client", server.http, "--protocol", protocol, "--pace", 8)
    partials, finals = lines(told.stdout)
    assert (told.returncode, told.stderr) == (0, "")
    assert " ".join(finals).split() == WORDS
    assert partials
    assert all(
        partial.split() == WORDS[WORDS.index(partial.split()[0]) :][: len(partial.split())] for partial in partials
    )


def test_a_file_at_any_pace(stenod, server, samples) -> None:
    told = stenod("client", server.http, "--audio", samples / "river.wav", "--pace", 0)
    assert (told.returncode, told.stderr) == (0, "")  # which words the tone reader takes it for is its own affair


def test_in_a_terminal_the_line_grows_in_place(server) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stenod", "client", server.http, "--pace", "4"]
    with subprocess.Popen(command, stdout=theirs, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # the other end is closed
        assert process.wait(20) == 0
    os.close(ours)
    assert b"~" not in shown
    assert b"\x1b[2K" in shown  # a line is cleared to be written anew
    assert b"w1 w2 w3 w4 w5 w6\r\n" in shown


@pytest.mark.parametrize("protocol", [Name.WS, Name.STT])
def test_many_streams_at_once(stenod, server, protocol) -> None:
    told = stenod("client", server.http, "--protocol", protocol, "--stress", 8, "--duration", 2.6, "--pace", 2)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("streams: 8, failed: 0, errors told: 0\ndistinct transcripts: 1\n")
    counts = {line[:18].strip(): line[18:].split()[0] for line in told.stdout.splitlines() if line[18:].strip()}
    assert int(counts["final"]) in {8, 16, 24}  # of each utterance one, or one a second
    assert counts["end"] == "8"


def test_latency_is_checked_against_the_targets(stenod, server) -> None:
    told = stenod("client", server.http, "--check-latency", "--duration", 1.2)
    verdicts = [line.split(": ")[0] for line in told.stdout.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert (told.returncode, verdicts) == (0, ["PASS", "PASS"])
    silent = stenod("client", f"{server.http}/ws?partials=false", "--check-latency", "--duration", 1.2)
    assert silent.returncode == 1
    assert "FAIL: no partial could be measured\n" in silent.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["{url}/nowhere"], 1, "is no WebSocket that we may open: the server answered 403"),
        (["127.0.0.1:1"], 1, "ws://127.0.0.1:1/ws cannot be reached: Connection refused"),
        (["{url}", "--audio", "nothing.wav"], 1, "the file cannot be opened"),
        (["{url}", "--protocol", "stt", "--model", "base"], 1, "cannot ask for a model"),
        (["{url}", "--model", "nothing", "--duration", 1], 1, "nothing"),
        (["{url}", "--audio", "a.wav", "--duration", 1], 2, "a file needs neither"),
        (["{url}", "--microphone", "--stress", 2], 2, "one microphone is one stream"),
        (["{url}", "--protocol", "morse"], 2, "morse"),
    ],
)
def test_what_goes_wrong_is_said_in_a_line(stenod, server, arguments, code, error) -> None:
    told = stenod("client", *[str(each).format(url=server.http) for each in arguments])
    assert told.returncode == code
    assert error in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("protocol", [each for each in Name if each is not Name.CORE])  # that door is open or not there
def test_the_key_opens_the_door(stenod, guarded, protocol) -> None:
    asked = ["client", guarded, "--protocol", protocol, "--duration", 0.5, "--pace", 0]
    assert stenod(*asked, "--token", "secret").returncode == 0
    refused = stenod(*asked, "--token", "guess")
    assert refused.returncode == 1
    assert "Invalid API key" in refused.stderr


def test_the_key_may_be_in_the_environment(stenod, guarded) -> None:
    assert stenod("client", guarded, "--check-endpoints", STENOD_SERVER_API_KEY="secret").returncode == 0
    assert stenod("client", guarded, "--check-endpoints").returncode == 1


def test_failed_streams_are_counted(stenod, server) -> None:
    told = stenod("client", f"{server.http}/nowhere", "--stress", 3)
    assert told.returncode == 1
    assert told.stdout.startswith("streams: 3, failed: 3, errors told: 0\n  3 x ws://127.0.0.1")


@pytest.mark.anyio
async def test_a_server_that_goes_in_the_middle_is_a_failure() -> None:
    async def leave(socket) -> None:
        await socket.recv()
        await socket.close(1011, "tired")

    heard: list[Said] = []
    async with serve(leave, "127.0.0.1", 0, max_queue=None) as server:
        url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.RaisesGroup(pytest.RaisesExc(ClientFailed, match="before it was done: tired")):
            await stream(url, DIALECTS[Name.WS](Wish()), tones(1), pace=0, tell=heard.append)
    assert heard == []


@pytest.mark.anyio
async def test_a_server_that_never_ends_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr("stenod.cli.streaming.PATIENCE", 1.0)

    async def listen(socket) -> None:
        async for _ in socket:
            pass

    async with serve(listen, "127.0.0.1", 0) as server:
        url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with anyio.fail_after(10), pytest.RaisesGroup(pytest.RaisesExc(ClientFailed, match="did not end")):
            await stream(url, DIALECTS[Name.NEXA](Wish()), tones(1), pace=0, tell=lambda _: None)
