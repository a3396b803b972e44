"""The C# client, compiled by Mono, against the real server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import missing
from support.serving import pcm


@pytest.fixture(scope="session")
def program(clients, tmp_path_factory) -> Path:
    """The example, compiled without a warning."""
    if shutil.which("mcs") is None or shutil.which("mono") is None:
        missing("Mono (Debian packages mono-mcs and libmono-system-runtime-serialization4.0-cil)")
    target = tmp_path_factory.mktemp("csharp") / "Example.exe"
    sources = [clients / "csharp" / name for name in ("StenodClient.cs", "Example.cs")]
    subprocess.run(
        ["mcs", "-warnaserror", "-r:System.Runtime.Serialization", f"-out:{target}", *sources],
        check=True,
        capture_output=True,
        text=True,
    )
    return target


def run(program: Path, url: str, audio: bytes) -> subprocess.CompletedProcess[str]:
    spoken = program.with_name("spoken.raw")
    spoken.write_bytes(audio)
    return subprocess.run(["mono", program, url, spoken], capture_output=True, text=True, timeout=60, check=False)


def test_a_stream(program, server) -> None:
    told = run(program, f"{server.ws}/ws", pcm(range(1, 9)) + pcm(range(9, 15)))
    assert told.stdout.splitlines() == ["w1 w2 w3 w4 w5 w6 w7 w8", "w9 w10 w11 w12 w13 w14"]
    assert told.returncode == 0
    assert all(line.startswith("~ w") for line in told.stderr.splitlines())


@pytest.mark.parametrize(
    ("path", "error"), [("/ws?threshold=7", "threshold must be a number"), ("/nowhere", "Unable to connect")]
)
def test_what_goes_wrong_is_said(program, server, path, error) -> None:
    told = run(program, f"{server.ws}{path}", pcm([1]))
    assert told.returncode == 1
    assert told.stderr.startswith(error)
