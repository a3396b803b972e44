"""Throughput of `parakeet-onnx` beside onnx-asr and sherpa-onnx: the same weights, the same threads, in one run.

The weights have the shape of Parakeet-TDT-0.6B and are random, with a token rate like that of speech: what they write means
nothing, and takes as long as if it did. `tools/random_parakeet.py` makes them (`--folder` names another place, or a real
model). One utterance of 10 s is decoded alone, sixteen of 8 to 12 s together, as the server makes its batches, and sixteen
of 2 to 30 s; the systems take turns, round after round, so that a machine that changes its pace changes it for all, and the
ratio of each round is what counts.

Prints a table, writes `bench/out/decode.json` and, where matplotlib is installed, `bench/out/decode.png`. The exit code is 1
where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from _speech import REPOSITORY, SAMPLES, samples
from numpy.typing import NDArray

from stenod.engines.base import LoadOptions, Request
from stenod.engines.registry import Registry
from stenod.options import RATE, DecodeOptions

OUT: Final = Path(__file__).resolve().parent / "out"
FOLDER: Final = OUT / "random-parakeet"
ALONE, ALIKE, MIXED = "one of 10 s", "sixteen of 8 to 12 s", "sixteen of 2 to 30 s"
BATCHES: Final[Mapping[str, Sequence[float]]] = {
    ALONE: (10.0,),
    ALIKE: np.linspace(8, 12, 16).round(1).tolist(),
    MIXED: np.linspace(2, 30, 16).round(1).tolist(),
}
"""Lengths of the utterances in seconds."""

TIMES: Final = {ALONE: 5}
"""What is short is measured so often in each round."""

Waves = list[NDArray[np.float32]]


@dataclass(slots=True)
class Clock:
    """Seconds spent in functions that were wrapped."""

    seconds: float = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


@dataclass(slots=True)
class System:
    """A way to decode a batch. Clocks count what its parts took, where its parts can be reached."""

    name: str
    run: Callable[[Waves], list[str]]
    encoder: Clock | None = None
    front: Clock | None = None
    """Features."""


@dataclass(frozen=True, slots=True)
class Run:
    """One system on one batch, once. Seconds."""

    system: str
    batch: str
    wall: float
    encoder: float | None
    front: float | None
    texts: list[str] = field(default_factory=list)

    @property
    def decoder(self) -> float | None:
        """What is neither features nor encoder: the search, and turning tokens into text."""
        return None if self.encoder is None or self.front is None else self.wall - self.encoder - self.front


# ----------------------------------------------------------------------------------------------------------- the systems


def stenod(folder: Path, threads: int) -> System:
    """The engine as a worker process loads it."""
    registry = Registry.installed()
    model = registry.configure(str(folder))
    engine: Any = registry.family(model).load(model, LoadOptions(precision="fp32", device="cpu", threads=threads))
    encoder, front = Clock(), Clock()
    engine.encode = encoder.wrap(engine.encode)
    engine.features = front.wrap(engine.features)

    def run(waves: Waves) -> list[str]:
        return [one.text for one in engine.transcribe([Request(wave, DecodeOptions()) for wave in waves])]

    return System("stenod", run, encoder, front)


def onnx_asr(folder: Path, threads: int) -> System:
    """onnx-asr as its README calls it: a list of waveforms at once."""
    import onnx_asr as package  # noqa: PLC0415 optional
    import onnxruntime as rt  # noqa: PLC0415 heavy

    options = rt.SessionOptions()
    options.intra_op_num_threads = threads
    model: Any = package.load_model(
        "nemo-conformer-tdt", folder, sess_options=options, providers=["CPUExecutionProvider"]
    )
    encoder, front = Clock(), Clock()
    model.asr._encode = encoder.wrap(model.asr._encode)  # noqa: SLF001 there is no other way in
    model.asr._preprocessor = front.wrap(model.asr._preprocessor)  # noqa: SLF001
    return System("onnx-asr", lambda waves: list(model.recognize(list(waves))), encoder, front)


def sherpa_onnx(folder: Path, threads: int) -> System:
    """sherpa-onnx on the same weights in its own layout."""
    import sherpa_onnx as package  # noqa: PLC0415 optional

    layout = folder / "sherpa"
    recognizer: Any = package.OfflineRecognizer.from_transducer(
        encoder=str(layout / "encoder.onnx"),
        decoder=str(layout / "decoder.onnx"),
        joiner=str(layout / "joiner.onnx"),
        tokens=str(layout / "tokens.txt"),
        num_threads=threads,
        model_type="nemo_transducer",
    )

    def run(waves: Waves) -> list[str]:
        streams = [recognizer.create_stream() for _ in waves]
        for stream, wave in zip(streams, waves, strict=True):
            stream.accept_waveform(RATE, wave)
        recognizer.decode_streams(streams)
        return [stream.result.text for stream in streams]

    return System("sherpa-onnx", run)


SYSTEMS: Final = (stenod, onnx_asr, sherpa_onnx)


# ------------------------------------------------------------------------------------------------------------ measuring


def utterances(lengths: Sequence[float]) -> Waves:
    """Speech of those lengths in seconds, cut out of the project's own samples one after the other."""
    speech = np.concatenate([samples(path) for path in sorted(SAMPLES.glob("*.wav"))])
    starts = np.cumsum([0, *(int(seconds * RATE) for seconds in lengths)])
    spans = pairwise(starts)
    return [np.take(speech, np.arange(start, end), mode="wrap").astype(np.float32) for start, end in spans]


