"""Hotwords in the transducer search, on a network made of tables: what it hears, and what it might have heard."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from stenod.decoding.boosting import Boosters, value
from stenod.decoding.spelling import SPACE
from stenod.decoding.transducer import Batch, Rules, search
from stenod.decoding.trials import Move, Trial

PIECES = [SPACE, *"abcdefghijklmnopqrstuvwxyz", "▁j", "▁jo", "on", "▁call", "▁in", "▁the", "▁ca", "▁k"]
BLANK = len(PIECES)
LOW = -15.0


@dataclass
class Network:
    """A transducer that hears `spoken`, one token a frame (`_` is a blank), and each label lasts a frame."""

    spoken: list
    rivals: dict = field(default_factory=dict)
    """(Text so far, token) to nats below the best: what might come next there instead."""
    after: dict = field(default_factory=dict)
    """Text so far to what it hears then, whatever was spoken."""
    texts: list = field(default_factory=lambda: [""])
    """What was said, by the number that is the state of it."""

    @staticmethod
    def begin(items):
        return (np.zeros((1, items, 1), np.int64),)

    def predict(self, labels, states):
        numbers = states[0][0, :, 0]
        fresh = [
            self.number("" if label == BLANK else self.texts[number] + PIECES[label])
            for label, number in zip(labels.tolist(), numbers.tolist(), strict=True)
        ]
        found = np.array(fresh)[None, :, None]
        return (found[0].copy(),), (found,)

    def number(self, text):
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def join(self, frames, predictions):
        scores = np.full((*frames.shape[:2], BLANK + 2), LOW, np.float32)
        for item, row in enumerate(frames[:, :, 0].tolist()):
            text = self.texts[int(predictions[0][item, 0])]
            for place, frame in enumerate(row):
                heard = self.after.get(text, self.spoken[int(frame)])
                scores[item, place, BLANK if heard == "_" else PIECES.index(heard)] = 0.0
                for (said, token), below in self.rivals.items():
                    if said == text:
                        scores[item, place, PIECES.index(token)] = -below
        return scores


def say(network, *hotwords, batch=1):
    """What is written, the same for each item of a batch; and all there is about the first."""
    frames = np.tile(np.arange(len(network.spoken), dtype=np.float32)[None, :, None], (batch, 1, 1))
    lengths = np.full(batch, len(network.spoken))
    boosters = Boosters(PIECES).batch([hotwords] * batch)
    found = search(network, Rules(blank=BLANK, durations=(1,)), Batch(frames, lengths, boosters))
    texts = {"".join(PIECES[label] for label in one.labels) for one in found}
    assert len(texts) == 1
    return texts.pop(), found[0]


def john(below=3.0):
    """It hears `call john in`, and might have heard `jon` at so many nats."""
    return Network(["▁call", "▁j", "o", "h", "n", "▁in"], {("▁call▁j", "on"): below}, {"▁call▁jon": "_"})


class TestOutcome:
    @pytest.mark.parametrize(
        ("below", "hotwords", "expected"),
        [
            (3.0, (), "▁call▁john▁in"),
            (3.0, ("zebra",), "▁call▁john▁in"),
            (3.0, ("jon",), "▁call▁jon"),
            (value(3) - 0.1, ("jon",), "▁call▁jon"),
            (value(3) + 0.1, ("jon",), "▁call▁john▁in"),  # more than it is worth
            (3.0, ("joni",), "▁call▁john▁in"),  # breaks off
            (3.0, ("jon", "john"), "▁call▁john▁in"),  # what was heard is expected too
            (3.0, ("call jon",), "▁call▁jon"),
            (6.0, ("call jon",), "▁call▁jon"),  # the more of it was heard, the more the rest may cost
            (3.0, ("john",), "▁call▁john▁in"),
            (3.0, ("jon", *("qx" * n for n in range(4, 14))), "▁call▁john▁in"),  # less expected among many
        ],
    )
    def test_a_phrase_is_written_where_it_is_worth_it(self, below, hotwords, expected):
        assert say(john(below), *hotwords)[0] == expected

    def test_nothing_is_left_of_what_was_taken_back(self):
        _, plain = say(john())
        _, tried = say(john(), "joni", "jonathan")
        for name in ("labels", "frames", "spans", "log_probs", "confidences"):
            np.testing.assert_array_equal(getattr(tried, name), getattr(plain, name))

    def test_scores_are_the_networks_own(self):
        _, found = say(john(3.0), "jon")
        expected = -3.0 - np.log(1 + np.exp(-3.0) + (BLANK - 1) * np.exp(LOW))
        assert found.log_probs[2] == pytest.approx(expected, abs=1e-5)

    def test_a_phrase_at_the_end_of_the_audio_that_is_not_whole_is_taken_back(self):
        network = Network(["▁call", "▁j", "o"], {("▁call▁j", "on"): 1.0})
        assert say(network, "jonah")[0] == "▁call▁jo"
        assert say(network, "jon")[0] == "▁call▁jon"

    def test_what_else_there_was_is_tried_next(self):
        network = Network(
            ["▁call", "▁the", "_"],
            {("▁call", "▁k"): 1.0, ("▁call", "▁ca"): 2.0, ("▁call▁ca", "t"): 0.0},
            {"▁call▁k": "x", "▁call▁ca": "t", "▁call▁cat": "_"},
        )
        assert say(network, "kit", "cat")[0] == "▁call▁cat"
        assert say(network, "kit")[0] == "▁call▁the"

    def test_inside_a_word_nothing_begins(self):
        network = Network(["▁the", "a", "_"], {("▁the", "on"): 1.0})
        assert say(network, "on")[0] == "▁thea"

    def test_a_part_of_a_word_is_no_phrase(self):
        network = Network(["▁the", "▁j", "o", "i", "n"], {("▁the▁j", "on"): 1.0}, {"▁the▁jon": "i", "▁the▁joni": "_"})
        assert say(network, "jon")[0] == "▁the▁join"


@pytest.mark.parametrize(
    ("below", "frame", "span", "expected"),
    [
        (2.0, 4, 3, 1),  # on to where the next word begins
        (2.0, 5, 3, 2),
        (2.0, 4, 1, 1),
        (2.0, 4, 0, 0),
        (2.0, 7, 3, 3),  # none begins
        (0.0, 4, 3, 3),  # the network's own choice: its guess is as good as ever
    ],
)
def test_a_phrase_does_not_pass_over_the_next_word(below, frame, span, expected):
    booster = Boosters(PIECES).of(("jo",))
    assert booster is not None
    trial = Trial(booster, [1, 5, 7])
    log_probs = np.full(BLANK + 1, -20.0)
    log_probs[[PIECES.index("▁ca"), PIECES.index("▁jo"), PIECES.index("▁j")]] = -0.1, -0.1 - below, -0.1 - below
    assert trial.decide(log_probs, PIECES.index("▁ca" if below else "▁jo")) == (PIECES.index("▁jo"), Move.STAKE)
    assert trial.pace(frame, span) == expected


def test_items_go_back_each_for_itself():
    text, _ = say(john(), "jon", batch=5)
    assert text == "▁call▁jon"
    text, _ = say(john(), "joni", batch=5)
    assert text == "▁call▁john▁in"


@pytest.mark.parametrize("seed", range(30))
def test_strangers_change_nothing_and_a_batch_is_its_items(seed):
    """On any network: hotwords that it never comes near leave every number as it was."""
    random = np.random.default_rng(seed)
    tables = random.normal(scale=2, size=(30, BLANK + 1)).astype(np.float32)
    tables[:, 17:27] = -40.0  # q to z
    rows = random.integers(0, 30, (4, 20, 1)).astype(np.float32)

    class Any:
        @staticmethod
        def begin(items):
            return (np.zeros((1, items, 1), np.int64),)

        @staticmethod
        def predict(labels, states):
            after = (states[0] * 7 + labels[None, :, None]) % 30
            return (after[0].copy(),), (after,)

        @staticmethod
        def join(frames, predictions):
            scores = tables[(frames[:, :, 0].astype(int) + predictions[0]) % 30]
            return np.concatenate((scores, scores[..., :3]), axis=-1)

    lengths = random.integers(0, 21, 4)
    rules = Rules(blank=BLANK, durations=(0, 1, 2))
    boosters = Boosters(PIECES)
    plain = search(Any(), rules, Batch(rows, lengths))
    strange = search(Any(), rules, Batch(rows, lengths, boosters.batch([("xyz", "quz")] * 4)))
    lists = [("jab", "a b"), (), ("call in", "the", "dada"), ("on", "in", "a")]
    mixed = search(Any(), rules, Batch(rows, lengths, boosters.batch(lists)))
    for item in range(4):
        only = slice(item, item + 1)
        [alone] = search(Any(), rules, Batch(rows[only], lengths[only], boosters.batch(lists[only])))
        for name in ("labels", "frames", "spans", "log_probs", "confidences"):
            np.testing.assert_array_equal(getattr(strange[item], name), getattr(plain[item], name))
            np.testing.assert_allclose(getattr(mixed[item], name), getattr(alone, name), rtol=1e-5, atol=1e-6)
