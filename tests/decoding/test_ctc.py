import numpy as np
import pytest

from stenod.decoding.boosting import Boosters, value
from stenod.decoding.confidence import METHOD, measure
from stenod.decoding.ctc import greedy
from stenod.decoding.spotting import spot
from stenod.decoding.words import words
from stenod.transcript import spell

LETTERS = ["▁", *"abcdefghijklmnopqrstuvwxyz'", "<blk>"]
PIECES = ["▁a", "▁iron", "▁i", "r", "on", "▁ur", "▁n", "▁man", "<blk>"]


def network(vocabulary, frames, rivals=()):
    """Log-probabilities of a network that hears `frames` (`_` is the blank), and now and then something beside it.

    `rivals`: (frame, label, nats below the best).
    """
    rows = np.full((len(frames), len(vocabulary)), -12.0)
    for frame, label in enumerate(frames):
        rows[frame, _id(vocabulary, label)] = 0.0
    for frame, label, below in rivals:
        rows[frame, _id(vocabulary, label)] = -below
    return (rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))).astype(np.float32)


def _id(vocabulary, label):
    return vocabulary.index("<blk>" if label == "_" else label)


def text(vocabulary, rows, *hotwords):
    booster = Boosters(vocabulary).of(hotwords)
    [tokens] = greedy(rows[None], [len(rows)], blank=len(vocabulary) - 1, seconds=0.02, boosters=[booster])
    return spell(words(tokens, vocabulary))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("", []),
        ("____", []),
        ("a", [("a", 0, 1)]),
        ("_aab_", [("a", 1, 3), ("b", 3, 4)]),
        ("a_ab", [("a", 0, 1), ("a", 2, 3), ("b", 3, 4)]),
        ("aa▁▁b", [("a", 0, 2), ("▁", 2, 4), ("b", 4, 5)]),
    ],
)
def test_runs_of_a_label_are_tokens_and_blanks_are_none(frames, expected):
    rows = network(LETTERS, frames)
    [tokens] = greedy(rows[None], [len(rows)], blank=28, seconds=1.0)
    assert [(LETTERS[token.id], token.start, token.end) for token in tokens] == expected


def test_items_end_where_they_end():
    long, short = network(LETTERS, "abc"), network(LETTERS, "def")
    found = greedy(np.stack([long, short]), [3, 1], blank=28, seconds=0.02)
    assert [[LETTERS[token.id] for token in tokens] for tokens in found] == [["a", "b", "c"], ["d"]]


def test_scores_of_a_token_are_those_of_its_frames():
    rows = network(LETTERS, "_aa_", [(1, "b", 0.5), (2, "b", 2.0)])
    [[token]] = greedy(rows[None], [4], blank=28, seconds=0.02)
    assert token.log_prob == pytest.approx(rows[2, 1])
    assert token.confidence == pytest.approx(measure(rows[1:3], METHOD).mean())


def test_what_is_not_allowed_is_not_written():
    rows = network(LETTERS, "ab", [(0, "c", 1.0)])
    mask = np.ones(28, bool)
    mask[1] = False
    [plain, narrowed] = greedy(np.stack([rows, rows]), [2, 2], blank=28, seconds=0.02, allowed=[None, mask])
    assert [LETTERS[token.id] for token in plain] == ["a", "b"]
    assert [LETTERS[token.id] for token in narrowed] == ["c", "b"]
    assert narrowed[0].log_prob == pytest.approx(rows[0, 3])


