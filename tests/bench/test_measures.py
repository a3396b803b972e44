"""What the benchmarks measure with: word errors, and the promptness of live text."""

from __future__ import annotations

import pytest
from _client import Frame, Take
from _promptness import promptness
from _words import Score, distance, score, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don\N{RIGHT SINGLE QUOTATION MARK}t stop \N{EN DASH} it's co-op!", ["don't", "stop", "it's", "co", "op"]),
        ("6 \N{MULTIPLICATION SIGN} 10=60, 35%", ["6", "10", "60", "35"]),
        ("'quoted' ÉTÉ", ["quoted", "été"]),
        (" ... ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "errors"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c d", "a x c d", 1),
        ("a b c d", "b c d", 1),
        ("a b c d", "a b x y c d", 2),
        ("a b c d", "d c b a", 4),
        ("a b a b", "b a b a", 2),
    ],
)
def test_distance(one: str, other: str, errors: int) -> None:
    assert distance(one.split(), other.split()) == errors


def test_scores_add_up_by_words() -> None:
    both = score("One, two.", "one two") + score("three four five", "three for five six")
    assert both == Score(2, 5)
    assert both.rate == pytest.approx(0.4)
    assert (Score().rate, score("", "word").rate) == (0.0, 1.0)


def _take(*frames: tuple[float, str, str, str, float]) -> Take:
    """Ten chunks of 0.1 s, each sent when it ends; then frames of (received, kind, text, stable, end)."""
    ends = [round(0.1 * index, 3) for index in range(1, 11)]
    bodies = [
        Frame(
            at, kind, {"utterance": 1, "text": text, "stable_text": stable, "end": end, "cause": "silence", "words": []}
        )
        for at, kind, text, stable, end in frames
    ]
    return Take(ends=ends, times=list(ends), frames=bodies)


def test_promptness() -> None:
    take = _take(
        (0.45, "partial", "one too", "", 0.4),
        (0.65, "partial", "one two", "one", 0.6),
        (0.85, "partial", "one two free", "one two", 0.7),
        (1.05, "final", "one two three", "one two three", 0.9),
    )
    told = promptness(take, "One, two, three!", [0.2, 0.4, 0.6])
    assert told.to_partial == pytest.approx([0.05, 0.05, 0.15])
    assert told.to_stable == pytest.approx([0.45, 0.45, 0.45])
    assert told.to_final == pytest.approx([0.15])
    assert (told.partials, told.grown, told.finals, told.broken, told.untrue) == (3, 2, 1, 0, [])
    assert (told.early, told.spoken) == (2, 3)  # the second word was stable at 0.85, the commit came at 0.9
    assert (told.wrong, told.shown, told.erased) == (2, 7, 2)


@pytest.mark.parametrize("later", ["ones two", "on", "", "two"])
def test_a_broken_promise_is_noticed(later: str) -> None:
    told = promptness(_take((0.5, "partial", "one two", "one two", 0.4), (0.9, "final", later, later, 0.8)), later, [])
    assert told.broken == 1


def test_what_was_not_said_is_noticed() -> None:
    told = promptness(_take((0.9, "final", "one", "one", 0.8)), "two", [0.3])
    assert told.untrue == ["one"]
