import numpy as np
import pytest

from stenod.decoding.boosting import OUTSIDE, PRIOR, SLACK, Booster, Boosters, value
from stenod.decoding.spelling import Lexicon

LETTERS = ["▁", *"abcdefghijklmnopqrstuvwxyz'", "<blk>"]
PIECES = [
    "▁", *"abcdefghijklmnopqrstuvwxyzNYKTC", "▁new", "▁ne", "▁New", "▁york", "▁Y", "▁N", "or", "ork", "▁c", "city", "it",
    "▁b", "<unk>", "<blk>",
]  # fmt: skip


def booster(vocabulary, *phrases):
    return Booster(Lexicon(vocabulary), phrases)


def walk(one, vocabulary, texts):
    """The state after `texts`, and what was matched after each of them."""
    state, matched = one.start, []
    for text in texts:
        state = one.follow(state, vocabulary.index(text))
        matched.append(one.worth(state))
    return state, matched


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
            ["▁N", "e", "w", "▁Y", "or", "k"],
            ["▁New", "▁Y", "ork"],
            ["▁b", "▁new", "▁york"],
        ],
    )
    def test_every_way_to_cut_a_phrase_is_followed(self, texts):
        one = booster(PIECES, "new york")
        state, matched = walk(one, PIECES, texts)
        assert one.ends(state)
        assert matched[-1] == value(len("newyork"))

    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            ("new", [1, 2, 3]),  # the first word has no space before it
            ("▁ne", [0, 1, 2]),  # or has one
            ("xne", [0, 0, 0]),  # never inside a word
            ("x▁n", [0, 0, 1]),
            ("nxe▁n", [1, 0, 0, 0, 1]),  # broken off
            ("newer", [1, 2, 3, 0, 0]),
            ("new▁york▁ci", [1, 2, 3, 3, 4, 5, 6, 7, 4, 5, 6]),  # the end of one is the beginning of another
            ("new▁new▁y", [1, 2, 3, 3, 1, 2, 3, 3, 4]),  # begun anew
        ],
    )
    def test_how_many_letters_are_matched(self, texts, expected):
        one = booster(LETTERS, "new york", "york city")
        assert walk(one, LETTERS, texts)[1] == [value(letters) for letters in expected]

    def test_phrases_that_cannot_be_spelled_match_nothing(self):
        one = booster(LETTERS, "42")
        assert walk(one, LETTERS, "▁ab▁c") == (OUTSIDE, [0.0] * 5)
        assert not one.steps(OUTSIDE).tokens.size

    @pytest.mark.parametrize(
        ("texts", "promise"),
        [
            ("n", value(1) + SLACK),  # a beginning may be behind by so much
            ("newer", value(5) + SLACK),
            ("newer▁yor", value(9) - PRIOR * np.log(2)),  # near its end no more than the whole is worth
        ],
    )
    def test_how_far_a_path_may_fall_behind(self, texts, promise):
        one = booster(LETTERS, "new", "newer york")
        assert one.promise(walk(one, LETTERS, texts)[0]) == pytest.approx(promise)

    def test_steps_are_the_arcs(self):
        one = booster(LETTERS, "new", "nut", "cat")
        state = walk(one, LETTERS, "n")[0]
        steps = one.steps(state)
        assert [LETTERS[token] for token in steps.tokens] == ["e", "u"]
        assert dict(zip(steps.tokens.tolist(), steps.targets.tolist(), strict=True)) == one.arcs(state)
        assert steps.worths.tolist() == [value(2)] * 2
        assert steps.promises.tolist() == [one.promise(target) for target in steps.targets.tolist()]

    def test_twenty_thousand_phrases_cost_what_is_visited(self):
        names = np.random.default_rng(0).choice(list("abcdefghij"), (20_000, 8))
        one = booster(LETTERS, *map("".join, names))
        for name in names[:50]:
            assert one.ends(walk(one, LETTERS, name)[0])
        assert len(one) < 50 * 8 * 12  # what was walked, and the letters beside it


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

    @pytest.mark.parametrize("lists", [[], [(), ()], [("42",), ()]])
    def test_where_nobody_has_hotwords_there_is_nothing_to_do(self, lists):
        assert Boosters(LETTERS).batch(lists) is None

    def test_items_have_hotwords_of_their_own(self):
        boosters = Boosters(LETTERS)
        assert boosters.batch([("ab",), (), ("42",)]) == (boosters.of(("ab",)), None, None)
