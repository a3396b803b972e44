"""Many live streams at once on the `fake` engine: whether every final arrives, in time, at whom it belongs to.

Each stream speaks numbers of its own, as tones, in utterances with silence between them; what comes back shows at once
where words were lost or went to another. Prints a table and writes `bench/out/load.json`; the exit code is 1 where anything
is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from _serving import Serving, Usage, serving
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stenod.engines.tones import GAP, SPOKEN, speak

OUT = Path(__file__).resolve().parent / "out"
RATE = 16_000

WORDS = 65_536
"""Different words that tones can say."""
SPEECH = 6
"""Words in an utterance: 1.8 s."""
PAUSE = 1.0
"""Seconds of silence after each, twice what commits it."""
UTTERANCE = SPEECH * (SPOKEN + GAP) + PAUSE
CHUNK = 0.2
"""Seconds of audio in a message."""
RAMP = 4.0
"""Seconds over which the streams begin, so that they do not all send and pause together."""

WARM = 0.5
"""Share of the run after which memory should grow no more."""
GROWTH = 0.1
"""How much larger it may be at the end than then: room for what waits while the machine is busy, not for a leak. As it is
kept, the audio of the second half of a full run is larger than the server."""


@dataclass(slots=True)
class Outcome:
    """What became of one stream."""

    expected: list[str]
    finals: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    """Seconds from the audio that committed an utterance being sent to its final."""
    partials: int = 0
    foreign: int = 0
    """Words in partials and finals that this stream never said."""
    account: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""
    late: float = 0.0
    """Seconds by which the client itself was late with a chunk, at worst."""
    _sent: list[float] = field(default_factory=list)

    def sent(self, second: float) -> float:
        """Clock time at which the audio up to `second` had been sent."""
        return self._sent[min(int((second - 1e-6) / CHUNK), len(self._sent) - 1)]

    def note(self, now: float) -> None:
        """Another chunk is out."""
        self._sent.append(now)

    @property
    def right(self) -> bool:
        """Every final is there and says what was said; no sample was dropped."""
        whole = self.account.get("received") == self.account.get("final") and not self.account.get("dropped", True)
        return self.finals == self.expected and not self.foreign and whole and not self.trouble


@dataclass(frozen=True, slots=True)
class Moment:
    """A sample of the server's use of the machine, `at` seconds after the start."""

    at: float
    usage: Usage


def utterances(stream: int, streams: int, count: int) -> list[list[int]]:
    """The numbers that a stream says: no two streams share one; in a long run it begins again with its first."""
    different = WORDS // streams // SPEECH
    firsts = (SPEECH * (stream * different + n % different) for n in range(count))
    return [list(range(first, first + SPEECH)) for first in firsts]


def audio(numbers: Sequence[int]) -> NDArray[np.int16]:
    """One utterance and its silence, 16 kHz, shape (samples,)."""
    silence = np.zeros(round(PAUSE * RATE), np.int16)
    return np.concatenate(((speak(numbers) * 32767).astype(np.int16), silence))


async def client(url: str, said: list[list[int]], delay: float) -> Outcome:
    """One stream at the pace of speech, from its first chunk to the server's last word."""
    outcome = Outcome([" ".join(f"w{number}" for number in numbers) for numbers in said])
    await asyncio.sleep(delay)
    try:
        async with connect(url, compression=None, ping_interval=None, open_timeout=30) as socket:
            reader = asyncio.create_task(_read(socket, outcome, {f"w{n}" for numbers in said for n in numbers}))
            with suppress(ConnectionClosed):  # the reader knows why
                await _write(socket, outcome, said)
            await asyncio.wait_for(reader, 30)
    except (OSError, TimeoutError, ConnectionClosed) as error:
        outcome.trouble = f"{type(error).__name__}: {error}"
    return outcome


