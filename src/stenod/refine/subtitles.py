"""SubRip and WebVTT: what was said, cut into cues that can be read.

A cue has at most two lines of 42 characters and lasts at most 7 seconds, the limits common in broadcasting (Netflix
Timed Text Style Guide). May import transcript and words only. Times are seconds in, milliseconds inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stenod.refine.words import PAUSE, Spoken, ends_sentence, words_of
from stenod.transcript import Word, spell

WIDTH: Final = 42
"""Characters in a line."""

LONGEST: Final = 7.0
"""Seconds of a cue."""

BREATH: Final = 0.3
"""Seconds of silence that part two cues where a sentence has ended."""

_CLAUSE: Final = (",", ";", ":", "–", "—", "、", "，")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: when it shows, in milliseconds, and its one or two lines."""

    start: int
    end: int
    lines: tuple[str, ...]


def srt(heard: Iterable[Spoken]) -> str:
    """Subtitles in SubRip format."""
    blocks = (
        f"{index}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n" + "\n".join(cue.lines) + "\n"
        for index, cue in enumerate(cues(heard), start=1)
    )
    return "\n".join(blocks)


def vtt(heard: Iterable[Spoken]) -> str:
    """Subtitles in WebVTT format (https://www.w3.org/TR/webvtt1/), markup characters escaped."""
    blocks = (
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n" + "\n".join(map(_escaped, cue.lines)) + "\n"
        for cue in cues(heard)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def cues(heard: Iterable[Spoken]) -> list[Cue]:
    """Readable cues, in order; none begins before the one ahead of it has ended, and each lasts a moment at least."""
    made: list[Cue] = []
    for spoken in heard:
        for run in _runs([part for word in words_of(spoken) for part in _fitting(word)]):
            start = max(_ms(run[0].start), made[-1].end if made else 0)
            end = min(_ms(run[-1].end), start + _ms(LONGEST))
            made.append(Cue(start, max(end, start + 1), _lines(run)))
    return made


def _runs(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """The words of each cue."""
    rest = list(words)
    while rest:
        count = _fits(rest)
        if count < len(rest) and not _parted(rest[count - 1], rest[count]):
            count = _best_break(rest, count)
        yield rest[:count]
        del rest[:count]


def _fits(words: Sequence[Word]) -> int:
    """How many leading words one cue can take, at least one."""
    for count in range(1, len(words)):
        last, following = words[count - 1], words[count]
        too_late = following.end - words[0].start > LONGEST
        if _parted(last, following) or too_late or len(_lines(words[: count + 1])) > 2:
            return count
    return len(words)


def _parted(last: Word, following: Word) -> bool:
    gap = following.start - last.end
    return gap >= PAUSE or (gap >= BREATH and ends_sentence(last.text))


def _best_break(words: Sequence[Word], count: int) -> int:
    """Where a full cue of `count` words is best ended: in its latter half, by sentence, then clause, then pause."""

    def merit(at: int) -> tuple[bool, bool, float, int]:
        last = words[at - 1]
        gap = words[at].start - last.end
        return ends_sentence(last.text), last.text.endswith(_CLAUSE), round(gap, 1), at

    return max(range(max(1, (count + 1) // 2), count + 1), key=merit)


def _lines(words: Sequence[Word]) -> tuple[str, ...]:
    """The text in lines of at most WIDTH characters; two lines are as even as they can be."""
    text = spell(words)
    if len(text) <= WIDTH:
        return (text,)
    pairs = [(spell(words[:at]), spell(words[at:])) for at in range(1, len(words))]
    fitting = [pair for pair in pairs if max(map(len, pair)) <= WIDTH]
    if fitting:
        return min(fitting, key=lambda pair: abs(len(pair[0]) - len(pair[1])))
    return (text, "", "")  # three lines or more: more than a cue takes


def _fitting(word: Word) -> Iterator[Word]:
    """The word, in pieces that fit a line where it is longer than one."""
    step = (word.end - word.start) / len(word.text)
    for at in range(0, len(word.text), WIDTH):
        text = word.text[at : at + WIDTH]
        start = word.start + at * step
        yield replace(word, text=text, start=start, end=start + len(text) * step, glued=word.glued or at > 0)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _escaped(line: str) -> str:
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
