"""Which words of two texts answer each other. Pure functions on lists of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def hits(reference: Sequence[str], heard: Sequence[str]) -> tuple[list[bool], list[bool]]:
    """Which words of the reference were heard, and which heard words are right, by Levenshtein's alignment."""
    costs = np.zeros((len(reference) + 1, len(heard) + 1), np.int64)
    costs[:, 0], costs[0] = range(len(reference) + 1), range(len(heard) + 1)
    for i, wanted in enumerate(reference, 1):
        for j, found in enumerate(heard, 1):
            costs[i, j] = min(costs[i - 1, j] + 1, costs[i, j - 1] + 1, costs[i - 1, j - 1] + (wanted != found))
    there, right = [False] * len(reference), [False] * len(heard)
    i, j = len(reference), len(heard)
    while i and j:
        same = reference[i - 1] == heard[j - 1]
        if costs[i, j] == costs[i - 1, j - 1] + (not same):
            i, j = i - 1, j - 1
            there[i] = right[j] = same
        elif costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return there, right
