"""Which items share a run of the encoder."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from stenod.engines.parakeet_onnx.groups import Costs, groups

CHEAP, DEAR = Costs(run=0), Costs(run=1000)


@pytest.mark.parametrize(
    ("lengths", "costs", "expected"),
    [
        ([], DEAR, []),
        ([0, 0], DEAR, []),
        ([50], DEAR, [[0]]),
        ([50, 0, 60], DEAR, [[0, 2]]),
        ([300, 100, 200], CHEAP, [[1], [2], [0]]),
        ([100, 100, 3000], DEAR, [[0, 1], [2]]),
        ([100, 110, 120, 130], Costs(run=50), [[0, 1, 2, 3]]),
        ([100, 110, 1000, 1010], Costs(run=50), [[0, 1], [2, 3]]),
        ([500] * 5, Costs(run=1000, most=1000), [[0], [1, 2], [3, 4]]),
        ([5000], Costs(run=1000, most=1000), [[0]]),
        ([32, 16, 32, 48], Costs(run=1000, even=True), [[1], [0, 2], [3]]),
    ],
)
def test_table(lengths, costs, expected):
    assert groups(lengths, costs) == expected


def price(runs, lengths, costs):
    return sum(costs.run + len(run) * max(lengths[item] for item in run) for run in runs)


def partitions(items):
    """Every way to cut a list."""
    for cuts in itertools.product((False, True), repeat=max(0, len(items) - 1)):
        runs = [[items[0]]]
        for item, cut in zip(items[1:], cuts, strict=True):
            if cut:
                runs.append([])
            runs[-1].append(item)
        yield runs


@pytest.mark.parametrize("seed", range(20))
def test_no_other_way_is_cheaper(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 3000, 8).tolist()
    costs = Costs(run=float(rng.integers(0, 2000)))
    runs = groups(lengths, costs)
    assert sorted(itertools.chain(*runs)) == list(range(8))
    best = min(price(way, lengths, costs) for way in partitions(sorted(range(8), key=lambda item: lengths[item])))
    assert price(runs, lengths, costs) == best
