"""What `/stats` says of the models, against what the system says of their processes."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.to_thread
import httpx
import psutil
import pytest
from websockets.asyncio.client import connect

from stenod.server.held import held
from stenod.settings import Settings
from support.serving import Running, pcm, said, serving, talk, until

pytestmark = pytest.mark.anyio

OTHER = "fake-streaming?workers=1&max_states=7"
SETTINGS = Settings.model_validate(
    {
        "model": {"name": "fake", "workers": 1, "others": [OTHER], "idle_unload": 1.0},
        "endpointing": {"vad": "energy", "min_silence": 0.4},
    }
)
END = '{"type": "end"}'


def models(server: Running) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{server.http}/stats").json()["models"]
    return told


async def test_models_are_shown_as_they_are_and_leave_the_memory() -> None:
    """A stream holds one of two models; the other one goes, and comes back for who asks."""
    others = psutil.Process().children()
    with serving(SETTINGS) as server:
        children = [child for child in psutil.Process().children() if child not in others]
        async with connect(f"{server.ws}/ws?model=fake-streaming") as socket:
            await socket.send(pcm([1, 2], after=0.0))
            await anyio.to_thread.run_sync(until, lambda: models(server).get(OTHER, {}).get("cache_size") == 1, 10)
            told = models(server)
            assert (told[OTHER]["loaded"], told[OTHER]["sessions"], told[OTHER]["cache_max_size"]) == (True, 1, 7)
            [worker] = told[OTHER]["workers"]
            assert worker["memory_mb"] == told[OTHER]["memory_mb"]
            assert worker["memory_mb"] == pytest.approx(psutil.Process(worker["pid"]).memory_info().rss / 1e6, rel=0.2)
            before = sum(model["memory_mb"] for model in told.values())

            await anyio.to_thread.run_sync(until, lambda: not models(server)["fake"]["loaded"], 15)
            after = models(server)
            assert after["fake"]["memory_mb"] == 0
            assert after["fake"]["workers"][0]["pid"] is None
            assert sum(model["memory_mb"] for model in after.values()) < before
            assert not any(child.is_running() for child in children), "the process itself is gone"
            assert after[OTHER]["loaded"], "a session has it"

            heard = await talk(f"{server.ws}/ws", [pcm([3, 4]), END])
            assert heard.text == said([3, 4])
            assert models(server)["fake"]["workers"][0]["unloads"] == 1


def pool(**given: Any) -> dict[str, Any]:
    """A worker's gauges."""
    plain = dict.fromkeys(("requests", "batches", "states", "max_states", "sessions"), 0)
    return plain | {"waiting": {}, "audio_seconds": 0.0, "padding_seconds": 0.0, "loaded": False, "pid": None} | given


def test_sums_over_the_workers_of_a_model() -> None:
    busy = {"batches": 2, "requests": 6, "audio_seconds": 9.0, "padding_seconds": 1.0, "waiting": {"final": 2}}
    told = held({"m": [pool(**busy, sessions=3, states=1, max_states=4), pool(sessions=3, max_states=4, loaded=True)]})
    assert {key: value for key, value in told["m"].items() if key != "workers"} == {
        "loaded": True, "memory_mb": 0.0, "sessions": 3, "waiting": 2, "batches": 2, "requests_per_batch": 3.0,
        "padding_share": 0.1, "cache_size": 1, "cache_max_size": 8,
    }  # fmt: skip
    assert held({"n": [pool(pid=2**22 + 1)]})["n"]["memory_mb"] == 0.0
    assert held({}) == {}
