"""How soon and how steady live text is: samples at the pace of speech over `/ws`, one stream, two and four at once.

Prints a table, writes `bench/out/live.json` and, where matplotlib is installed, `bench/out/live.png`. The exit code is 1
where a target is missed. `--quick` plays one file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

import httpx
import numpy as np
from _client import RATE, Manner, stream
from _promptness import Promptness, promptness
from _serving import Serving, serving
from _words import words
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
OUT = HERE / "out"

Figures: TypeAlias = Mapping[str, float | None]

TAIL = 1.2
"""Seconds of silence streamed after each sample, so that silence commits its last utterance too."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A file with known words."""

    name: str
    audio: NDArray[np.int16]
    text: str
    ends: tuple[float, ...]
    """Seconds at which its words end, by the synthesiser."""
    middles: tuple[float, ...]
    """Seconds at the middle of each sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should be."""

    figure: str
    wanted: str
    holds: Callable[[float], bool]
    shown: Callable[[float], str]


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _milliseconds(value: float) -> str:
    return f"{1000 * value:.0f} ms"


TARGETS = (
    Target("partials", "some", lambda n: n > 0, "{:.0f}".format),
    Target("broken promises", "0", lambda n: n == 0, "{:.0f}".format),
    Target("untrue", "0", lambda n: n == 0, "{:.0f}".format),
    Target("stable before commit", ">= 80 %", lambda share: share >= 0.8, _percent),
    Target("word to stable, median", "< 1000 ms", lambda seconds: seconds < 1.0, _milliseconds),
    Target("partial, mean", "< 300 ms", lambda seconds: seconds < 0.3, _milliseconds),
    Target("final, mean", "< 600 ms", lambda seconds: seconds < 0.6, _milliseconds),
)
ALSO = {
    "growing": _percent,
    "finals": "{:.0f}".format,
    "final, worst": _milliseconds,
    "unstable partial words": _percent,
    "normalised erasure": "{:.2f}".format,
}


def load(quick: bool) -> list[Sample]:
    """The samples, the quick choice of one."""
    described = json.loads((SAMPLES / "manifest.json").read_text())
    return [_sample(each) for each in described if not quick or each["file"] == "morning.wav"]


def _sample(described: dict[str, Any]) -> Sample:
    with wave.open(str(SAMPLES / described["file"])) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    middles = tuple((one["start"] + one["end"]) / 2 for one in described["sentences"])
    ends = tuple(word["end"] for word in described["words"])
    return Sample(described["file"], audio, described["text"], ends, middles)


async def play(server: Serving, sample: Sample, *, delay: float = 0.0) -> Promptness:
    """Stream one sample as it would be spoken."""
    audio = np.concatenate((sample.audio, np.zeros(round(TAIL * RATE), np.int16)))
    return promptness(await stream(server.socket, audio, Manner(delay=delay)), sample.text, sample.ends)


async def interrupt(server: Serving, sample: Sample) -> list[float]:
    """Commit in the middle of each sentence of a sample; seconds from each commit to its final."""
    take = await stream(server.socket, sample.audio, Manner(commits=sample.middles))
    return promptness(take, sample.text, sample.ends).to_commanded


async def measure(server: Serving, samples: Sequence[Sample]) -> dict[int, Promptness]:
    """One stream after the other, then two and four at once."""
    longest = sorted(samples, key=lambda sample: -len(sample.audio))[:2]
    measured = {1: reduce(add, [await play(server, sample) for sample in samples])}
    for count in (2, 4):
        chosen = [longest[index % len(longest)] for index in range(count)]
        playing = (play(server, sample, delay=0.41 * index) for index, sample in enumerate(chosen))
        measured[count] = reduce(add, await asyncio.gather(*playing))
    return measured


def untrue_files(server: Serving, samples: Sequence[Sample]) -> list[str]:
    """The samples of which the file door gives other words than were said."""
    wrong = []
    for sample in samples:
        with (SAMPLES / sample.name).open("rb") as file:
            answer = httpx.post(f"{server.address}/v1/audio/transcriptions", files={"file": file}, timeout=120)
        if words(answer.raise_for_status().json()["text"]) != words(sample.text):
            wrong.append(sample.name)
    return wrong