def once(system: System, batch: str, waves: Waves) -> Run:
    """One run, timed."""
    for clock in (system.encoder, system.front):
        if clock is not None:
            clock.seconds = 0.0
    began = time.perf_counter()
    texts = system.run(waves)
    wall = time.perf_counter() - began
    encoder = None if system.encoder is None else system.encoder.seconds
    front = None if system.front is None else system.front.seconds
    return Run(system.name, batch, wall, encoder, front, texts)


def turn(make: Callable[[Path, int], System], folder: Path, threads: int) -> list[Run]:
    """One system on every batch, after a run that warms up and is not counted."""
    system = make(folder, threads)
    system.run(utterances(BATCHES[ALONE]))
    return [
        once(system, batch, utterances(lengths))
        for batch, lengths in BATCHES.items()
        for _ in range(TIMES.get(batch, 1))
    ]


def measure(folder: Path, threads: int, rounds: int) -> list[Run]:
    """All systems in turn, each in a process of its own: the three together want more memory than most machines have."""
    runs: list[Run] = []
    for number in range(rounds):
        first = number % len(SYSTEMS)
        for make in (*SYSTEMS[first:], *SYSTEMS[:first]):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                found = pool.submit(turn, make, folder, threads).result()
            for run in found:
                print(f"  round {number + 1}, {run.batch}: {run.system} {run.wall:.2f} s", flush=True)
            runs += found
    return runs


# ----------------------------------------------------------------------------------------------------------- the answer


@dataclass(frozen=True, slots=True)
class Row:
    """One system at one batch size: medians over the rounds."""

    system: str
    batch: str
    speed: float
    """Seconds of audio a second."""
    encoder: float | None
    decoder: float | None
    outside: float | None
    """Share of the time that is not the encoder's."""
    throughput_ratio: float
    """Of its speed to onnx-asr's in the same round."""
    decoder_ratio: float | None
    """Of onnx-asr's decoder time to its own in the same round."""


def rows(runs: Sequence[Run]) -> list[Row]:
    """The table's figures. Rounds are matched in order."""
    found = []
    for batch, lengths in BATCHES.items():
        seconds = sum(lengths)
        base = [run for run in runs if run.system == "onnx-asr" and run.batch == batch]
        for name in dict.fromkeys(run.system for run in runs):
            own = [run for run in runs if run.system == name and run.batch == batch]
            encoders = [run.encoder for run in own if run.encoder is not None]
            decoders = [run.decoder for run in own if run.decoder is not None]
            pairs = list(zip(base, own, strict=True))
            ratios = [one.decoder / two.decoder for one, two in pairs if one.decoder and two.decoder]
            found.append(
                Row(
                    name,
                    batch,
                    median(seconds / run.wall for run in own),
                    median(encoders) if encoders else None,
                    median(decoders) if decoders else None,
                    median(1 - run.encoder / run.wall for run in own if run.encoder is not None) if encoders else None,
                    median(one.wall / two.wall for one, two in pairs),
                    median(ratios) if ratios else None,
                )
            )
    return found


