"""A real server process with the engine that is always there, and recorded speech to play to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from _serving import Serving, serving


@pytest.fixture(scope="session")
def server(shared_speech: Path) -> Iterator[Serving]:
    with serving("--model", "pocketsphinx") as running:
        yield running


@pytest.fixture(scope="session")
def references(shared_speech: Path) -> dict[str, str]:
    """What is said in each file."""
    described: list[dict[str, Any]] = json.loads((shared_speech / "manifest.json").read_text())
    return {one["file"]: one["reference"] for one in described}


@pytest.fixture(scope="session")
def post(server: Serving, shared_speech: Path):
    """A function that sends a file to the file door; what it answers."""

    def send(name: str, **fields: str) -> httpx.Response:
        return httpx.post(
            f"{server.address}/v1/audio/transcriptions",
            files={"file": (Path(name).name, (shared_speech / name).read_bytes())},
            data=fields,
            timeout=60,
        )

    return send
