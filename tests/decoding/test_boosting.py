import numpy as np
import pytest

from stenod.decoding.boosting import OUTSIDE, Booster, Boosters, Weights
from stenod.decoding.spelling import Lexicon

LETTERS = ["▁", *"abcdefghijklmnopqrstuvwxyz'", "<blk>"]
PIECES = [
    "▁", *"abcdefghijklmnopqrstuvwxyzNYKTC", "▁new", "▁ne", "▁New", "▁york", "▁Y", "▁N", "or", "ork", "▁c", "city", "it",
    "▁b", "<unk>", "<blk>",
]  # fmt: skip
LINEAR = Weights(score=1.0, growth=1.0)


def booster(vocabulary, *phrases, weights=LINEAR):
    return Booster(Lexicon(vocabulary), phrases, weights)


def walk(one, vocabulary, texts, state=None):
    """The state after `texts`, and the bonus that each of them had."""
    state = one.start if state is None else state
    bonuses = []
    for text in texts:
        token = vocabulary.index(text)
        scores = one.outside.copy()
        row = one.row(state)
        scores[row.tokens] = row.bonuses
        bonuses.append(float(scores[token]))
        state = one.follow(state, token)
    return state, bonuses


class TestSpelling:
    @pytest.mark.parametrize(
        ("vocabulary", "phrase", "expected"),
        [
            (LETTERS, "New York", {"▁new▁york"}),
            (LETTERS, "  new\tyork ", {"▁new▁york"}),
            (LETTERS, "O’Neill", {"▁o'neill"}),
            (LETTERS, "e-mail", {"▁e▁mail"}),
            (LETTERS, "naïve Straße", {"▁naive▁strasse"}),
            (LETTERS, "route 66", set()),
            (LETTERS, "Київ", set()),
            (LETTERS, "?!", set()),
            (LETTERS, "", set()),
            ([*"ABC", "▁"], "cab", {"▁CAB"}),
            (PIECES, "new york", {"▁new▁york", "▁New▁york", "▁New▁York"}),
            (PIECES, "NYC", {"▁NYC", "▁nyc", "▁Nyc"}),
        ],
    )
    def test_a_phrase_is_written_in_the_letters_that_are_there(self, vocabulary, phrase, expected):
        assert Lexicon(vocabulary).spell(phrase) == expected

    def test_named_tokens_are_no_text(self):
        assert "<unk>" not in Lexicon(PIECES).ids

    @pytest.mark.parametrize(("vocabulary", "bare"), [(LETTERS, True), (PIECES, False)])
    def test_spaces_may_be_tokens_of_their_own(self, vocabulary, bare):
        assert Lexicon(vocabulary).bare is bare


class TestBooster:
    @pytest.mark.parametrize(
        "texts",
        [
            ["▁new", "▁york"],
            ["▁ne", "w", "▁york"],
            ["▁", "n", "e", "w", "▁Y", "or", "k"][:4],
            ["▁N", "e", "w", "▁Y", "or", "k"],
            ["▁New", "▁Y", "ork"],
        ],
    )
    def test_every_way_to_cut_a_phrase_earns_the_same(self, texts):
        one = booster(PIECES, "new york")
        state, bonuses = walk(one, PIECES, texts)
        letters = len("".join(texts).replace("▁", ""))
        assert sum(bonuses) == pytest.approx(letters)
        assert one.ends(state) is (letters == 7)

    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["n", "e", "w"], [1, 1, 1]),  # the first word has no space before it
            (["▁", "n", "e"], [0, 1, 1]),  # or has one
            (["x", "n", "e"], [0, 0, 0]),  # never inside a word
            (["x", "▁", "n"], [0, 0, 1]),
            (["n", "x", "e", "▁", "n"], [1, 0, 0, 0, 1]),  # broken off
            (["n", "e", "w", "e", "r"], [1, 1, 1, 0, 0]),
            (["n", "e", "w", "▁", "y", "o", "r", "k", "▁", "c", "i"], [1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1]),  # overlap
            (["n", "e", "w", "▁", "n", "e", "w", "▁", "y"], [1, 1, 1, 0, 1, 1, 1, 0, 1]),  # begun anew
        ],
    )
    def test_what_each_letter_earns(self, texts, expected):
        one = booster(LETTERS, "new york", "york city")
        assert walk(one, LETTERS, texts)[1] == pytest.approx(expected)

    def test_the_deeper_the_dearer(self):
        one = booster(LETTERS, "abcdef", weights=Weights(score=0.5, growth=1.3))
        bonuses = walk(one, LETTERS, "abcdef")[1]
        assert (np.diff(bonuses) > 0).all()
        assert sum(bonuses) == pytest.approx(0.5 * 6**1.3, rel=1e-5)

    def test_unknown_phrases_match_nothing(self):
        one = booster(LETTERS, "42")
        assert walk(one, LETTERS, "▁ab▁c") == (OUTSIDE, [0.0] * 5)

    def test_the_most_that_can_come_of_a_beginning(self):
        one = booster(LETTERS, "new", "newer york")
        state, _ = walk(one, LETTERS, "new")
        assert (one.ends(state), one.worth(state), one.hope(state)) == (True, 3.0, 9.0)
        state, _ = walk(one, LETTERS, "newer")
        assert (one.ends(state), one.hope(state)) == (False, 9.0)

    def test_twenty_thousand_phrases_cost_what_is_visited(self):
        names = np.random.default_rng(0).choice(list("abcdefghij"), (20_000, 8))
        one = booster(LETTERS, *map("".join, names))
        for name in names[:50]:
            state, bonuses = walk(one, LETTERS, name)
            assert one.ends(state)
            assert bonuses == [1.0] * 8
        assert len(one) < 50 * 8 * 12  # what was walked, and the letters beside it


