"""What hotwords do: recall of the words that were listed, and word errors elsewhere.

Each utterance is decoded without hotwords, with the words that matter in it, with these among strangers, and with the
strangers alone. Recorded speech: what matters are words of five letters and more that no other utterance has, strangers are
a hundred such words of others. The small model (`tests/models/small`): what matters is the one word that is easily mistaken,
a rare spelling or a near sound. Prints a table for each, writes `bench/out/hotwords.json`; the exit code is 1 where hotwords
lower recall, or raise errors elsewhere by more than half a point.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
from _alignment import hits
from _speech import REPOSITORY, SPEECH, Item, engine_of, find, samples
from _words import distance, words
from numpy.typing import NDArray

from stenod.engines.base import Request
from stenod.options import DecodeOptions

OUT: Final = Path(__file__).resolve().parent / "out"
SMALL: Final = REPOSITORY / "tests" / "models" / "small"
QUARTZNET: Final = REPOSITORY.parent / "shared" / "models" / "quartznet15x5-en"

SLACK: Final = 0.005
STRANGERS: Final = 100
LETTERS: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """An utterance, and the words that matter in it."""

    samples: NDArray[np.float32]
    text: str
    about: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a set under one condition; counts of words."""

    heard: int
    """Of the words that matter."""
    matter: int
    errors: int
    elsewhere: int
    """Errors that are no misses of words that matter."""
    words: int
    false: int
    """Hotwords written that were not said."""

    @property
    def recall(self) -> float:
        """Of the words that matter."""
        return self.heard / max(1, self.matter)

    @property
    def others(self) -> float:
        """The error rate of the other words."""
        return self.elsewhere / max(1, self.words - self.matter)

    def row(self, name: str) -> str:
        """A row of the table."""
        return (
            f"| {name} | {self.heard}/{self.matter} = {100 * self.recall:.1f} % | {100 * self.errors / self.words:.2f} % "
            f"| {100 * self.others:.2f} % | {self.false} |"
        )


def measure(engine: Any, takes: Sequence[Spoken], lists: Sequence[tuple[str, ...]]) -> Found:
    """Decode each utterance with its list of hotwords."""
    heard = matter = errors = elsewhere = count = false = 0
    most = engine.capabilities.max_batch
    requests = [
        Request(one.samples, DecodeOptions(hotwords=hotwords)) for one, hotwords in zip(takes, lists, strict=True)
    ]
    found = [one for at in range(0, len(requests), most) for one in engine.transcribe(requests[at : at + most])]
    for one, hotwords, transcript in zip(takes, lists, found, strict=True):
        reference, said = words(one.text), words(transcript.text)
        there, _ = hits(reference, said)
        mine = [hit for word, hit in zip(reference, there, strict=True) if word in one.about]
        wrong = distance(reference, said)
        heard, matter, errors, count = heard + sum(mine), matter + len(mine), errors + wrong, count + len(reference)
        elsewhere += wrong - mine.count(False)
        extra = Counter(said) - Counter(reference)
        false += sum(extra[word] for word in {part for phrase in hotwords for part in words(phrase)})
    return Found(heard, matter, errors, elsewhere, count, false)


def conditions(takes: Sequence[Spoken], strangers: Sequence[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """The lists of hotwords of each utterance, under each condition; `strangers` are in none of the texts."""
    own = [tuple(sorted(one.about)) for one in takes]
    return {
        "without": [()] * len(takes),
        "its own words": own,
        "its own among strangers": [mine + others for mine, others in zip(own, strangers, strict=True)],
        "strangers alone": list(strangers),
    }


def spoken(items: Sequence[Item]) -> tuple[list[Spoken], list[tuple[str, ...]]]:
    """Recorded utterances, and strangers for each."""
    texts = [words(item.reference) for item in items]
    uses = Counter(word for text in texts for word in set(text))
    rare = [sorted({word for word in text if uses[word] == 1 and len(word) >= LETTERS}) for text in texts]
    found = [
        Spoken(samples(item.path), item.reference, frozenset(mine)) for item, mine in zip(items, rare, strict=True)
    ]
    return found, [_strangers(rare, at) for at in range(len(rare))]


def _strangers(rare: Sequence[Sequence[str]], at: int) -> tuple[str, ...]:
    """So many words of other utterances, not the same for all."""
    others = [word for index, mine in enumerate(rare) if index != at for word in mine]
    chosen = np.random.default_rng(at).choice(len(others), min(STRANGERS, len(others)), replace=False)
    return tuple(others[index] for index in sorted(chosen.tolist()))


STRANGE: Final = ("zebra", "margaret", "kaleidoscope", "benton", "finland", "horatio", "stella", "gregory")
"""Words that the small model does not know."""


def synthesised(rounds: int) -> tuple[list[Spoken], list[tuple[str, ...]]]:
    """The small model's confusable takes, `rounds` of them where flite is there, else the committed ones."""
    sys.path.insert(0, str(REPOSITORY / "tests"))
    try:
        if rounds:
            takes = import_module("support.synthesis").confusable(rounds)
        else:
            takes = import_module("support.small_model").speech("rare", "confusable")
    finally:
        sys.path.remove(str(REPOSITORY / "tests"))
    found = [Spoken(take.samples, take.text, frozenset({take.about})) for take in takes]
    return found, [STRANGE] * len(found)


def table(name: str, engine: Any, takes: Sequence[Spoken], strangers: Sequence[tuple[str, ...]]) -> dict[str, Found]:
    """Print it, and give the figures."""
    print(f"\n{name}: {len(takes)} utterances\n")
    print("| hotwords | recall of words that matter | all word errors | errors elsewhere | written, not said |")
    print("|---|---|---|---|---|")
    found = {}
    for condition, lists in conditions(takes, strangers).items():
        found[condition] = measure(engine, takes, lists)
        print(found[condition].row(condition), flush=True)
    return found


def missed(found: dict[str, Found]) -> list[str]:
    """What hotwords spoil."""
    plain = found["without"]
    worse = [name for name, one in found.items() if one.others > plain.others + SLACK]
    lower = [name for name in ("its own words", "its own among strangers") if found[name].recall < plain.recall]
    return [f"{name}: more errors elsewhere" for name in worse] + [f"{name}: recall falls" for name in lower]


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", dest="which", action="store_const", const="quick", help="no recorded speech")
    arguments.add_argument("--all", dest="which", action="store_const", const="all", default="short")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    arguments.add_argument("--model", default=str(QUARTZNET), help="for recorded speech")
    arguments.add_argument("--rounds", type=int, default=0, help="of the small model's takes, synthesised by flite")
    chosen = arguments.parse_args()
    tables = {"the small model": table("the small model", engine_of(f"{SMALL}"), *synthesised(chosen.rounds))}
    items = [item for item in find(chosen.speech, chosen.which) if not item.synthetic]
    if items and Path(chosen.model).is_dir():
        tables["recorded"] = table("recorded speech", engine_of(chosen.model), *spoken(items))
    OUT.mkdir(exist_ok=True)
    saved = {name: {condition: asdict(one) for condition, one in found.items()} for name, found in tables.items()}
    (OUT / "hotwords.json").write_text(json.dumps(saved, indent=1))
    spoilt = [f"MISSED {name}, {what}" for name, found in tables.items() for what in missed(found)]
    print("\n".join(spoilt))
    return int(bool(spoilt))


if __name__ == "__main__":
    sys.exit(main())