def same(runs: Sequence[Run]) -> str:
    """How many texts are onnx-asr's to the letter."""
    texts = {(run.system, run.batch): run.texts for run in runs}
    pairs = [pair for batch in BATCHES for pair in zip(texts["stenod", batch], texts["onnx-asr", batch], strict=True)]
    return f"{sum(ours.strip() == theirs.strip() for ours, theirs in pairs)} of {len(pairs)} texts are onnx-asr's."


def table(found: Sequence[Row]) -> list[str]:
    """A Markdown table."""
    lines = [
        "| utterances | system | times speech | against onnx-asr | encoder | decoder | onnx-asr's decoder | not encoder |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in found:
        encoder = "-" if row.encoder is None else f"{row.encoder:.2f} s"
        decoder = "-" if row.decoder is None else f"{row.decoder:.3f} s"
        ratio = "-" if row.decoder_ratio is None else f"{row.decoder_ratio:.1f} times that"
        outside = "-" if row.outside is None else f"{100 * row.outside:.0f} %"
        lines.append(
            f"| {row.batch} | {row.system} | {row.speed:.1f} | {row.throughput_ratio:.2f} | {encoder} | {decoder} | {ratio}"
            f" | {outside} |"
        )
    return lines


def missed(found: Sequence[Row]) -> list[str]:
    """The targets that are missed, in words."""
    alone, alike, mixed = (
        next(row for row in found if row.system == "stenod" and row.batch == batch) for batch in (ALONE, ALIKE, MIXED)
    )
    checks = (
        (mixed.throughput_ratio >= 1.5, f"{mixed.throughput_ratio:.2f} times onnx-asr's throughput, wanted 1.5"),
        (alone.throughput_ratio >= 1.0, f"{alone.throughput_ratio:.2f} times onnx-asr's speed alone, wanted 1.0"),
        *(
            ((row.decoder_ratio or 0) >= 5, f"the decoder takes 1/{row.decoder_ratio} of onnx-asr's, wanted 1/5")
            for row in (alike, mixed)
        ),
        ((mixed.outside or 0) < 0.15, f"{mixed.outside} of the time is spent outside the encoder, wanted < 0.15"),
    )
    return [said for holds, said in checks if not holds]


def plot(found: Sequence[Row], path: Path) -> None:
    """Bars: how fast each system is, and how long its decoder takes."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 optional
    except ImportError:
        print("No plot: matplotlib is not installed (dependency group `bench`).")
        return
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    speed, decoder = figure.subplots(1, 2)
    batches = list(dict.fromkeys(row.batch for row in found))
    names = list(dict.fromkeys(row.system for row in found))
    for place, name in enumerate(names):
        own = {row.batch: row for row in found if row.system == name}
        at = [index + 0.25 * place for index in range(len(batches))]
        speed.bar(at, [own[batch].speed for batch in batches], 0.22, label=name)
        decoder.bar(at, [own[batch].decoder or 0 for batch in batches], 0.22, label=name)
    for axes, title in ((speed, "times as fast as speech"), (decoder, "decoder, seconds")):
        axes.set(title=title, xticks=[index + 0.25 for index in range(len(batches))])
        axes.set_xticklabels(batches, fontsize="small")
    speed.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    print(f"Plot: {path.relative_to(REPOSITORY)}")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="one round")
    arguments.add_argument("--folder", type=Path, default=FOLDER, help="the model, in onnx-asr's layout")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = arguments.parse_args()
    lacking = [name for name in ("nemo", "onnx_asr", "sherpa_onnx") if find_spec(name) is None]
    if lacking:
        print(f"Nothing to compare with: {', '.join(lacking)} not installed (`make bench` does that).")
        return 0
    if not chosen.folder.is_dir():
        print("Making the model, once: some minutes and 6 GB of memory ...", flush=True)
        subprocess.run([sys.executable, REPOSITORY / "tools" / "random_parakeet.py", chosen.folder], check=True)
    runs = measure(chosen.folder, chosen.threads, 1 if chosen.quick else chosen.rounds)
    found = rows(runs)
    print(f"\n{chosen.threads} threads, fp32.\n")
    print("\n".join(table(found)))
    print(f"\n{same(runs)}")
    OUT.mkdir(exist_ok=True)
    saved = {"rows": [asdict(row) for row in found], "runs": [asdict(run) for run in runs]}
    (OUT / "decode.json").write_text(json.dumps(saved, indent=1))
    plot(found, OUT / "decode.png")
    misses = missed(found)
    for miss in misses:
        print(f"MISSED {miss}")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