class TestBoosting:
    def test_items_have_hotwords_of_their_own(self):
        boosting = Boosters(LETTERS, LINEAR).batch([("ab",), (), ("cd", "ad")], labels=29)
        assert boosting is not None
        states = boosting.start()
        expected = np.zeros((3, 29), np.float32)
        expected[0, 1] = expected[2, 3] = expected[2, 1] = 1.0
        np.testing.assert_array_equal(boosting.scores(states), expected)
        states = boosting.advance(states, np.array([1, 1, 1]), np.array([True, True, False]))
        expected[0, :3] = 0.0, 0.0, 1.0
        np.testing.assert_array_equal(boosting.scores(states), expected)

    def test_some_of_the_items_go_on_as_before(self):
        boosting = Boosters(LETTERS, LINEAR).batch([("ab",), ("cd",), ("ef",)], labels=29)
        assert boosting is not None
        states = boosting.advance(boosting.start(), np.array([1, 3, 5]))
        fewer = boosting.take([2, 0])
        np.testing.assert_array_equal(fewer.scores(states[[2, 0]]), boosting.scores(states)[[2, 0]])

    def test_a_random_walk_shows_what_the_boosters_say(self):
        random = np.random.default_rng(0)
        boosters = Boosters(LETTERS, Weights())
        lists = [("abba", "baba ab"), ("a b a", "bab"), ()]
        boosting = boosters.batch(lists, labels=28)
        assert boosting is not None
        states = boosting.start()
        for _ in range(200):
            shown = boosting.scores(states)
            for item, phrases in enumerate(lists):
                one = boosters.of(phrases)
                expected = np.zeros(28, np.float32)
                if one is not None:
                    state = int(states[item])
                    for token in range(28):
                        expected[token] = max(0.0, one.worth(one.arcs(state).get(token, OUTSIDE)) - one.worth(state))
                    assert (shown[item] >= expected).all()
                else:
                    assert not shown[item].any()
            states = boosting.advance(states, random.integers(0, 3, 3), random.random(3) < 0.8)

    @pytest.mark.parametrize("lists", [[], [(), ()], [("42",), ()]])
    def test_where_nobody_has_hotwords_there_is_nothing_to_add(self, lists):
        assert Boosters(LETTERS).batch(lists, labels=29) is None


class TestBoosters:
    def test_a_list_is_built_once(self):
        boosters = Boosters(LETTERS)
        assert boosters.of(("ab",)) is boosters.of(("ab",))

    def test_only_the_last_lists_are_kept(self):
        boosters = Boosters(LETTERS, keep=2)
        first = boosters.of(("ab",))
        boosters.of(("cd",))
        assert boosters.of(("ab",)) is first
        boosters.of(("ef",))
        boosters.of(("gh",))
        assert boosters.of(("ab",)) is not first

    def test_one_that_has_grown_large_is_made_anew(self):
        boosters = Boosters(LETTERS, most=3)
        first = boosters.of(("abcdef",))
        assert first is not None
        walk(first, LETTERS, "abcdef")
        assert boosters.of(("abcdef",)) is not first
