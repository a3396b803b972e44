"""Many live streams at once on a real server process, as `bench/load.py` plays them: nothing is lost, nothing strays."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "bench" / "load.py"


def load(tmp_path: Path, *flags: str) -> dict[str, Any]:
    """The report of one run."""
    report = tmp_path / "load.json"
    command = [sys.executable, str(SCRIPT), "--json", str(report), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert report.exists(), done.stderr
    told: dict[str, Any] = json.loads(report.read_text())
    assert (told["wrong"], told["troubles"], told["foreign"]) == ([], [], 0), done.stdout
    assert told["received"] == told["expected"] > 0
    assert done.returncode == (0 if told["good"] else 1)
    return told


@pytest.mark.parametrize("model", ["fake", "fake-streaming"])
def test_a_few_streams(tmp_path: Path, model: str) -> None:
    told = load(tmp_path, "--streams", "12", "--seconds", "3", "--model", model)
    assert told["partials"] > 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_hundred_streams(tmp_path: Path) -> None:
    told = load(tmp_path, "--streams", "200", "--seconds", "60")
    assert told["expected"] == 200 * 21
    assert told["flat"], f"memory grew from {told['rss_warm']} to {told['rss_end']} MB"
    assert told["median"] < 1.0
