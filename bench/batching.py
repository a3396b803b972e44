"""What sharing batches saves: the cost of one live stream, and of many at once on the same server.

Streams speak at the pace of speech, each its own order of the recordings, with silence between them. The engine's worker and
the server are measured apart, as processor time for each second of audio that a stream brings. Prints a table, writes
`bench/out/batching.json`; the exit code is 1 where many streams cost more than a third of as many times one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import psutil
from _client import Manner, Take, stream
from _serving import Serving, serving
from numpy.typing import NDArray

from stenod.cli import sources

HERE = Path(__file__).resolve().parent
SMALL = HERE.parent / "tests" / "models" / "small"
RATE = 16_000

PAUSE = 0.8
"""Seconds of silence after each recording: enough to end the utterance."""

MOST = 32
"""Recordings."""

WANTED = 1 / 3
"""Of as many times one stream."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many streams cost; times are seconds for each second of a stream."""

    streams: int
    worker: float
    """Processor time of the engine's worker."""
    server: float
    """Processor time of the server without it."""
    partials: float
    """A second."""
    batch: float
    """Requests in a batch, on average."""
    padding: float
    """Share of the batches."""
    partial_delay: float
    """Seconds from the audio being sent to its partial: median."""
    final_delay: float
    """Seconds from the audio that committed an utterance being sent to its final: 95 %."""


async def recordings(paths: Sequence[Path]) -> list[NDArray[np.int16]]:
    """The speech in files, 16 kHz, shape (samples,) each, with silence after it."""
    found = []
    for path in paths:
        parts = [samples async for samples in sources.file(path)]
        parts.append(np.zeros(round(PAUSE * RATE), np.float32))
        found.append((np.concatenate(parts) * 32767).astype(np.int16))
    return found


def speech(takes: Sequence[NDArray[np.int16]], index: int, seconds: float) -> NDArray[np.int16]:
    """What stream `index` says for so many seconds."""
    order, parts, length = np.random.default_rng(index), [], 0
    while length < seconds * RATE:
        parts.append(takes[int(order.integers(len(takes)))])
        length += len(parts[-1])
    return np.concatenate(parts)[: round(seconds * RATE)]


def gauges(server: Serving) -> dict[str, Any]:
    """Of the only worker."""
    with urlopen(f"{server.address}/stats", timeout=10) as answer:
        (found,) = json.load(answer)["whisper"]["workers"]
    told: dict[str, Any] = found
    return told


def spent(pid: int) -> float:
    """Seconds of processor time of a process."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


async def measure(
    server: Serving, takes: Sequence[NDArray[np.int16]], streams: int, seconds: float, chunk: float
) -> Cost:
    """So many streams at once, out of step with each other."""
    before = await asyncio.to_thread(gauges, server)
    worker, main = spent(before["pid"]), spent(server.pid)
    heard = await asyncio.gather(
        *(
            stream(
                server.socket, speech(takes, index, seconds), Manner(chunk=chunk, delay=0.3 * index / streams + 0.05)
            )
            for index in range(streams)
        )
    )
    worker, main = spent(before["pid"]) - worker, spent(server.pid) - main
    after = await asyncio.to_thread(gauges, server)
    whole = streams * seconds
    grown = {name: after[name] - before[name] for name in ("requests", "batches", "padding_seconds", "audio_seconds")}
    return Cost(
        streams=streams,
        worker=worker / whole,
        server=main / whole,
        partials=sum(len(take.of("partial")) for take in heard) / whole,
        batch=grown["requests"] / max(1, grown["batches"]),
        padding=grown["padding_seconds"] / max(1e-9, grown["padding_seconds"] + grown["audio_seconds"]),
        partial_delay=quantile(heard, "partial", 0.5),
        final_delay=quantile(heard, "final", 0.95),
    )


def quantile(heard: Sequence[Take], kind: str, share: float) -> float:
    """Of the delays of what has text."""
    delays = [one.at - take.sent(one.body["end"]) for take in heard for one in take.of(kind) if one.body["text"]]
    return float(np.quantile(delays, share)) if delays else float("nan")


def table(costs: Sequence[Cost]) -> str:
    """A Markdown table; the share is that of as many times the first row."""
    columns = [
        "streams",
        "worker, ms/s",
        "of single",
        "with server, ms/s",
        "of single",
        "partials/s",
        "batch",
        "padding",
    ]
    columns += ["partial", "final, 95 %"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    first = costs[0]
    for cost in costs:
        both = cost.worker + cost.server
        lines.append(
            f"| {cost.streams} | {1000 * cost.worker:.1f} | {cost.worker / first.worker:.2f} | {1000 * both:.1f}"
            f" | {both / (first.worker + first.server):.2f} | {cost.partials:.2f} | {cost.batch:.1f}"
            f" | {cost.padding:.0%} | {1000 * cost.partial_delay:.0f} ms | {1000 * cost.final_delay:.0f} ms |"
        )
    return "\n".join(lines)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a few seconds of each")
    arguments.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16])
    arguments.add_argument("--seconds", type=float, default=30.0, help="of audio in each stream")
    arguments.add_argument("--chunk", type=float, default=0.1, help="seconds of audio in a message")
    arguments.add_argument("--model", default=str(SMALL), help="a name, or a folder")
    arguments.add_argument("--audio", type=Path, default=SMALL / "speech", help="a folder of recordings")
    arguments.add_argument("--json", type=Path, default=HERE / "out" / "batching.json")
    chosen = arguments.parse_args()
    seconds = 8.0 if chosen.quick else chosen.seconds
    paths = sorted(path for path in chosen.audio.iterdir() if path.suffix in {".flac", ".wav"})
    takes = asyncio.run(recordings(paths[:MOST]))
    environment = {"STENOD_MODEL_WORKERS": "1", "STENOD_MODEL_BATCH_SIZE": "16", "STENOD_MODEL_THREADS": "1"}
    with serving("--model", chosen.model, **environment) as server:
        asyncio.run(measure(server, takes, 2, 4.0, chosen.chunk))  # so that everything has been touched once
        costs = [asyncio.run(measure(server, takes, streams, seconds, chosen.chunk)) for streams in chosen.streams]
    print(table(costs))
    chosen.json.parent.mkdir(exist_ok=True)
    chosen.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1))
    return 0 if costs[-1].worker <= WANTED * costs[0].worker else 1


if __name__ == "__main__":
    sys.exit(main())