class TestHotwords:
    HEARD = "▁tthe▁irun_▁man"
    RIVALS = ((8, "o", 3.0),)

    @pytest.mark.parametrize(
        ("hotwords", "expected"),
        [
            ((), "the irun man"),
            (("zebra",), "the irun man"),
            (("iron",), "the iron man"),
            (("Iron Man",), "the iron man"),
            (("the iron",), "the iron man"),
            (("iron", "man"), "the iron man"),
            (("iro",), "the irun man"),  # not a part of a word
            (("ron",), "the irun man"),
            (("irony",), "the irun man"),  # and nothing that was not heard
        ],
    )
    def test_a_phrase_wins_where_it_was_nearly_heard(self, hotwords, expected):
        assert text(LETTERS, network(LETTERS, self.HEARD, self.RIVALS), *hotwords) == expected

    @pytest.mark.parametrize(("below", "expected"), [(value(4) - 0.1, "iron"), (value(4) + 0.1, "irun")])
    def test_it_wins_up_to_what_it_is_worth(self, below, expected):
        assert text(LETTERS, network(LETTERS, "irun", [(2, "o", below)]), "iron") == expected

    def test_the_longer_a_list_the_less_a_phrase_is_worth(self):
        rows = network(LETTERS, "irun", [(2, "o", 5.0)])
        strangers = ["".join(name) for name in np.random.default_rng(0).choice(list("xyz"), (20, 9))]
        assert text(LETTERS, rows, "iron") == "iron"
        assert text(LETTERS, rows, "iron", *strangers) == "irun"

    def test_words_run_together_are_parted(self):
        rows = network(LETTERS, "iron__man", [(5, "▁", 2.0)])
        assert text(LETTERS, rows) == "ironman"
        assert text(LETTERS, rows, "iron") == "iron man"

    def test_neighbours_share_the_space_between_them(self):
        rows = network(LETTERS, "irun_▁men", [(2, "o", 2.0), (7, "a", 2.0)])
        assert text(LETTERS, rows, "iron", "man") == "iron man"
        rows = network(LETTERS, "irun__men", [(2, "o", 2.0), (5, "▁", 1.0), (7, "a", 2.0)])
        assert text(LETTERS, rows, "iron", "man") == "iron man"

    def test_of_two_that_overlap_the_better_wins(self):
        rows = network(LETTERS, "irun", [(2, "o", 1.0), (0, "e", 2.0)])
        assert text(LETTERS, rows, "iron", "erun") == "iron"

    def test_doubled_letters_keep_the_blank_between_them(self):
        assert text(LETTERS, network(LETTERS, "bals", [(3, "l", 1.0)]), "ball") == "bals"
        assert text(LETTERS, network(LETTERS, "bal_r", [(4, "l", 2.0)]), "ball") == "ball"

    @pytest.mark.parametrize(
        ("frames", "rivals", "hotwords", "expected"),
        [
            (
                ["▁a", "▁ur", "on", "_", "▁man"],
                [(1, "▁i", 2.0), (2, "r", 1.0), (3, "on", 1.0)],
                ("iron",),
                "a iron man",
            ),
            (["▁a", "▁ur", "on", "_", "▁man"], [(1, "▁iron", 2.0), (2, "_", 1.0)], ("iron",), "a iron man"),
            (["▁ur", "on"], [(0, "▁iron", 2.0)], ("iron",), "uron"),  # what follows would still belong to the word
        ],
    )
    def test_tokens_longer_than_letters(self, frames, rivals, hotwords, expected):
        assert text(PIECES, network(PIECES, frames, rivals), *hotwords) == expected

    @pytest.mark.parametrize("seed", range(20))
    def test_without_a_match_nothing_changes(self, seed):
        random = np.random.default_rng(seed)
        rows = network(LETTERS, random.choice(["▁", "a", "b", "c", "_"], 60))
        booster = Boosters(LETTERS).of(("xyzzy", "quux"))
        np.testing.assert_array_equal(spot(rows, 28, booster), rows.argmax(axis=1))

    @pytest.mark.parametrize("seed", range(20))
    def test_what_is_bought_is_worth_its_price(self, seed):
        """On any output, the labels cost no more than the phrases among them are worth, and are whole words of the list."""
        random = np.random.default_rng(seed)
        scores = random.normal(scale=3, size=(40, 29))
        scores[:, 5:28] -= 20
        rows = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        phrases = ("abba", "ab", "cab bad", "dada")
        booster = Boosters(LETTERS).of(phrases)
        labels = spot(rows, 28, booster)
        frames = np.arange(40)
        cost = (rows.max(axis=1) - rows[frames, labels]).sum()
        [tokens] = greedy(rows[None], [40], blank=28, seconds=0.02, boosters=[booster])
        said = f" {spell(words(tokens, LETTERS))} "
        worth = sum(value(len(one.replace(" ", ""))) * said.count(f" {one} ") for one in phrases)
        assert cost <= worth
        assert (cost == 0) == (labels == rows.argmax(axis=1)).all()
