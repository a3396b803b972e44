"""Word error rates of the server, as files and live, beside those of the bare engine on whole files.

The bare engine is the same class in a process without a server: no voice activity detection, no utterances. Speech comes
from `samples/` and from a folder with a `manifest.json` (`--speech`, or STENOD_TEST_SPEECH): each English file whose
reference is official. Prints a table, writes `bench/out/wer.json`; the exit code is 1 where the server does worse than the
engine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from _client import Manner, stream
from _serving import Serving, serving
from _words import Score, score
from numpy.typing import NDArray

from stenod.audio.convert import Converter
from stenod.audio.files import open_audio
from stenod.engines.base import LoadOptions, Request
from stenod.engines.registry import Registry
from stenod.options import DecodeOptions

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
OUT = HERE / "out"
SPEECH = Path(os.environ.get("STENOD_TEST_SPEECH", HERE.parent.parent / "shared" / "speech"))
CORES = os.cpu_count() or 1

OFFICIAL = ("from repo", "published text")
"""Qualities of references that were not made by a recogniser or by hand afterwards."""

PACE = 8.0
"""Times as fast as speech: what is heard live does not depend on it."""

SLACK = 0.005
"""How much larger a total rate may be and count as no worse: one word in two hundred, less than the sets can tell apart."""

_LABEL = re.compile(r"\[\w+\]")
"""`[1688]`: who speaks, in references of dialogues."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file with what is said in it."""

    group: str
    path: Path
    reference: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was made of an item, three times."""

    item: Item
    engine: str
    file: str
    live: str

    @property
    def scores(self) -> tuple[Score, Score, Score]:
        """Of the bare engine, the file and the live stream."""
        return (
            score(self.item.reference, self.engine),
            score(self.item.reference, self.file),
            score(self.item.reference, self.live),
        )


def find(speech: Path, *, everything: bool) -> list[Item]:
    """The items, those of a group together; without `everything` about eight minutes of them."""
    described = json.loads((SAMPLES / "manifest.json").read_text())
    found = [Item("samples (synthetic)", SAMPLES / one["file"], one["text"], one["seconds"]) for one in described]
    if not (speech / "manifest.json").is_file():
        print(f"No recorded speech at {speech}: the project's own samples only.")
        return found
    for one in json.loads((speech / "manifest.json").read_text()):
        raw = one["file"].endswith(".raw")  # its format is nowhere to be read
        if one["language"] == "en" and one["reference_quality"] in OFFICIAL and not raw:
            reference = _LABEL.sub(" ", one["reference"])
            found.append(Item(_group(one), speech / one["file"], reference, one["duration_s"]))
    found.sort(key=lambda item: item.group)
    return found if everything else [item for item in found if _in_short_run(item)]


def _group(described: dict[str, Any]) -> str:
    folder = described["file"].partition("/")[0]
    named = _FOLDERS.get(folder)
    if named is None or (folder == "short" and "wer-core" in described["tags"]):
        return "speeches and readings" if "wer-core" in described["tags"] else "other formats"
    return named


_FOLDERS = {
    "constructed": "chapters and dialogues",
    "ljspeech": "LJ Speech",
    "ls_misc": "LibriSpeech test-clean",
    "ls_test_other": "LibriSpeech test-other",
    "multilingual": "short phrases",
    "short": "short phrases",
    "spontaneous": "spontaneous speech",
}


def _in_short_run(item: Item) -> bool:
    match item.group:
        case "LibriSpeech test-other":
            return item.path.stem[-4:] < "0003"
        case "LJ Speech":
            return item.path.suffix == ".wav" and "LJ001-0001" <= item.path.stem <= "LJ001-0012"
        case "chapters and dialogues" | "other formats":
            return False
        case _:
            return True


# --------------------------------------------------------------------------------------------------- three ways to hear


def samples(path: Path) -> NDArray[np.float32]:
    """A file as the server hears it: mono, 16 kHz, shape (samples,)."""
    with open_audio(path) as reader:
        converter = Converter(reader.format)
        parts = [converter.convert(chunk)[0] for chunk in reader.chunks()]
        return np.concatenate([*parts, converter.flush()[0]])


def bare(path: Path, model: str) -> str:
    """What the engine makes of a whole file; runs in a process of its own."""
    engine = _engines.get(model)
    if engine is None:
        registry = Registry.installed()
        described = registry.configure(model)
        engine = _engines[model] = registry.family(described).load(described, LoadOptions())
    text: str = engine.transcribe([Request(samples(path), DecodeOptions())])[0].text
    return text


_engines: dict[str, Any] = {}
"""One a process: loading takes longer than most files."""


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


async def as_stream(server: Serving, path: Path) -> str:
    """What `/ws` makes of it."""
    heard = await asyncio.to_thread(samples, path)
    audio = np.clip(np.rint(heard * 32767), -32768, 32767).astype(np.int16)
    return (await stream(server.socket, audio, Manner(chunk=0.1, pace=PACE))).text


async def each(items: Sequence[Item], hear: Callable[[Path], Awaitable[str]]) -> list[str]:
    """What `hear` makes of each item, as many at once as there are cores."""
    places = asyncio.Semaphore(CORES)

    async def one(item: Item) -> str:
        async with places:
            return await hear(item.path)

    return list(await asyncio.gather(*map(one, items)))


def measure(items: Sequence[Item], model: str) -> list[Heard]:
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
        live = asyncio.run(each(items, lambda path: as_stream(server, path)))
        _tell("Live streams", began)
    return [Heard(*heard) for heard in zip(items, engine, files, live, strict=True)]


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


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--all", action="store_true", help="every file there is, not about eight minutes of them")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    arguments.add_argument("--model", default="auto")
    chosen = arguments.parse_args()
    items = find(chosen.speech, everything=chosen.all)
    print(f"{len(items)} files, {sum(item.seconds for item in items) / 60:.1f} minutes, three times ...")
    heard = measure(items, chosen.model)
    print("\n" + "\n".join(table(heard)))
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
