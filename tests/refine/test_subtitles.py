"""Subtitles: the exact files for small speech, and the laws that hold for any."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.refine.subtitles import LONGEST, WIDTH, cues, srt, vtt
from stenod.refine.words import Segment
from stenod.transcript import Transcript, Word, of_words


def spoken(*words: tuple[str, float, float], glued: bool = False) -> Segment:
    made = of_words([Word(text, start, end, glued=glued) for text, start, end in words])
    return Segment(words[0][1] if words else 0, words[-1][2] if words else 0, made)


def evenly(text: str, seconds: float = 0.2, at: float = 0.0) -> Segment:
    return spoken(*((word, at + i * seconds, at + (i + 1) * seconds) for i, word in enumerate(text.split())))


def test_srt() -> None:
    heard = [spoken(("Hello", 0.5, 0.9), ("there.", 1.0, 1.4)), spoken(("Good-bye.", 3661.5, 3662.0004))]
    assert srt(heard) == (
        "1\n00:00:00,500 --> 00:00:01,400\nHello there.\n\n2\n01:01:01,500 --> 01:01:02,000\nGood-bye.\n"
    )


def test_vtt() -> None:
    heard = [spoken(("a<b", 0, 0.5), ("&", 0.5, 1), ("-->", 1, 1.5)), spoken(("late", 360000, 360001))]
    assert vtt(heard) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na&lt;b &amp; --&gt;\n\n100:00:00.000 --> 100:00:01.000\nlate\n"
    )


@pytest.mark.parametrize(("render", "empty"), [(srt, ""), (vtt, "WEBVTT\n")])
@pytest.mark.parametrize("heard", [[], [spoken()], [Segment(0, 5, Transcript(""))]])
def test_silence(render, empty, heard) -> None:
    assert render(heard) == empty


LONG = "the quick brown fox jumps over the lazy dog"  # 43 characters


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        pytest.param([evenly("one two")], [(0, 400, ("one two",))], id="short"),
        pytest.param([evenly(LONG)], [(0, 1800, ("the quick brown fox", "jumps over the lazy dog"))], id="two lines"),
        pytest.param(
            [spoken(("one", 0, 1), ("two", 1.8, 2))], [(0, 1000, ("one",)), (1800, 2000, ("two",))], id="pause"
        ),
        pytest.param(
            [spoken(("One.", 0, 1), ("Two", 1.3, 2))], [(0, 1000, ("One.",)), (1300, 2000, ("Two",))], id="sentence"
        ),
        pytest.param([spoken(("One.", 0, 1), ("Two", 1.1, 2))], [(0, 2000, ("One. Two",))], id="hurried sentence"),
        pytest.param(
            [spoken(("a", 0, 3), ("b,", 3, 6), ("c", 6, 8))], [(0, 6000, ("a b,",)), (6000, 8000, ("c",))], id="seven"
        ),
        pytest.param(
            [evenly("so the first part, then the other one", 1)],
            [(0, 4000, ("so the first part,",)), (4000, 8000, ("then the other one",))],
            id="at the comma",
        ),
        pytest.param([Segment(2, 4, Transcript("ab cd"))], [(2000, 4000, ("ab cd",))], id="text alone"),
        pytest.param([spoken(("drawn", 0, 20))], [(0, 7000, ("drawn",))], id="one word too long"),
        pytest.param([spoken(("x", 1, 1))], [(1000, 1001, ("x",))], id="no time at all"),
        pytest.param([spoken(("x", -2, -1))], [(0, 1, ("x",))], id="before the beginning"),
        pytest.param(
            [spoken(("one", 0, 2)), spoken(("two", 1, 3))], [(0, 2000, ("one",)), (2000, 3000, ("two",))], id="overlap"
        ),
        pytest.param([spoken(("字" * 50, 0, 5))], [(0, 5000, ("字" * 42, "字" * 8))], id="a word longer than a line"),
        pytest.param(
            [spoken(*(("字", i / 10, (i + 1) / 10) for i in range(50)), glued=True)],
            [(0, 5000, ("字" * 25, "字" * 25))],
            id="no spaces",
        ),
    ],
)
def test_cues(heard, expected) -> None:
    assert [(cue.start, cue.end, cue.lines) for cue in cues(heard)] == expected


times = st.floats(-5, 400_000, allow_nan=False)
texts = st.text(max_size=60)
words = st.builds(Word, texts, times, times, glued=st.booleans())
finals = st.builds(
    Segment, times, times, st.one_of(st.builds(of_words, st.lists(words, max_size=30)), st.builds(Transcript, texts))
)


@given(st.lists(finals, max_size=5))
def test_any_speech_makes_readable_cues(heard: list[Segment]) -> None:
    made = cues(heard)
    assert all(0 <= cue.start < cue.end <= cue.start + LONGEST * 1000 for cue in made)
    assert all(one.end <= other.start for one, other in pairwise(made))
    assert all(1 <= len(cue.lines) <= 2 and all(0 < len(line) <= WIDTH for line in cue.lines) for cue in made)
    said = "".join(word.text for one in heard for word in one.transcript.words) or None
    if said and all(one.transcript.words for one in heard):
        assert "".join("".join(cue.lines) for cue in made).replace(" ", "") == "".join(said.split())
    assert srt(heard).count("\n\n") == max(0, len(made) - 1)
    assert vtt(heard).count("\n\n") == len(made)
