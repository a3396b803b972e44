"""What a reader of live text would notice, from one stream's frames: how soon, how steady, how true. Pure.

Delays count from the moment at which the client had sent the audio concerned, so the network, the detector, the recogniser
and the queues between them are all in it. Seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, median

from _client import Frame, Take
from _words import shared, words


@dataclass(slots=True)
class Promptness:
    """Measures of one stream, or of several together."""

    partials: int = 0
    grown: int = 0
    """Partials whose text is longer than that of the one before."""
    finals: int = 0
    broken: int = 0
    """Times that text once called stable was not the beginning of what came later. Must be 0."""
    spoken: int = 0
    """Words of the finals."""
    early: int = 0
    """Of these, words that were stable before the utterance was committed."""
    shown: int = 0
    """Words of all partials."""
    wrong: int = 0
    """Of these, words that the final does not have there: `wrong / shown` is the unstable partial word ratio (after
    Shangguan et al., "Analyzing the quality and stability of a streaming end-to-end on-device speech recognizer", 2020)."""
    erased: int = 0
    """Words that the next text took back: `erased / spoken` is normalised erasure (Arivazhagan et al., "Re-translation
    versus streaming for simultaneous translation", 2020)."""
    to_partial: list[float] = field(default_factory=list)
    """From a partial being due to its arrival."""
    to_stable: list[float] = field(default_factory=list)
    """From the end of a word to its being stable; where no partial called it so, to its final."""
    to_final: list[float] = field(default_factory=list)
    """From a silence committing an utterance to its final."""
    to_commanded: list[float] = field(default_factory=list)
    """From a client's commit to its final."""
    untrue: list[str] = field(default_factory=list)
    """What was heard where it is not what was said."""

    def __add__(self, other: Promptness) -> Promptness:
        return Promptness(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    def summary(self) -> dict[str, float | None]:
        """The figures of the table."""
        return {
            "partials": self.partials,
            "growing": _share(self.grown, self.partials),
            "finals": self.finals,
            "broken promises": self.broken,
            "stable before commit": _share(self.early, self.spoken),
            "word to stable, median": median(self.to_stable) if self.to_stable else None,
            "partial, mean": fmean(self.to_partial) if self.to_partial else None,
            "final, mean": fmean(self.to_final) if self.to_final else None,
            "final, worst": max(self.to_final, default=None),
            "unstable partial words": _share(self.wrong, self.shown),
            "normalised erasure": _share(self.erased, self.spoken),
            "untrue": len(self.untrue),
        }


def promptness(take: Take, text: str, ends: Sequence[float]) -> Promptness:
    """Measure one stream in which `text` was said, its words ending at `ends` (seconds of the stream)."""
    told = Promptness()
    commits = list(take.commits)
    times = list(ends) if words(take.text) == words(text) else _own_times(take)
    if words(take.text) != words(text):
        told.untrue.append(take.text)
    for final in take.of("final"):
        count = len(words(final.body["text"]))
        mine, times = times[:count], times[count:]
        decided = _decided(take, final, commits, told)
        _utterance(told, take, final, decided, mine)
    return told


def _decided(take: Take, final: Frame, commits: list[float], told: Promptness) -> float:
    """When it was decided that the utterance is over; notes how long its final then took."""
    match final.body["cause"]:
        case "client":
            decided = commits.pop(0)
            told.to_commanded.append(final.at - decided)
        case "silence":
            decided = take.sent(final.body["end"])
            told.to_final.append(final.at - decided)
        case _:
            decided = take.times[-1]
    return decided


def _utterance(told: Promptness, take: Take, final: Frame, decided: float, ends: Sequence[float]) -> None:
    """Note how the text of one utterance came about."""
    partials = [frame for frame in take.of("partial") if frame.body["utterance"] == final.body["utterance"]]
    said = words(final.body["text"])
    stable_at = [final.at] * len(said)
    promise, last = "", list[str]()
    told.finals += 1
    told.spoken += len(said)
    told.partials += len(partials)
    for frame in (*partials, final):
        shown, stable = words(frame.body["text"]), frame.body["stable_text"]
        told.broken += not (stable.startswith(promise) and frame.body["text"].startswith(stable))
        told.erased += len(last) - shared(last, shown)
        if frame is not final:
            told.grown += len(shown) > len(last)
            told.shown += len(shown)
            told.wrong += len(shown) - shared(shown, said)
            told.to_partial.append(frame.at - take.sent(frame.body["end"]))
        for index in range(shared(words(stable), said)):
            stable_at[index] = min(stable_at[index], frame.at)
        promise, last = stable, shown
    told.early += sum(at < decided for at in stable_at)
    told.to_stable += [at - take.sent(end) for at, end in zip(stable_at, ends, strict=False)]


def _own_times(take: Take) -> list[float]:
    """The word ends that the recogniser itself gives."""
    return [word["end"] for final in take.of("final") for word in final.body["words"]]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
