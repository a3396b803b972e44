"""How sure a recogniser is of what it wrote: entropies of its distributions, mapped to 0 to 1.

Laptev and Ginsburg, "Fast entropy-based methods of word-level confidence estimation for end-to-end automatic speech
recognition" (arXiv 2212.08703). Pure functions on arrays. Entropy sees how the rest of the probability is spread, where the
highest one alone is nearly always close to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Aggregation: TypeAlias = Literal["mean", "min", "prod"]
"""How the confidence of a whole is made of its parts': `mean`, `min`, or `prod`uct."""


@dataclass(frozen=True, slots=True)
class Method:
    """How the confidence of one distribution is measured.

    The defaults tell right words from wrong ones as well as NeMo's do (tsallis, 0.33, exp), and are near the share of right
    words as well, which NeMo's are not (`bench/confidence.py`). `max` is the highest probability, mapped so that a uniform
    distribution has 0.
    """

    entropy: Literal["max", "gibbs", "tsallis", "renyi"] = "renyi"
    alpha: float = 0.5
    """Above 0. Below 1 it lifts small probabilities; at 1 every entropy is Shannon's."""
    norm: Literal["lin", "exp"] = "lin"
    """How the entropy is mapped: linearly, or as the exponential of its negative."""


METHOD: Final = Method()
AGGREGATION: Final[Aggregation] = "min"


def measure(log_probs: NDArray[np.floating], method: Method = METHOD) -> NDArray[np.float64]:
    """Confidence of each distribution: `log_probs` (..., labels), normalised and in nats, to (...), 0 to 1.

    The labels include the blank, not a transducer's durations. A label with probability 0 (minus infinity) counts nothing.
    """
    labels = log_probs.shape[-1]
    logs = np.maximum(log_probs, np.finfo(np.float32).min)
    return np.clip(_measured(logs, labels, method), 0.0, 1.0)


def judge(scores: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-probability of `labels` (rows,), and confidence by METHOD, from scores (rows, labels) that are not normalised.

    The same as `measure` of their log-softmax, with one exponential a score. A transducer asks at every label, and this is
    most of what its search costs outside the networks.
    """
    shifted = scores - scores.max(axis=-1, keepdims=True)
    logs = shifted[np.arange(len(labels)), labels]
    powers = np.exp(shifted, out=shifted)
    total = powers.sum(axis=-1)
    powers **= METHOD.alpha  # NumPy takes the square root for a half
    sure = np.clip(_of_power_sum(powers.sum(axis=-1) / total**METHOD.alpha, scores.shape[-1], METHOD), 0.0, 1.0)
    return (logs - np.log(total)).astype(np.float64), sure


def aggregate(parts: Sequence[float], aggregation: Aggregation = AGGREGATION) -> float:
    """The confidence of what `parts` (at least one) make together."""
    match aggregation:
        case "mean":
            return sum(parts) / len(parts)
        case "min":
            return min(parts)
        case "prod":
            return math.prod(parts)


def _measured(logs: NDArray[np.floating], labels: int, method: Method) -> NDArray[np.float64]:
    alpha = method.alpha
    if method.entropy == "max":
        least = labels**-alpha
        return _of((np.exp(alpha * logs.max(axis=-1)) - least) / (1 - least))
    if alpha == 1 or method.entropy == "gibbs":
        powers = np.exp(alpha * logs)
        # minus the entropy, and minus the largest it can be, that of the uniform distribution
        found = (powers * logs).sum(axis=-1)
        least = -math.log(labels) * labels ** (1 - alpha)
        return _linear(found, least) if method.norm == "lin" else _exponential(alpha * found, alpha * least)
    return _of_power_sum(np.exp(alpha * logs).sum(axis=-1), labels, method)


def _of_power_sum(total: NDArray[np.floating], labels: int, method: Method) -> NDArray[np.float64]:
    """Tsallis' or Rényi's, of the sum of the probabilities to the power of alpha."""
    alpha = method.alpha
    if method.entropy == "tsallis":
        found = (1 - total) / (1 - alpha)
        least = (1 - labels ** (1 - alpha)) / (1 - alpha)
    else:
        found = np.log(total) / (alpha - 1)
        least = -math.log(labels)
    return _linear(found, least) if method.norm == "lin" else _exponential(found, least)


def _linear(found: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    return _of(1 - found / least)


def _exponential(found: NDArray[np.floating], least: float) -> NDArray[np.float64]:
    floor = math.exp(least)
    return _of((np.exp(found) - floor) / (1 - floor))


def _of(values: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(values, np.float64)
