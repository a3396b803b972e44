"""What a batch costs, told from noisy measurements: a part a batch, a part a second."""

from __future__ import annotations

import numpy as np
import pytest

from stenod.engines.cost import Cost

MIXED = np.random.default_rng(1).uniform(0.5, 20.0, 100)


@pytest.mark.parametrize(
    ("fixed", "rate", "seconds", "told"),
    [
        (0.02, 0.01, MIXED, (0.02, 0.01)),
        (0.0, 0.3, MIXED, (0.0, 0.3)),
        (0.05, 0.0, MIXED, (0.05, 0.0)),
        (0.0, 0.2, [10.0] * 100, (0.0, 0.2)),
        (0.05, 0.0, [0.5] * 100, (0.0, 0.1)),  # of one length: all of it counts as the seconds'
        (0.03, 0.0, [0.0] * 100, (0.03, 0.0)),
    ],
)
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_two_parts(fixed, rate, seconds, told, noise):
    cost, chance = Cost(), np.random.default_rng(2)
    for one in seconds:
        cost.learn((fixed + rate * one) * (1 + noise * chance.standard_normal()), one)
    assert cost.fixed == pytest.approx(told[0], rel=0.25, abs=5e-3 + noise * rate * 10)
    assert cost.rate == pytest.approx(told[1], rel=0.15, abs=1e-3)
    assert cost.of(4.0, batches=2) == pytest.approx(2 * cost.fixed + 4 * cost.rate)


def test_nothing_is_known_at_first():
    cost = Cost()
    assert (cost.of(10.0), cost.known) == (0.0, False)
    for _ in range(6):
        cost.learn(1.0, 10.0)
    assert cost.known
    assert cost.typical == pytest.approx(1.0)


def test_one_hiccup_is_no_new_engine_but_a_new_speed_is_learnt():
    cost = Cost()
    for one in MIXED:
        cost.learn(0.1 * one, one)
    cost.learn(60.0, 5.0)
    assert cost.of(5.0) < 1.0
    for one in np.tile(MIXED, 3):
        cost.learn(0.4 * one, one)
    assert cost.of(5.0) == pytest.approx(2.0, rel=0.1)
