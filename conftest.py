"""Runs what README and docs show: Python and shell blocks, against a real server, and compares the output they print.

A block marked `sh` or `python` is run in the repository, with this project's commands on its path; a block marked `out` must
be what the block before it printed. `localhost:8000` in them is the server of these tests.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks a hub elsewhere; those of the model store bring their own

ROOT = Path(__file__).resolve().parent
ADDRESS = "localhost:8000"
COMMANDS = Path(sys.executable).parent


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """A server of this test run, ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([COMMANDS / "stenod", "serve", "--port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            assert server.poll() is None, "the server did not start"
            try:
                urlopen(f"http://127.0.0.1:{port}/readyz").close()
                break
            except URLError:
                time.sleep(0.1)
        yield f"localhost:{port}"
    finally:
        server.terminate()
        server.wait(20)


def run(example: Example, *command: str) -> None:
    """Run the block as a user would, from the repository."""
    source = str(example.parsed).replace(ADDRESS, example.namespace["address"])
    path = f"{COMMANDS}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, input=source, cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    example.namespace["printed"] = done.stdout


def run_shell(example: Example) -> None:
    """A block for the shell."""
    run(example, "sh", "-e")


def run_python(example: Example) -> None:
    """A block of Python, as a script of its own."""
    run(example, sys.executable, "-")


def compare_output(example: Example) -> None:
    """What the block before printed."""
    assert example.namespace["printed"].strip() == str(example.parsed).strip()


pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser(language="python", evaluator=run_python),
        CodeBlockParser(language="sh", evaluator=run_shell),
        CodeBlockParser(language="out", evaluator=compare_output),
    ],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["address"],
).pytest()
