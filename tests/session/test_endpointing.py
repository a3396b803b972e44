"""When speech begins and ends: pictures of audio in, marks out."""

from __future__ import annotations

import pytest

from stenod.options import FRAME, RATE, Endpointing
from stenod.session.endpointing import Endpointer, Signal

CHANCE = {"#": 0.9, "-": 0.4, ".": 0.1}
B, R, E, S, O = Signal.BEGAN, Signal.RESUMED, Signal.EAGER, Signal.STOPPED, Signal.OVER  # noqa: E741 - a table's letters


def marks(picture: str, options: Endpointing) -> list[tuple[int, Signal]]:
    """(frame, signal) for a picture of one sign a frame."""
    endpointer = Endpointer(options)
    found = []
    for index, sign in enumerate(picture):
        found += [(index, signal) for signal in endpointer.hear(FRAME, CHANCE[sign])]
        if found and found[-1] == (index, Signal.OVER):
            endpointer.reset()
    return found


FRAMES_3 = 3 * FRAME / RATE  # 96 ms
BASE = Endpointing(min_speech=FRAMES_3, min_silence=5 * FRAME / RATE)


@pytest.mark.parametrize(
    ("picture", "options", "expected"),
    [
        ("..........", BASE, []),
        ("..##......", BASE, []),  # too short
        ("..###.....", BASE, [(4, B), (9, S), (9, O)]),
        ("..###....#", BASE, [(4, B)]),  # the pause is too short to matter
        ("----------", BASE, []),  # doubtful is not a beginning
        ("..#--.....", BASE, [(4, B), (9, S), (9, O)]),  # hysteresis carries a beginning
        ("###-------------", BASE, [(2, B)]),  # and speech that goes on
        ("##.##.##.##", BASE, []),  # bursts do not add up
        ("###.....###.....", BASE, [(2, B), (7, S), (7, O), (10, B), (15, S), (15, O)]),
    ],
)  # fmt: skip
def test_marks(picture: str, options: Endpointing, expected: list[tuple[int, Signal]]) -> None:
    assert marks(picture, options) == expected


@pytest.mark.parametrize(
    ("picture", "eager", "hold", "expected"),
    [
        ("###.......", 2, 2, [(2, B), (4, E), (7, S), (9, O)]),
        ("###...###...", 2, 0, [(2, B), (4, E), (6, R), (10, E)]),
        ("###.....#.....", None, 2, [(2, B), (7, S), (8, R), (13, S)]),
        ("###.......", 6, 2, [(2, B), (7, S), (8, E), (9, O)]),  # eager between stop and commit
        ("###.......", 9, 0, [(2, B), (7, S), (7, O)]),  # eager later than the commit never comes
    ],
)
def test_eager_and_hold(picture: str, eager: int | None, hold: int, expected: list[tuple[int, Signal]]) -> None:
    each = FRAME / RATE
    options = Endpointing(
        min_speech=FRAMES_3, min_silence=5 * each, hold=hold * each, eager=None if eager is None else eager * each
    )
    assert marks(picture, options) == expected


def test_positions_are_where_speech_and_silence_began() -> None:
    endpointer = Endpointer(BASE)
    for sign in "..####..":
        endpointer.hear(FRAME, CHANCE[sign])
    assert endpointer.candidate == 2 * FRAME
    assert endpointer.silence == 6 * FRAME


def test_assumed_speech_ends_by_silence() -> None:
    endpointer = Endpointer(BASE)
    endpointer.assume_speech()
    signals = [signal for _ in range(5) for signal in endpointer.hear(FRAME, 0.0)]
    assert signals == [S, O]
