"""A real server for a measurement: `stenod serve` as a process of its own, and what it costs to run.

Knows nothing of speech. Memory and processor time are read from /proc, so they are there on Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PATIENCE = 120.0
"""Seconds that a server may take to be ready: the first start of a fresh install compiles every file."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the server and its workers take."""

    rss: float
    """Megabytes (of a million bytes) of resident memory, pages shared between them counted each time."""
    cpu: float
    """Seconds of processor time so far."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers."""

    address: str
    """`http://host:port`."""
    pid: int
    ready_after: float
    """Seconds from its start to its being ready."""

    @property
    def socket(self) -> str:
        """The URL of `/ws`."""
        return self.address.replace("http", "ws", 1) + "/ws"

    def usage(self) -> Usage | None:
        """Of all its processes together; None where there is no /proc."""
        if not Path("/proc/self/stat").exists():
            return None
        each = [_usage(pid) for pid in _family(self.pid)]
        return Usage(sum(one.rss for one in each), sum(one.cpu for one in each))


@contextmanager
def serving(*flags: str, **environment: str) -> Iterator[Serving]:
    """A server with `flags`, and settings by their names in the environment; of the caller's it gets no setting.

    It has ended when this is left. What it logs goes to standard error. Raises RuntimeError where it does not start.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("STENOD_")}
    clean["STENOD_MODEL_FETCH"] = "never"
    command = [sys.executable, "-m", "stenod", "serve", "--port", "0", "--log-level", "warning", *flags]
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as nowhere,  # a directory without settings
        subprocess.Popen(command, cwd=nowhere, env=clean | environment, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            address = _address(process)
            _await_ready(address, began + PATIENCE)
            yield Serving(address, process.pid, time.perf_counter() - began)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        found = [word for word in line.split() if word.startswith("http://")]
        if found:
            return found[0]
    raise RuntimeError(f"the server ended with exit code {process.wait()} before it answered")


def _await_ready(address: str, deadline: float) -> None:
    while True:
        try:
            with urlopen(f"{address}/readyz", timeout=5):
                return
        except URLError as error:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"the server is not ready: {error}") from None
            time.sleep(0.02)


def _family(pid: int) -> list[int]:
    """A process and its descendants that are still there."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue  # that thread has ended
    return found


def _usage(pid: int) -> Usage:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return Usage(0.0, 0.0)  # it has ended
    ticks = int(fields[11]) + int(fields[12])
    return Usage(int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6, ticks / os.sysconf("SC_CLK_TCK"))
