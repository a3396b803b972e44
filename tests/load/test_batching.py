"""What sixteen live streams cost beside one: where a batch costs much and its seconds little, and on a real model."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import batching
import numpy as np
import pytest
from _client import Manner, stream
from _serving import serving as served

from stenod.engines.tones import speak
from stenod.options import RATE
from stenod.settings import Settings
from support.serving import said, serving

STREAMS = 16
WORDS = 8
TURNS = 4


async def work(streams: int) -> tuple[float, dict[str, Any]]:
    """Seconds of the worker's time for each stream, and its gauges, when so many speak at once, out of step."""
    model = {"name": "fake?cost=0.02&rate=0.001", "workers": 1, "batch_size": 16}
    settings = Settings.model_validate(
        {
            "model": model,
            "endpointing": {"vad": "energy", "min_silence": 0.4},
            "stream": {"crowded_interval": 0},  # so that what is saved is saved by sharing
        }
    )
    quiet = np.zeros(RATE * 8 // 10, np.float32)
    with serving(settings) as server:
        turns = [
            [range(100 * n + 10 * turn, 100 * n + 10 * turn + WORDS) for turn in range(TURNS)] for n in range(streams)
        ]
        audios = [np.concatenate([part for words in mine for part in (speak(words), quiet)]) for mine in turns]
        takes = await asyncio.gather(
            *(
                stream(f"{server.ws}/ws", (audio * 32767).astype(np.int16), Manner(chunk=0.1, delay=3 * n / streams))
                for n, audio in enumerate(audios)
            )
        )
        ((gauges,),) = server.service.recognizer.snapshot().values()
    assert [take.text for take in takes] == [" ".join(said(words) for words in mine) for mine in turns]
    return gauges["busy_seconds"] / streams, gauges


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.anyio
async def test_sixteen_streams_cost_at_most_a_third_of_sixteen_times_one() -> None:
    alone, _ = await work(1)
    shared, gauges = await work(STREAMS)
    assert shared <= alone / 3, (alone, shared, gauges)
    assert gauges["shed"] < gauges["requests"] / 4, "they share batches rather than go without partials"


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.anyio
async def test_a_crowd_on_the_small_model_costs_far_less_than_as_many_alone() -> None:
    """`bench/batching.py` measures a third; half leaves room for a machine with other work on it."""
    paths = sorted((batching.SMALL / "speech").glob("*.flac"))
    takes = await batching.recordings(list(islice(paths, batching.MOST)))
    environment = {"STENOD_MODEL_WORKERS": "1", "STENOD_MODEL_THREADS": "1"}
    with served("--model", str(batching.SMALL), **environment) as server:
        await batching.measure(server, takes, 2, 4.0, 0.1)  # warms up
        alone, crowd = [await batching.measure(server, takes, streams, 15.0, 0.1) for streams in (1, STREAMS)]
    assert crowd.worker <= alone.worker / 2, (alone, crowd)
    assert crowd.partials > alone.partials / 3, (alone, crowd)
    assert crowd.final_delay < 0.5, (alone, crowd)
