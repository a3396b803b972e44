"""What is promised of a growing hypothesis: hypotheses in, (shown, stable) out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.session.stability import Stability, agreement, common_prefix
from stenod.transcript import Transcript, Word, of_words


def hypothesis_of(text: str) -> Transcript:
    """One word each half second."""
    return of_words([Word(item, i / 2, i / 2 + 0.4) for i, item in enumerate(text.split())])


@pytest.mark.parametrize(
    ("hypotheses", "expected"),
    [
        ([("a b", 9)], [("a b", "")]),
        ([("a b", 9), ("a b c", 9)], [("a b", ""), ("a b c", "a b")]),
        ([("a b", 9), ("a x", 9), ("a x", 9)], [("a b", ""), ("a x", "a"), ("a x", "a x")]),
        # a promise is kept, whatever comes
        ([("a b c", 9), ("a b c", 9), ("x b c d", 9)], [("a b c", ""), ("a b c", "a b c"), ("a b c d", "a b c")]),
        ([("a b", 9), ("a b", 9), ("", 9)], [("a b", ""), ("a b", "a b"), ("a b", "a b")]),
        # words at the edge of the audio wait
        ([("a b", 0.9), ("a b", 0.95)], [("a b", ""), ("a b", "a")]),
        ([("a b", 0.9), ("a b", 1.45)], [("a b", ""), ("a b", "a b")]),
    ],
)
def test_agreement(hypotheses: list[tuple[str, float]], expected: list[tuple[str, str]]) -> None:
    stability = Stability()
    got = []
    for text, upto in hypotheses:
        shown, stable = stability.hear(hypothesis_of(text), upto=upto)
        got.append((shown.text, shown.text[:stable]))
    assert got == expected


def test_held_words_wait_and_append_only_ones_do_not() -> None:
    stability = Stability()
    stability.hear(hypothesis_of("a b c"), upto=9, holds=1)
    assert stability.hear(hypothesis_of("a b c"), upto=9, holds=1)[1] == len("a b")
    assert Stability().hear(hypothesis_of("a b c"), upto=1.0, append_only=True, holds=1)[1] == len("a b")


def test_text_without_word_times_is_stable_by_words() -> None:
    stability = Stability()
    stability.hear(Transcript("hello wor"), upto=9)
    shown, stable = stability.hear(Transcript("hello world"), upto=9)
    assert (shown.text, stable) == ("hello world", len("hello"))


def test_what_is_left_of_a_promise_after_a_boundary() -> None:
    stability = Stability()
    for _ in range(2):
        stability.hear(hypothesis_of("a b c"), upto=9)
    assert stability.after(0.4).text == "b c"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=12), st.integers(0, 2))
def test_stable_text_only_grows_and_always_leads(texts: list[str], holds: int) -> None:
    stability, before = Stability(), ""
    for text in texts:
        shown, stable = stability.hear(hypothesis_of(text), upto=9, holds=holds)
        assert shown.text[:stable] == stability.text
        assert stability.text.startswith(before)
        before = stability.text


def test_prefixes() -> None:
    one, other = hypothesis_of("a b c").words, hypothesis_of("a b d").words
    assert agreement(one, other) == 2
    assert common_prefix("hello world", "hello there") == 6
    assert common_prefix("", "x") == 0
