import importlib
import math
import warnings
from importlib.util import find_spec

import numpy as np
import pytest

from conftest import missing
from stenod.decoding.confidence import Method, aggregate, judge, measure

METHODS = [
    Method(entropy=entropy, alpha=alpha, norm=norm)
    for entropy in ("max", "gibbs", "tsallis", "renyi")
    for alpha in (0.25, 0.33, 0.5, 1.0)
    for norm in ("lin", "exp")
    if entropy != "max" or norm == "exp"
]


def rows(labels=29, count=20):
    scores = np.random.default_rng(0).normal(scale=4, size=(count, labels))
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def bank():
    """NeMo's own measures, by name."""
    if find_spec("nemo") is None:
        missing("the NeMo toolkit")
    with warnings.catch_warnings(action="ignore"):  # the toolkit's dependencies deprecate each other
        utils = importlib.import_module("nemo.collections.asr.parts.utils.asr_confidence_utils")
    return utils.get_confidence_measure_bank()


@pytest.mark.parametrize("method", METHODS, ids=str)
class TestEveryMethod:
    def test_certainty_is_one_and_ignorance_nothing(self, method):
        certain = np.full(29, -np.inf)
        certain[3] = 0.0
        assert measure(certain, method) == pytest.approx(1.0)
        assert measure(np.full(29, -math.log(29)), method) == pytest.approx(0.0, abs=1e-9)

    def test_the_more_even_the_less_sure(self, method):
        at = np.array([0.999, 0.9, 0.6, 0.2])
        logs = np.log(np.column_stack([at, *[(1 - at) / 28] * 28]))
        assert (np.diff(measure(logs, method)) < 0).all()

    def test_any_shape(self, method):
        flat = measure(rows(), method)
        assert flat.shape == (20,)
        assert ((flat >= 0) & (flat <= 1)).all()
        np.testing.assert_allclose(measure(rows().reshape(4, 5, 29), method), flat.reshape(4, 5))

    def test_as_nemo_measures_it(self, method, bank):
        import torch  # noqa: PLC0415 heavy, and there only where NeMo is

        name = "max_prob" if method.entropy == "max" else f"entropy_{method.entropy}_{method.norm}"
        theirs = bank[name](torch.from_numpy(rows()), 29, method.alpha)
        np.testing.assert_allclose(measure(rows(), method), theirs.numpy(), atol=1e-9)


@pytest.mark.parametrize(
    ("method", "expected"),
    [  # by hand, of (1/2, 1/4, 1/4) with entropy 1.5 bits
        (Method(entropy="gibbs", alpha=1.0, norm="lin"), 1 - 1.5 / math.log2(3)),
        (Method(entropy="gibbs", alpha=1.0, norm="exp"), (3 * 2**-1.5 - 1) / 2),
        (Method(entropy="renyi", alpha=0.5, norm="lin"), 1 - 2 * math.log2(0.5**0.5 + 1) / math.log2(3)),
        (Method(entropy="max", alpha=1.0), (3 / 2 - 1) / 2),
    ],
)
def test_by_hand(method, expected):
    assert measure(np.log([0.5, 0.25, 0.25]), method) == pytest.approx(expected)


@pytest.mark.parametrize(("aggregation", "expected"), [("mean", 0.7), ("min", 0.5), ("prod", 0.36)])
def test_parts_become_a_whole(aggregation, expected):
    assert aggregate([0.5, 0.8, 0.9], aggregation) == pytest.approx(expected if aggregation != "mean" else 2.2 / 3)


@pytest.mark.parametrize("spread", [0.1, 4.0, 60.0])
def test_judging_scores_is_measuring_their_log_softmax(spread):
    scores = np.random.default_rng(1).normal(scale=spread, size=(12, 300)).astype(np.float32)
    labels = np.append(scores[:-1].argmax(axis=1), 7)
    exact = scores.astype(np.float64)
    exact -= exact.max(axis=1, keepdims=True)
    exact -= np.log(np.exp(exact).sum(axis=1, keepdims=True))
    logs, sure = judge(scores, labels)
    np.testing.assert_allclose(logs, exact[np.arange(12), labels], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sure, measure(exact), atol=1e-5)
