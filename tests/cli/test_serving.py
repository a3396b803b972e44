"""`stenod serve` as a process: it says where it is, answers there, and loses nothing when it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stenod.engines.tones import speak

FAKE = {"STENOD_ENDPOINTING_VAD": "energy"}


@contextlib.contextmanager
def served(directory, *arguments):
    command = [sys.executable, "-m", "stenod", "serve", "--port", "0", "--log-level", "error", *arguments]
    with subprocess.Popen(
        command,
        cwd=directory,
        env=os.environ | FAKE,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def begun(process) -> str:
    """The address in the first line, once the default model is loaded."""
    url: str = process.stdout.readline().split()[4]
    deadline = time.monotonic() + 30
    while (status := httpx.get(f"{url}/readyz", timeout=5).status_code) == 503 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status == 200
    return url


def _like_a_terminal(process) -> None:
    """Ctrl-C reaches the workers as well."""
    os.killpg(process.pid, signal.SIGINT)


def test_it_says_what_it_is_and_stops_quietly(tmp_path) -> None:
    with served(tmp_path, "--model", "fake") as process:
        begun(process)
        process.send_signal(signal.SIGTERM)
        out, error = (
            process.stdout.read(),
            process.stderr.read(),
        )  # `communicate` forgets what `readline` has read ahead
        assert process.wait(15) == 0
    assert out.startswith("model: fake (fake). Expect ")
    assert error == ""


@pytest.mark.parametrize("stop", [_like_a_terminal, subprocess.Popen.terminate])
def test_an_open_utterance_gets_its_final(tmp_path, stop) -> None:
    with served(tmp_path, "--model", "fake") as process:
        url = begun(process).replace("http", "ws")
        with connect(f"{url}/ws") as client:
            client.send((speak([1, 2, 3]) * 32767).astype("<i2").tobytes())
            frames = [json.loads(client.recv(timeout=10))]
            stop(process)
            frames += [json.loads(frame) for frame in client]
        assert process.wait(15) == 0
    finals = [frame for frame in frames if frame["type"] == "final"]
    assert [frame["text"] for frame in finals] == ["w1 w2 w3"]


def test_an_unknown_effect_is_told(tmp_path) -> None:
    (tmp_path / ".env").write_text("DEVICE=cuda\nMODEL_PRECISION=fp16\n")
    with served(tmp_path, "--model", "fake") as process:
        begun(process)
        process.send_signal(signal.SIGINT)
        notes = [line for line in process.stdout.read().splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: model.precision = fp16 has no effect on fake, which has only one",
        "note: model.device = cuda has no effect on fake, which offers cpu",
    ]


def test_the_monitoring_port_has_its_own_routes_and_no_others(tmp_path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with served(tmp_path, "--model", "fake", "--monitor-port", str(port)) as process:
        url = begun(process)
        there = f"http://127.0.0.1:{port}"
        answers = {
            path: httpx.get(there + path) for path in ("/health", "/health/ready", "/stats", "/metrics", "/info")
        }
        assert {answer.status_code for answer in answers.values()} == {200}
        assert answers["/metrics"].json().keys() == answers["/stats"].json()["service"].keys()
        assert httpx.get(f"{url}/metrics").status_code == 406
        assert httpx.get(f"{there}/v1/models").status_code == 404
        with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{port}/ws"):
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0


def test_a_monitoring_port_that_is_taken_is_said(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with served(tmp_path, "--model", "fake", "--monitor-port", str(taken.getsockname()[1])) as process:
            assert process.wait(15) == 1
            assert "is taken by another program" in process.stderr.read()