def table(rows: Mapping[int, Figures]) -> list[str]:
    """A Markdown table; a figure that is not as wanted is bold."""
    heads = " | ".join(f"{count} stream{'s at once' if count > 1 else ''}" for count in rows)
    lines = [f"| | wanted | {heads} |", "|---|---" + "|---" * len(rows) + "|"]
    for target in TARGETS:
        cells = [_cell(row[target.figure], target.shown, target.holds) for row in rows.values()]
        lines.append(f"| {target.figure} | {target.wanted} | {' | '.join(cells)} |")
    for figure, shown in ALSO.items():
        cells = [_cell(row[figure], shown, lambda _: True) for row in rows.values()]
        lines.append(f"| {figure} | | {' | '.join(cells)} |")
    return lines


def _cell(value: float | None, shown: Callable[[float], str], holds: Callable[[float], bool]) -> str:
    if value is None:
        return "-"
    return shown(value) if holds(value) else f"**{shown(value)}**"


def missed(rows: Mapping[int, Figures]) -> list[str]:
    """Each target that is missed while there is a core for each stream, in words.

    More streams than cores are played to see what gives way then; promises must hold at any load.
    """
    return [
        f"{count} at once: {target.figure} is {'nothing' if value is None else target.shown(value)}, wanted {target.wanted}"
        for count, row in rows.items()
        for target in TARGETS
        if count <= (os.cpu_count() or 1) or target.figure == "broken promises"
        if (value := row[target.figure]) is None or not target.holds(value)
    ]


def plot(rows: dict[int, Promptness], path: Path) -> None:
    """Draw how the delays are distributed."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError:
        print("No plot: matplotlib is not installed (dependency group `bench`).")
        return
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    kinds = (("to_partial", "partial due", 0.3), ("to_stable", "end of a word", 1.0), ("to_final", "commit", 0.6))
    titles = ("to its arrival", "to its being stable", "to its final")
    for axes, (kind, since, limit), title in zip(figure.subplots(1, 3), kinds, titles, strict=True):
        for count, row in rows.items():
            delays = sorted(getattr(row, kind))
            axes.step(delays, np.arange(1, len(delays) + 1) / len(delays), where="post", label=f"{count} at once")
        axes.axvline(limit, color="grey", linestyle=":")
        axes.set(title=f"from {since} {title}", xlabel="seconds", ylim=(0, 1), xlim=(0, None))
    figure.axes[0].set_ylabel("share")
    figure.axes[-1].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    print(f"Plot: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="one file only")
    arguments.add_argument("--model", default="auto", help="model to serve")
    chosen = arguments.parse_args()
    samples = load(chosen.quick)
    with serving("--model", chosen.model) as server:
        print(f"Ready after {server.ready_after:.1f} s. Streaming for about {55 if chosen.quick else 90} s ...")
        wrong = untrue_files(server, samples)
        measured = asyncio.run(measure(server, samples))
        commanded = asyncio.run(interrupt(server, samples[-1]))
    rows = {count: row.summary() for count, row in measured.items()}
    print(f"\n{os.cpu_count()} cores, model {chosen.model}; delays count from the audio being sent.\n")
    print("\n".join(table(rows)))
    print(
        f"\nFinals that the client commands in the middle of a sentence take {_milliseconds(fmean(commanded))} on average."
    )
    print(f"Files whose words differ from what was said: {', '.join(wrong) or 'none'}.")
    OUT.mkdir(exist_ok=True)
    saved = {"rows": rows, "measures": {count: asdict(row) for count, row in measured.items()}, "commanded": commanded}
    (OUT / "live.json").write_text(json.dumps(saved | {"files": wrong}, indent=1))
    plot(measured, OUT / "live.png")
    misses = missed(rows) + [f"file {name}: other words than were said" for name in wrong]
    for miss in misses:
        print(f"MISSED {miss}")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