async def _write(socket: ClientConnection, outcome: Outcome, said: list[list[int]]) -> None:
    rest, size, sent = b"", 2 * round(CHUNK * RATE), 0
    start = time.perf_counter()
    for numbers in said:
        rest += audio(numbers).tobytes()
        while len(rest) >= size or (numbers is said[-1] and rest):
            chunk, rest = rest[:size], rest[size:]
            sent += len(chunk)
            due = start + sent / 2 / RATE
            await asyncio.sleep(due - time.perf_counter())
            outcome.late = max(outcome.late, time.perf_counter() - due)
            await socket.send(chunk)
            outcome.note(time.perf_counter())
    await socket.send('{"type": "end"}')


async def _read(socket: ClientConnection, outcome: Outcome, own: set[str]) -> None:
    async for message in socket:
        now, frame = time.perf_counter(), json.loads(message)
        match frame["type"]:
            case "partial":
                outcome.partials += 1
                outcome.foreign += len(set(frame["text"].split()) - own)
            case "final":
                outcome.foreign += len(set(frame["text"].split()) - own)
                if frame["text"]:  # the end commits once more, and nothing has been said since
                    outcome.finals.append(frame["text"])
                    outcome.delays.append(now - outcome.sent(frame["end"]))
            case "ended":
                outcome.account = frame["account"]
            case _:
                outcome.trouble = frame.get("message", frame["type"])


async def run(server: Serving, streams: int, seconds: float) -> tuple[list[Outcome], list[Moment]]:
    """All streams, and the server's use of the machine each second meanwhile."""
    count = max(1, int(seconds / UTTERANCE))
    moments: list[Moment] = []
    watcher = asyncio.create_task(_watch(server, moments))
    ramp = min(RAMP, seconds / 4)
    clients = (
        client(server.socket, utterances(index, streams, count), ramp * index / streams) for index in range(streams)
    )
    outcomes = await asyncio.gather(*clients)
    watcher.cancel()
    return list(outcomes), moments


async def _watch(server: Serving, moments: list[Moment]) -> None:
    start = time.perf_counter()
    while (usage := server.usage()) is not None:
        moments.append(Moment(time.perf_counter() - start, usage))
        await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run in figures."""

    streams: int
    seconds: float
    expected: int
    """Finals with text."""
    received: int
    wrong: list[int]
    """Streams with a missing, foreign or untrue final, a dropped sample, or an error."""
    troubles: list[str]
    foreign: int
    partials: int
    median: float
    """Seconds from commit to final."""
    p95: float
    worst: float
    client_late: float
    """Seconds by which the client itself was late at worst: with much of it the delays are the client's."""
    client_cpu: float
    """Cores used by the client."""
    server_cpu: float | None
    """Cores used by the server and its workers."""
    rss_start: float | None
    rss_warm: float | None
    rss_end: float | None

    @property
    def flat(self) -> bool:
        """Whether memory stayed as it was once the run was warm."""
        return self.rss_warm is None or self.rss_end is None or self.rss_end <= self.rss_warm * (1 + GROWTH)

    @property
    def good(self) -> bool:
        """Nothing missing, nothing foreign, nothing dropped, memory flat."""
        return not self.wrong and self.received == self.expected and self.flat


