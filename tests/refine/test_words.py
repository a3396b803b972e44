"""Characters, words where an engine gave none, segments, names of languages."""

from __future__ import annotations

import pytest

from stenod.refine.languages import LANGUAGES, language_name
from stenod.refine.words import Char, Segment, chars, ends_sentence, segments, words_of
from stenod.transcript import Transcript, Word, of_words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        ([Word("", 1, 2)], []),
        ([Word("ab", 1, 2)], [Char("a", 1, 1.5), Char("b", 1.5, 2)]),
        ([Word("I", 0, 0.3), Word("a", 0.5, 0.5)], [Char("I", 0, 0.3), Char("a", 0.5, 0.5)]),
    ],
)
def test_chars(words: list[Word], expected: list[Char]) -> None:
    assert chars(words) == expected


def test_chars_of_a_word_tile_it() -> None:
    made = chars([Word("seventeen", 0.1, 0.8)])
    assert made[0].start == 0.1
    assert made[-1].end == 0.8
    assert [char.end for char in made[:-1]] == pytest.approx([char.start for char in made[1:]])


@pytest.mark.parametrize(
    ("transcript", "expected"),
    [
        (Transcript(""), []),
        (Transcript("ab cdef"), [Word("ab", 2, 4), Word("cdef", 4, 8)]),
        (Transcript("  ab\n"), [Word("ab", 2, 8)]),
        (of_words([Word("one", 2, 3), Word("two", 4, 5)]), [Word("one", 2, 3), Word("two", 4, 5)]),
        (of_words([Word("one\n1", 2, 3), Word(" ", 3, 4)]), [Word("one 1", 2, 3)]),
        (of_words([Word("back", 4, 5), Word("wards", 3, 2)]), [Word("back", 4, 5), Word("wards", 4, 4)]),
        (of_words([Word("early", -1, 0.5)]), [Word("early", 0, 0.5)]),
    ],
)
def test_words_of(transcript: Transcript, expected: list[Word]) -> None:
    assert list(words_of(Segment(2, 8, transcript))) == expected


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("end.", True),
        ("what?", True),
        ("said.”", True),
        ("(so!)", True),
        ("好。", True),
        ("so", False),
        ("so,", False),
        ("", False),
    ],
)
def test_ends_sentence(text: str, ends: bool) -> None:
    assert ends_sentence(text) is ends


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        ([("one", 0, 1), ("two", 1, 2)], [(0, 2, "one two")]),
        ([("One.", 0, 1), ("Two", 1, 2)], [(0, 1, "One."), (1, 2, "Two")]),
        ([("one", 0, 1), ("two", 1.8, 2)], [(0, 1, "one"), (1.8, 2, "two")]),
        ([("one", 0, 1), ("two", 1.7, 2)], [(0, 2, "one two")]),
    ],
)
def test_segments(words: list[tuple[str, float, float]], expected: list[tuple[float, float, str]]) -> None:
    spoken = Segment(0, 3, of_words([Word(*word) for word in words], language="en"))
    made = segments([spoken])
    assert [(one.start, one.end, one.transcript.text) for one in made] == expected
    assert {one.transcript.language for one in made} <= {"en"}


def test_segments_never_reach_over_two_finals() -> None:
    heard = [Segment(0, 1, of_words([Word("one", 0, 1)])), Segment(1, 2, of_words([Word("two", 1, 2)]))]
    assert segments(heard) == heard


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("en", "english"),
        ("en-GB", "english"),
        ("pt_BR", "portuguese"),
        ("DE", "german"),
        ("yue", "cantonese"),
        ("uk", "ukrainian"),
        ("x-klingon", "x-klingon"),
        (None, "unknown"),
        ("", "unknown"),
    ],
)
def test_language_name(tag: str | None, name: str) -> None:
    assert language_name(tag) == name


def test_the_table_of_languages_is_well_formed() -> None:
    assert len(LANGUAGES) > 95
    assert all(code.isalpha() and code.islower() and name == name.lower().strip() for code, name in LANGUAGES.items())
    assert all(LANGUAGES.values())
