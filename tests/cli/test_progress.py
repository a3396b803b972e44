"""The progress bar on a real terminal, and none elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import time
from stenod.cli.progress import Progress
with Progress("speech [bold].wav") as progress:
    progress(1.0, {total})
    time.sleep({wait})
    progress(2.0, {total})
"""


def shown(wait: float, total: float | None) -> str:
    """What appears on a terminal at standard error."""
    ours, theirs = os.openpty()
    try:
        script = SCRIPT.format(wait=wait, total=total)
        environ = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
        subprocess.run([sys.executable, "-c", script], stderr=theirs, env=environ, timeout=30, check=True)
        os.set_blocking(ours, False)
        try:
            return os.read(ours, 65536).decode()
        except BlockingIOError:
            return ""
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("total", [4.0, None])
def test_long_work_shows_a_bar(total) -> None:
    assert "speech [bold].wav" in shown(1.1, total)


def test_what_is_soon_done_shows_nothing() -> None:
    assert shown(0.0, 4.0) == ""


def test_no_terminal_shows_nothing() -> None:
    script = SCRIPT.format(wait=1.1, total=4.0)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
