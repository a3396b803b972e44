"""Word error rates of the server, as files and live, beside those of the bare engine on whole files.

The bare engine is the same class in a process without a server: no voice activity detection, no utterances. Speech comes
from `samples/` and from a folder with a `manifest.json` (`--speech`, or STENOD_TEST_SPEECH): each English file whose
reference is official. Prints a table, and one of how steady the live text was (the measures of `_promptness`; where the pace
leaves no time for partials, there are none). Writes `bench/out/wer.json`; the exit code is 1 where the server does worse
than the engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import groupby
from operator import add
from pathlib import Path
from typing import TypeVar

import httpx
import numpy as np
from _client import Manner, Take, stream
from _promptness import Promptness, promptness
from _serving import Serving, serving
from _speech import SPEECH, Item, engine_of, find, samples
from _words import Score, score

from stenod.engines.base import Request
from stenod.options import DecodeOptions

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
CORES = os.cpu_count() or 1

SLACK = 0.005
"""How much larger a total rate may be and count as no worse: one word in two hundred, less than the sets can tell apart."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was made of an item, three times."""

    item: Item
    engine: str
    file: str
    live: str
    steadiness: Promptness
    """Of the live text on its way to `live`."""

    @property
    def scores(self) -> tuple[Score, Score, Score]:
        """Of the bare engine, the file and the live stream."""
        return (
            score(self.item.reference, self.engine),
            score(self.item.reference, self.file),
            score(self.item.reference, self.live),
        )


# --------------------------------------------------------------------------------------------------- three ways to hear


def bare(path: Path, model: str) -> str:
    """What the engine makes of a whole file; runs in a process of its own."""
    text: str = engine_of(model).transcribe([Request(samples(path), DecodeOptions())])[0].text
    return text


async def as_file(server: Serving, path: Path) -> str:
    """What the file door makes of it."""
    audio = await asyncio.to_thread(path.read_bytes)
    async with httpx.AsyncClient(timeout=600) as client:
        answer = await client.post(
            f"{server.address}/v1/audio/transcriptions",
            files={"file": (path.name, audio)},
            data={"response_format": "text"},
        )
        return answer.raise_for_status().text


async def as_stream(server: Serving, path: Path, pace: float) -> Take:
    """What `/ws` makes of it, with every partial on the way."""
    heard = await asyncio.to_thread(samples, path)
    audio = np.clip(np.rint(heard * 32767), -32768, 32767).astype(np.int16)
    return await stream(server.socket, audio, Manner(chunk=0.1, pace=pace))


async def each(items: Sequence[Item], hear: Callable[[Path], Awaitable[T]]) -> list[T]:
    """What `hear` makes of each item, as many at once as there are cores."""
    places = asyncio.Semaphore(CORES)

    async def one(item: Item) -> T:
        async with places:
            return await hear(item.path)

    return list(await asyncio.gather(*map(one, items)))


def measure(items: Sequence[Item], model: str, pace: float) -> list[Heard]:
    """Hear every item three times."""
    began = time.perf_counter()
    with ProcessPoolExecutor(CORES) as pool:
        engine = list(pool.map(bare, [item.path for item in items], [model] * len(items)))
    _tell("The bare engine", began)
    with serving("--model", model) as server:
        began = time.perf_counter()
        files = asyncio.run(each(items, lambda path: as_file(server, path)))
        _tell("Files", began)
        began = time.perf_counter()
        live = asyncio.run(each(items, lambda path: as_stream(server, path, pace)))
        _tell("Live streams", began)
    return [
        Heard(item, alone, file, take.text, promptness(take, take.text, ()))
        for item, alone, file, take in zip(items, engine, files, live, strict=True)
    ]


def _tell(what: str, began: float) -> None:
    print(f"{what}: {time.perf_counter() - began:.0f} s")


# ----------------------------------------------------------------------------------------------------------- the answer


def total(heard: Sequence[Heard]) -> tuple[Score, Score, Score]:
    """The scores of several files together, weighted by their words."""
    each_way = zip(*(one.scores for one in heard), strict=True)
    engine, file, live = (sum(scores, Score()) for scores in each_way)
    return engine, file, live


def table(heard: Sequence[Heard]) -> list[str]:
    """A Markdown table: a row a group, and the total."""
    lines = [
        "| speech | files | minutes | words | bare engine | as a file | live |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = [(name, list(group)) for name, group in groupby(heard, key=lambda one: one.item.group)]
    for name, group in [*groups, ("**all**", list(heard))]:
        scores = total(group)
        minutes = sum(one.item.seconds for one in group) / 60
        rates = " | ".join(f"{100 * one.rate:.1f} %" for one in scores)
        lines.append(f"| {name} | {len(group)} | {minutes:.1f} | {scores[0].words} | {rates} |")
    return lines


def steadiness(heard: Sequence[Heard]) -> list[str]:
    """A Markdown table: how much of what partials showed was taken back."""
    lines = [
        "| live text | words | partials | unstable partial words | normalised erasure | promises broken |",
        "|---|---|---|---|---|---|",
    ]
    groups = [(name, list(group)) for name, group in groupby(heard, key=lambda one: one.item.group)]
    for name, group in [*groups, ("**all**", list(heard))]:
        told = reduce(add, [one.steadiness for one in group])
        figures = told.summary()
        shares = f"{_shown(figures['unstable partial words'], 100)} % | {_shown(figures['normalised erasure'], 1)}"
        lines.append(f"| {name} | {told.spoken} | {told.partials} | {shares} | {told.broken} |")
    return lines


def _shown(figure: float | None, scale: float) -> str:
    return "-" if figure is None else f"{scale * figure:.{1 if scale > 1 else 2}f}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", dest="which", action="store_const", const="quick", help="the samples only")
    arguments.add_argument("--all", dest="which", action="store_const", const="all", help="every file there is")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    arguments.add_argument("--model", default="auto", help="a name, or a folder with a model")
    arguments.add_argument(
        "--pace", type=float, default=8.0, help="live: times as fast as speech; finals do not depend on it"
    )
    chosen = arguments.parse_args()
    items = find(chosen.speech, chosen.which or "short")
    print(f"{len(items)} files, {sum(item.seconds for item in items) / 60:.1f} minutes, three times ...")
    heard = measure(items, chosen.model, chosen.pace)
    print("\n" + "\n".join(table(heard)))
    print("\n" + "\n".join(steadiness(heard)))
    OUT.mkdir(exist_ok=True)
    saved = [asdict(one) | {"scores": [asdict(score) for score in one.scores]} for one in heard]
    (OUT / "wer.json").write_text(json.dumps(saved, indent=1, default=str))
    engine, file, live = total(heard)
    worse = [name for name, rate in (("files", file), ("live", live)) if rate.rate > engine.rate + SLACK]
    for name in worse:
        print(f"MISSED {name}: more errors than the bare engine makes")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
