"""Words and the text they make: tables."""

from __future__ import annotations

import pytest

from stenod.transcript import Transcript, Word, join, of_words, shift, spell, split

HELLO = of_words([Word("Hello,", 0.2, 0.5, 0.9), Word("world.", 0.6, 0.9, 0.7)], language="en")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        ([Word("a", 0, 1)], "a"),
        ([Word("a", 0, 1), Word("b", 1, 2)], "a b"),
        ([Word("日", 0, 1, glued=True), Word("本", 1, 2, glued=True), Word("ok", 2, 3)], "日本 ok"),
    ],
)
def test_spell(words: list[Word], text: str) -> None:
    assert spell(words) == text
    assert of_words(words).text == text


def test_shift_moves_every_word_and_nothing_else() -> None:
    later = shift(HELLO, 10.0)
    assert [(word.start, word.end) for word in later.words] == [(10.2, 10.5), (10.6, 10.9)]
    assert (later.text, later.language) == ("Hello, world.", "en")
    assert shift(HELLO, 0.0) is HELLO


@pytest.mark.parametrize(
    ("at", "before", "after"),
    [
        (0.0, "", "Hello, world."),
        (0.36, "Hello,", "world."),  # a word goes where its middle is
        (0.34, "", "Hello, world."),
        (9.0, "Hello, world.", ""),
    ],
)
def test_split(at: float, before: str, after: str) -> None:
    head, tail = split(HELLO, at)
    assert (head.text, tail.text) == (before, after)
    assert join([head, tail]).words == HELLO.words


def test_join_takes_text_without_words_along() -> None:
    assert join([]) == Transcript()
    assert join([Transcript("one"), Transcript(), Transcript("two", language="en")]) == Transcript(
        "one two", language="en"
    )
    assert join([HELLO, shift(HELLO, 1.0)]).text == "Hello, world. Hello, world."
    assert join([HELLO, Transcript("more")]).text == "Hello, world. more"


@pytest.mark.parametrize(
    ("confidences", "expected"), [((0.9, 0.7), 0.8), ((None, 0.5), 0.5), ((None, None), None), ((), None)]
)
def test_confidence_is_the_mean_of_what_is_known(confidences: tuple[float | None, ...], expected: float | None) -> None:
    words = [Word("w", i, i + 1, value) for i, value in enumerate(confidences)]
    assert of_words(words).confidence == (None if expected is None else pytest.approx(expected))