def report(outcomes: list[Outcome], moments: list[Moment], seconds: float, client_cpu: float) -> Report:
    """Sum up."""
    delays = np.array([delay for outcome in outcomes for delay in outcome.delays] or [np.nan])
    sizes = [moment.usage.rss for moment in moments]
    tenth = max(1, len(sizes) // 10)
    warm = int(len(sizes) * WARM)
    spent = moments[-1].usage.cpu - moments[0].usage.cpu if len(moments) > 1 else None
    return Report(
        streams=len(outcomes),
        seconds=round(seconds, 1),
        expected=sum(len(outcome.expected) for outcome in outcomes),
        received=sum(len(outcome.finals) for outcome in outcomes),
        wrong=[index for index, outcome in enumerate(outcomes) if not outcome.right],
        troubles=sorted({outcome.trouble for outcome in outcomes if outcome.trouble}),
        foreign=sum(outcome.foreign for outcome in outcomes),
        partials=sum(outcome.partials for outcome in outcomes),
        median=round(float(np.median(delays)), 4),
        p95=round(float(np.quantile(delays, 0.95)), 4),
        worst=round(float(delays.max()), 4),
        client_late=round(max(outcome.late for outcome in outcomes), 4),
        client_cpu=round(client_cpu / seconds, 3),
        server_cpu=None if spent is None else round(spent / (moments[-1].at - moments[0].at), 3),
        rss_start=round(sizes[0], 1) if sizes else None,
        rss_warm=round(float(np.mean(sizes[warm : warm + tenth])), 1) if sizes else None,
        rss_end=round(float(np.mean(sizes[-tenth:])), 1) if sizes else None,
    )


def table(told: Report) -> str:
    """A Markdown table."""
    memory = "not measured (no /proc here)"
    if told.rss_start is not None:
        memory = f"{told.rss_start:.0f} MB, {told.rss_warm:.0f} MB, {told.rss_end:.0f} MB"
    cores = "not measured" if told.server_cpu is None else f"{told.server_cpu:.2f} cores"
    rows = {
        "streams, seconds": f"{told.streams}, {told.seconds:.0f} s",
        "finals expected, received": f"{told.expected}, {told.received}",
        "partials": f"{told.partials}",
        "streams with anything wrong": f"{len(told.wrong)}",
        "words of another stream": f"{told.foreign}",
        "commit to final: median, 95 %, worst": " ms, ".join(
            f"{1000 * delay:.0f}" for delay in (told.median, told.p95, told.worst)
        )
        + " ms",
        "server and workers": cores,
        "client": f"{told.client_cpu:.2f} cores, late by {1000 * told.client_late:.0f} ms at worst",
        "memory at the start, warm, at the end": memory,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the streams, a quarter of the time")
    arguments.add_argument("--streams", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=60.0, help="of audio in each stream")
    arguments.add_argument("--model", default="fake", help="fake, fake-streaming, or with a cost: fake?cost=0.01")
    arguments.add_argument("--json", type=Path, default=OUT / "load.json", help="where to write the figures")
    chosen = arguments.parse_args()
    if chosen.quick:
        chosen.streams, chosen.seconds = chosen.streams // 10, chosen.seconds / 4
    environment = {
        "STENOD_ENDPOINTING_VAD": "energy",  # tones are no speech for a detector of speech
        "STENOD_SERVER_MAX_CONNECTIONS": str(chosen.streams + 10),
    }
    with serving("--model", chosen.model, **environment) as server:
        print(f"{chosen.streams} streams of {chosen.seconds:.0f} s on {chosen.model}, {os.cpu_count()} cores ...\n")
        began, spent = time.perf_counter(), time.process_time()
        outcomes, moments = asyncio.run(run(server, chosen.streams, chosen.seconds))
        seconds = time.perf_counter() - began
        told = report(outcomes, moments, seconds, time.process_time() - spent)
    print(table(told))
    chosen.json.parent.mkdir(exist_ok=True)
    saved = asdict(told) | {"flat": told.flat, "good": told.good, "moments": [asdict(each) for each in moments]}
    chosen.json.write_text(json.dumps(saved, indent=1))
    for index in told.wrong[:5]:
        _explain(index, outcomes[index])
    if not told.flat:
        print(f"MISSED memory grew from {told.rss_warm} to {told.rss_end} MB")
    return 0 if told.good else 1


def _explain(index: int, outcome: Outcome) -> None:
    print(
        f"WRONG stream {index}: {len(outcome.finals)} of {len(outcome.expected)} finals, {outcome.foreign} foreign words,"
        f" account {outcome.account} {outcome.trouble}"
    )
    pairs = zip(outcome.expected, outcome.finals, strict=False)
    wanted, heard = next(((one, other) for one, other in pairs if one != other), ("", ""))
    if wanted != heard:
        print(f"  said  {wanted}\n  heard {heard}")


if __name__ == "__main__":
    sys.exit(main())
