"""How promptly a server answers, from takes of streams: statistics, a table, a verdict. Pure.

Counted from the moment at which the client had sent the audio concerned, so the network, the queues, the detector and the
recogniser are all in it:

* *partial*: until a partial comes, from the end of the audio it covers;
* *final*: until a final comes, from the end of the audio it covers, which is where the server decided that the utterance is
  over; *final after speech* counts from the end of its last word, with the silence that the server waited for;
* *end*: until the server has said everything, from the client's saying that it has.

A dialect that does not tell what its texts cover is measured from the end of the last word; one that tells neither cannot be
measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import fmean
from typing import Final

from stenod.cli.streaming import Take

PARTIAL_TARGET: Final = 0.3
FINAL_TARGET: Final = 0.6
"""Seconds, of the mean."""


@dataclass(slots=True)
class Latency:
    """Latencies in seconds, of one stream or of several together."""

    partial: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)
    after_speech: list[float] = field(default_factory=list)
    to_end: list[float] = field(default_factory=list)
    """From the client's saying that it is done to the server's saying the same."""
    by_word: bool = False
    """Some texts did not say what they cover."""
    unmeasured: int = 0
    """Texts that said nothing of their place in the audio."""


def measure(takes: Iterable[Take]) -> Latency:
    """The latencies of some streams."""
    found = Latency()
    for take in takes:
        for heard in take.of("partial") + take.of("final"):
            said = heard.said
            if not take.times or not said.text:
                continue
            since = said.upto if said.upto is not None else said.spoken
            if since is None:
                found.unmeasured += 1
                continue
            found.by_word |= said.upto is None
            delays = found.partial if said.kind == "partial" else found.final
            delays.append(heard.at - take.sent(since))
            if said.kind == "final" and said.spoken is not None:
                found.after_speech.append(heard.at - take.sent(said.spoken))
        if take.ended is not None and take.closed is not None:
            found.to_end.append(take.closed - take.ended)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that `share` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def table(found: Latency) -> list[str]:
    """A line for each kind, in milliseconds."""
    rows: list[tuple[str, ...]] = [("latency, ms", "count", "mean", "p50", "p95", "max")]
    for name, values in (
        ("partial", found.partial),
        ("final", found.final),
        ("final after speech", found.after_speech),
        ("end", found.to_end),
    ):
        if values:
            figures = (fmean(values), percentile(values, 0.5), percentile(values, 0.95), max(values))
            rows.append((name, str(len(values)), *(f"{1000 * figure:.0f}" for figure in figures)))
        else:
            rows.append((name, "0", "-", "-", "-", "-"))
    lines = [f"{row[0]:<18}" + "".join(f"{cell:>8}" for cell in row[1:]) for row in rows]
    if found.by_word:
        lines.append("This dialect does not say what audio a text covers: counted from the end of its last word.")
    if found.unmeasured:
        lines.append(f"{found.unmeasured} texts said nothing of their place in the audio and are not counted.")
    return lines


def verdict(found: Latency) -> list[tuple[bool, str]]:
    """Whether the means keep to the targets; what never came, or could not be measured, does not."""
    return [
        _judged("partial", found.partial, PARTIAL_TARGET),
        _judged("final", found.final, FINAL_TARGET),
    ]


def _judged(name: str, values: Sequence[float], target: float) -> tuple[bool, str]:
    if not values:
        return False, f"no {name} could be measured"
    mean = fmean(values)
    passed = mean < target
    return passed, f"mean {name} latency {1000 * mean:.0f} ms is {'' if passed else 'not '}below {1000 * target:.0f} ms"
