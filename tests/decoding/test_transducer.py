"""The batched search, against a plain one that follows the papers an utterance and a frame at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from stenod.decoding.boosting import Boosters
from stenod.decoding.transducer import Batch, Rules, search

VOCABULARY = ["▁", "a", "b", "c", "d", "e", "f", "g"]
BLANK = len(VOCABULARY)
WIDTH = 6
DURATIONS = (0, 1, 2, 3, 4)


@dataclass
class Toy:
    """A random transducer: a recurrent prediction network, and a joint that is not linear."""

    kind: str
    seed: int = 0
    blank: float = 1.5
    predicted: list[int] = field(default_factory=list)
    """Items of each run of the prediction network."""
    joined: list[tuple[int, int]] = field(default_factory=list)
    """Items and frames of each run of the joint."""

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        classes = BLANK + 1 + (len(DURATIONS) if self.kind == "tdt" else 0)
        self.embed = rng.standard_normal((BLANK + 1, WIDTH)).astype(np.float32) * 2
        self.recur = rng.standard_normal((WIDTH, WIDTH)).astype(np.float32)
        self.out = rng.standard_normal((WIDTH, classes)).astype(np.float32) * 2
        self.bias = np.zeros(classes, np.float32)
        self.bias[BLANK] = self.blank
        self.rules = Rules(blank=BLANK, durations=DURATIONS if self.kind == "tdt" else ())

    def begin(self, items):
        return (np.zeros((1, items, WIDTH), np.float32),)

    def predict(self, labels, states):
        self.predicted.append(len(labels))
        (held,) = states
        after = np.tanh(self.embed[labels] + held[0] @ self.recur)
        return (after.copy(),), (after[None].copy(),)

    def join(self, frames, predictions):
        self.joined.append(frames.shape[:2])
        (prediction,) = predictions
        return np.tanh(frames + prediction[:, None]) @ self.out + self.bias


def plain(toy, frames, most=10):
    """Greedy decoding of one utterance (frames, WIDTH): labels, frames, spans."""
    found = []
    t, here = 0, 0
    predictions, states = toy.predict(np.array([BLANK]), toy.begin(1))
    while t < len(frames):
        scores = toy.join(frames[None, t : t + 1], predictions)[0, 0]
        label = int(scores[: BLANK + 1].argmax())
        span = DURATIONS[int(scores[BLANK + 1 :].argmax())] if toy.kind == "tdt" else 0
        if label == BLANK:
            t, here = t + max(1, span), 0
            continue
        found.append((label, t, span))
        predictions, states = toy.predict(np.array([label]), states)
        t, here = (t + span, 0) if span else (t, here + 1)
        if here == most:
            t, here = t + 1, 0
    return found


def utterances(count, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((int(length), WIDTH)).astype(np.float32) for length in rng.integers(0, 60, count)]


def padded(items):
    lengths = np.array([len(item) for item in items])
    rng = np.random.default_rng(9)
    whole = rng.standard_normal((len(items), max(lengths.max(initial=0), 1), WIDTH)).astype(np.float32)
    for row, item in zip(whole, items, strict=True):
        row[: len(item)] = item
    return whole, lengths


def found(one):
    return list(zip(one.labels.tolist(), one.frames.tolist(), one.spans.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@pytest.mark.parametrize("batch", range(1, 18))
def test_every_item_gets_what_the_plain_search_gives_it(kind, batch):
    toy = Toy(kind, seed=batch)
    items = utterances(batch, seed=batch)
    answer = [found(one) for one in search(toy, toy.rules, Batch(*padded(items)))]
    assert answer == [plain(toy, item) for item in items]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
def test_the_order_of_the_items_changes_nothing(kind):
    toy, items = Toy(kind), utterances(12)
    expected = [plain(toy, item) for item in items]
    assert sum(map(len, expected)) > 50
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(12)
        answer = search(toy, toy.rules, Batch(*padded([items[at] for at in order])))
        assert [found(one) for one in answer] == [expected[at] for at in order]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@pytest.mark.parametrize("ahead", [1, 2, 3, 7, 100])
def test_looking_ahead_changes_nothing(kind, ahead):
    toy, items = Toy(kind, blank=4), utterances(6)
    rules = Rules(blank=BLANK, durations=toy.rules.durations, window=lambda _: ahead)
    answer = [found(one) for one in search(toy, rules, Batch(*padded(items)))]
    assert answer == [plain(toy, item) for item in items]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@pytest.mark.parametrize("most", [1, 2, 10])
def test_no_frame_has_more_labels_than_it_may(kind, most):
    toy, items = Toy(kind, blank=-50), utterances(5)
    rules = Rules(blank=BLANK, durations=toy.rules.durations, most=most)
    answer = [found(one) for one in search(toy, rules, Batch(*padded(items)))]
    assert answer == [plain(toy, item, most) for item in items]
    for one in answer:
        assert max(np.unique([frame for _, frame, _ in one], return_counts=True)[1], default=0) <= most


def test_nobody_there_and_nobody_speaking():
    toy = Toy("tdt")
    assert search(toy, toy.rules, Batch(np.zeros((0, 0, WIDTH), np.float32), np.zeros(0, np.int64))) == []
    silent = search(toy, toy.rules, Batch(np.zeros((2, 4, WIDTH), np.float32), np.zeros(2, np.int64)))
    assert [found(one) for one in silent] == [[], []]
    mute = Toy("tdt", blank=100)
    assert [found(one) for one in search(mute, mute.rules, Batch(*padded(utterances(3))))] == [[], [], []]


def test_the_prediction_network_runs_after_labels_only():
    toy, items = Toy("tdt"), utterances(8)
    answer = search(toy, toy.rules, Batch(*padded(items)))
    labels = sum(len(one.labels) for one in answer)
    spoken = [item for item in items if len(item)]
    assert toy.predicted[0] == len(spoken), "once for the beginning"
    assert labels - len(spoken) <= sum(toy.predicted[1:]) <= labels, "not after the last one of an item"
    assert len(toy.predicted) <= 1 + max(len(one.labels) for one in answer) * 2
    assert len(toy.joined) < sum(map(len, items)) / 3, "fewer rounds than frames"


def test_log_probabilities_and_confidences():
    toy, items = Toy("tdt"), utterances(4)
    answer = search(toy, toy.rules, Batch(*padded(items)))
    for item, one in zip(items, answer, strict=True):
        predictions, states = toy.predict(np.array([BLANK]), toy.begin(1))
        for label, frame, log_prob in zip(one.labels, one.frames, one.log_probs, strict=True):
            scores = toy.join(item[None, frame : frame + 1], predictions)[0, 0, : BLANK + 1].astype(np.float64)
            assert log_prob == pytest.approx(scores[label] - np.log(np.exp(scores).sum()), abs=1e-4)
            predictions, states = toy.predict(np.array([label]), states)
        assert ((one.confidences >= 0) & (one.confidences <= 1)).all()
    sure = np.concatenate([one.log_probs for one in answer])
    order = np.concatenate([one.confidences for one in answer])
    assert np.corrcoef(sure, order)[0, 1] > 0.5


def test_labels_that_are_not_allowed_do_not_exist():
    toy, items = Toy("tdt"), utterances(6)
    allowed = np.ones((6, BLANK), bool)
    allowed[::2, [2, 5]] = False
    answer = search(toy, toy.rules, Batch(*padded(items), allowed=allowed))
    for number, (item, one) in enumerate(zip(items, answer, strict=True)):
        if number % 2:
            assert found(one) == plain(toy, item), "its neighbours are not narrowed"
            continue
        assert not set(one.labels.tolist()) & {2, 5}
        narrowed = Toy("tdt")
        narrowed.bias = narrowed.bias.copy()
        narrowed.bias[[2, 5]] = -1e9
        assert found(one) == plain(narrowed, item)
        assert np.isfinite(one.log_probs).all()
    assert any({2, 5} & {label for label, *_ in plain(toy, item)} for item in items[::2]), "it made a difference"


def test_hotwords_are_an_item_s_own():
    toy, items = Toy("tdt", seed=3), utterances(6, seed=3)
    boosters = Boosters(VOCABULARY, score=20.0)
    pairs = tuple(a + b for a in "abcdefg" for b in "abcdefg")
    lists = [pairs, pairs[:30], pairs[20:], (), (), ()]
    answer = [found(one) for one in search(toy, toy.rules, Batch(*padded(items), boosters.batch(lists)))]
    expected = [plain(toy, item) for item in items]
    assert answer[3:] == expected[3:], "who has none is left alone"
    assert answer[:3] != expected[:3]
    for item, words, one in zip(items[:3], lists, answer, strict=False):
        alone = search(toy, toy.rules, Batch(*padded([item]), boosters.batch([words])))
        assert [found(other) for other in alone] == [one], "a batch gives what its items get alone"


def test_hotwords_that_are_nowhere_near_change_nothing():
    toy, items = Toy("tdt"), utterances(6)
    batch = Batch(*padded(items), Boosters(VOCABULARY).batch([("gggggggggggg",)] * 6))
    assert [found(one) for one in search(toy, toy.rules, batch)] == [plain(toy, item) for item in items]
