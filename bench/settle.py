"""What waiting buys stable text: how often promises break, by the seconds of audio that must follow a promised word.

Each file is heard as one utterance, a partial every 0.3 s of audio, by the bare engine and the session's own rule of
stability. Delays are in seconds of audio: what decoding and the network take comes on top. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import reduce
from operator import add
from pathlib import Path
from statistics import median

from _speech import SPEECH, engine_of, find, samples
from _words import shared

from stenod.options import RATE, DecodeOptions
from stenod.session import stability
from stenod.session.stability import Stability
from stenod.transcript import Transcript

SETTLES = (0.0, 0.15, 0.3, 0.5, 0.7, 1.0)
INTERVAL = 0.3


@dataclass(frozen=True, slots=True)
class Promises:
    """What was promised of some text, and what came of it."""

    words: int = 0
    promised: int = 0
    """Words that were promised before the end."""
    broken: int = 0
    """Of these, words that the final text changed or left out."""
    delays: tuple[float, ...] = ()
    """Seconds from the end of a word to its being promised; of words that were never, to the end of the audio."""

    def __add__(self, other: Promises) -> Promises:
        return Promises(
            self.words + other.words,
            self.promised + other.promised,
            self.broken + other.broken,
            self.delays + other.delays,
        )


def hear(path: Path, model: str) -> list[Promises]:
    """The promises made on one file, for each of `SETTLES`."""
    engine, audio = engine_of(model), samples(path)
    state = engine.open(DecodeOptions())
    heard: list[tuple[float, Transcript]] = []
    step = round(INTERVAL * RATE)
    for start in range(0, len(audio), step):
        chunk = audio[start : start + step]
        last = start + step >= len(audio)
        heard.append(((start + len(chunk)) / RATE, engine.step([state], [chunk], [last])[0]))
    engine.close([state])
    return [_promises(heard, settle) for settle in SETTLES]


def _promises(heard: Sequence[tuple[float, Transcript]], settle: float) -> Promises:
    stability.SETTLE = settle
    (end, final), rule = heard[-1], Stability()
    said = [word.text for word in final.words]
    when = [end] * len(said)
    for upto, transcript in heard[:-1]:
        rule.hear(transcript, upto=upto)
        right = shared([word.text for word in rule.promised], said)
        when[:right] = [min(upto, before) for before in when[:right]]
    promised = [word.text for word in rule.promised]
    delays = tuple(max(0.0, at - word.end) for at, word in zip(when, final.words, strict=True))
    kept = sum(block.size for block in SequenceMatcher(None, promised, said, autojunk=False).get_matching_blocks())
    return Promises(len(said), len(promised), len(promised) - kept, delays)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="the project's own samples only")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    arguments.add_argument("--model", default="auto")
    chosen = arguments.parse_args()
    items = find(chosen.speech, "quick" if chosen.quick else "short")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        each = list(pool.map(hear, [item.path for item in items], [chosen.model] * len(items)))
    synthetic = [promises for item, promises in zip(items, each, strict=True) if item.synthetic]
    recorded = [promises for item, promises in zip(items, each, strict=True) if not item.synthetic]
    for name, group in (("samples", synthetic), ("recorded speech", recorded)):
        if group:
            print("\n".join(["", *table(name, group)]))
    return 0


def table(name: str, group: Sequence[Sequence[Promises]]) -> list[str]:
    """A Markdown table, a row for each wait."""
    lines = [f"| {name}: wait | words promised | of these broken | word to promise, median |", "|---|---|---|---|"]
    for index, settle in enumerate(SETTLES):
        told = reduce(add, (promises[index] for promises in group))
        broken = told.broken / max(1, told.promised)
        share = told.promised / told.words
        lines.append(f"| {settle:g} s | {100 * share:.0f} % | {100 * broken:.1f} % | {median(told.delays):.2f} s |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
