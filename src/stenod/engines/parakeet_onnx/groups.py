"""Which items of a batch go through the encoder together. Pure arithmetic.

A run of the encoder costs something by itself and something for each frame of each item, padding included. On a processor
the frames of a large model cost so much more than the run that items of unlike length are better alone; on a GPU, or with a
small model, one run for many is what pays. So the costs are measured when the model is loaded, and the cheapest way to cut
the batch, sorted by length, is found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What the encoder takes."""

    run: float = 0.0
    """A run by itself, in frames of features that take as long."""
    most: int = 200_000
    """Frames in one run, padding included; a longer item goes alone."""
    even: bool = False
    """Only items of one length may share a run (a network that does not know where an item ends)."""


def groups(lengths: Sequence[int], costs: Costs) -> list[list[int]]:
    """Indices of the items of each run; `lengths` in frames. Items of no length are in none."""
    order = sorted((index for index, length in enumerate(lengths) if length), key=lambda index: lengths[index])
    best: list[tuple[float, int]] = [(0.0, 0)]
    """For the first n items: what they cost, and where their last run begins."""
    for end in range(1, len(order) + 1):
        longest = lengths[order[end - 1]]
        ways = []
        for begin in range(end - 1, -1, -1):
            frames = longest * (end - begin)
            alone = begin == end - 1
            if not alone and (frames > costs.most or (costs.even and lengths[order[begin]] != longest)):
                break
            ways.append((best[begin][0] + costs.run + frames, begin))
        best.append(min(ways))
    runs: list[list[int]] = []
    end = len(order)
    while end:
        begin = best[end][1]
        runs.append(order[begin:end])
        end = begin
    return runs[::-1]
