"""How well word confidences tell wrong words from right ones: AUROC on speech whose words are known.

The chance that a right word has a higher confidence than a wrong one: 0.5 is guessing. For a CTC model the table is over
the methods of `stenod.decoding.confidence` (arXiv 2212.08703) and ways to make a word's confidence of its tokens'; for
others it has the engine's own. Beside it, the mean of right words and of wrong ones, and how far confidences are from the
share of right words among those that have them (expected calibration error, ten bins). Prints a table, writes
`bench/out/confidence.json`; the exit code is 1 where the engine's own is below 0.65.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from _alignment import hits
from _speech import SPEECH, Item, engine_of, find, samples
from _words import words as normal

from stenod.decoding import ctc
from stenod.decoding.confidence import AGGREGATION, METHOD, Aggregation, Method
from stenod.decoding.words import words
from stenod.engines.base import Request
from stenod.engines.parakeet_onnx.engine import Ctc
from stenod.options import DecodeOptions
from stenod.transcript import Word

OUT: Final = Path(__file__).resolve().parent / "out"
QUARTZNET: Final = Path(__file__).resolve().parent.parent.parent / "shared" / "models" / "quartznet15x5-en"

WANTED: Final = 0.65

METHODS: Final = (
    Method(entropy="max", alpha=1.0),
    Method(entropy="max"),
    *(
        Method(entropy=entropy, alpha=alpha, norm=norm)
        for entropy in ("gibbs", "tsallis", "renyi")
        for alpha in ((1.0, 0.5, 0.33, 0.25) if entropy == "gibbs" else (0.5, 0.33, 0.25))
        for norm in ("lin", "exp")
    ),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """Confidences of words, and which of them are right; both (words,)."""

    confidences: np.ndarray[Any, np.dtype[np.float64]]
    right: np.ndarray[Any, np.dtype[np.bool_]]

    @property
    def auroc(self) -> float:
        """The chance that a right word is above a wrong one; draws count half."""
        above, below = self.confidences[self.right], self.confidences[~self.right]
        wins = (above[:, None] > below).mean() + 0.5 * (above[:, None] == below).mean()
        return float(wins)

    @property
    def calibration(self) -> float:
        """Expected calibration error: 0 where of words with a confidence of 0.8 four in five are right."""
        bins = np.minimum((self.confidences * 10).astype(int), 9)
        gaps = [(self.confidences[bins == one] - self.right[bins == one]).sum() for one in range(10)]
        return float(np.abs(gaps).sum() / len(bins))


def judged(heard: Sequence[tuple[str, Sequence[Word]]]) -> Judged:
    """Words beside the references of what was said."""
    pairs = list(_judged(heard))
    return Judged(np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs]))


def _judged(heard: Sequence[tuple[str, Sequence[Word]]]) -> Iterator[tuple[float, bool]]:
    for reference, found in heard:
        parts = [normal(word.text) for word in found]
        _, right = hits(normal(reference), [part for one in parts for part in one])
        at = 0
        for word, one in zip(found, parts, strict=True):
            if one and word.confidence is not None:
                yield word.confidence, all(right[at : at + len(one)])
            at += len(one)


def own(engine: Any, items: Sequence[Item]) -> Judged:
    """The engine's own confidences."""
    requests = [Request(samples(item.path), DecodeOptions()) for item in items]
    found = [engine.transcribe([request])[0] for request in requests]
    return judged([(item.reference, one.words) for item, one in zip(items, found, strict=True)])


def every(engine: Any, items: Sequence[Item]) -> Iterator[tuple[Method, Aggregation, Judged]]:
    """Every method, of a CTC engine's output."""
    outputs = []
    for item in items:
        features, lengths = engine.features([samples(item.path)])
        [(_, log_probs, ends)] = engine.encoded(features, lengths)
        outputs.append((item.reference, log_probs, ends))
    for method in METHODS:
        tokens = [
            (said, ctc.greedy(log_probs, ends, blank=engine.blank, seconds=engine.seconds, method=method)[0])
            for said, log_probs, ends in outputs
        ]
        for aggregation in get_args(Aggregation):
            yield (
                method,
                aggregation,
                judged([(said, words(one, engine.vocabulary, aggregation)) for said, one in tokens]),
            )


def row(method: str, aggregation: str, found: Judged) -> str:
    sure = found.confidences
    right, wrong = float(sure[found.right].mean()), float(sure[~found.right].mean())
    return f"| {method} | {aggregation} | {found.auroc:.3f} | {right:.2f} | {wrong:.2f} | {found.calibration:.2f} |"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", dest="which", action="store_const", const="quick", help="no recorded speech")
    arguments.add_argument("--all", dest="which", action="store_const", const="all", default="short")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    arguments.add_argument("--model", default=f"{QUARTZNET}")
    chosen = arguments.parse_args()
    items = [item for item in find(chosen.speech, chosen.which) if not item.synthetic]
    if not items or not Path(chosen.model).is_dir():
        print("Without recorded speech and real weights there is nothing to be said.")
        return 0
    engine = engine_of(chosen.model)
    ours = own(engine, items)
    print(f"{len(items)} files, {len(ours.right)} words, {int((~ours.right).sum())} of them wrong\n")
    print("| confidence | of a word's tokens | AUROC | mean of right words | of wrong ones | calibration error |")
    print("|---|---|---|---|---|---|")
    print(row("**the engine's own**", AGGREGATION, ours))
    table = []
    for method, aggregation, found in every(engine, items) if isinstance(engine, Ctc) else ():
        name = f"{method.entropy} {method.alpha:g} {method.norm}" + " (default)" * (method == METHOD)
        print(row(name, aggregation, found))
        table.append({"method": name, "aggregation": aggregation, "auroc": found.auroc, "ece": found.calibration})
    OUT.mkdir(exist_ok=True)
    (OUT / "confidence.json").write_text(json.dumps({"own": ours.auroc, "table": table}, indent=1))
    if ours.auroc < WANTED:
        print(f"MISSED: {ours.auroc:.3f}, wanted {WANTED}")
    return int(ours.auroc < WANTED)


if __name__ == "__main__":
    sys.exit(main())
