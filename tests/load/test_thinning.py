"""More live speech than partials can follow: they thin out, for everyone alike, and finals stay prompt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np
import pytest
from _client import Manner, stream
from numpy.typing import NDArray

from stenod.engines.tones import speak
from stenod.options import RATE
from stenod.settings import Settings
from support.serving import said, serving

WORDS = 20
"""In an utterance: six seconds."""
TURNS = 3
COST, SECOND = 0.02, 0.03
"""Seconds of work for a batch, and for each second of audio in it: slept, so that the test needs no processor."""


@dataclass(frozen=True)
class Heard:
    """How it went."""

    partials: list[int]
    """Of each stream."""
    delays: list[float]
    """Seconds from the audio that committed an utterance being sent to its final."""
    shed: int


def audio(number: int) -> tuple[NDArray[np.int16], str]:
    """What a stream says, all its utterances."""
    turns = [range(1000 * number + 100 * turn, 1000 * number + 100 * turn + WORDS) for turn in range(TURNS)]
    quiet = np.zeros(RATE * 8 // 10, np.float32)
    whole = np.concatenate([part for words in turns for part in (speak(words), quiet)])
    return (whole * 32767).astype(np.int16), " ".join(said(words) for words in turns)


async def hear(streams: int) -> Heard:
    """So many at once, out of step."""
    model = {"name": f"fake?cost={COST}&rate={SECOND}", "workers": 1, "batch_size": 16}
    settings = Settings.model_validate({"model": model, "endpointing": {"vad": "energy", "min_silence": 0.4}})
    with serving(settings) as server:
        wanted = [audio(index) for index in range(1, streams + 1)]
        takes = await asyncio.gather(
            *(
                stream(f"{server.ws}/ws", samples, Manner(chunk=0.1, delay=6 * index / streams))
                for index, (samples, _) in enumerate(wanted)
            )
        )
        ((gauges,),) = server.service.recognizer.snapshot().values()
    assert [take.text for take in takes] == [text for _, text in wanted]
    finals = [(take, one) for take in takes for one in take.of("final") if one.body["text"]]
    return Heard(
        [len(take.of("partial")) for take in takes],
        sorted(one.at - take.sent(one.body["end"]) for take, one in finals),
        gauges["shed"],
    )


@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.anyio
async def test_partials_thin_out_before_any_final_is_late() -> None:
    few, many = await hear(2), await hear(16)
    assert few.shed < sum(few.partials) / 10
    assert many.shed > sum(many.partials), "there was more to do than could be done"
    assert np.mean(many.partials) < np.mean(few.partials) / 2, (few, many)
    assert min(many.partials) > np.mean(many.partials) / 3, f"nobody starves: {many.partials}"
    assert many.delays[len(many.delays) // 2] < few.delays[len(few.delays) // 2] + 0.4, (few.delays, many.delays)
    assert many.delays[-1] < 1.5, many.delays
