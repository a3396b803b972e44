"""Words seen more finely and more coarsely: characters with times, words where an engine gave none, segments.

Whatever has a start, an end and a transcript is `Spoken`: a `Final`, a segment. May import transcript only. Times are
seconds and count from wherever the words' own times do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from stenod.transcript import Transcript, Word, of_words

PAUSE: Final = 0.8
"""Seconds of silence between two words that part two segments."""

_ENDS: Final = (".", "?", "!", "…", "。", "？", "！")
_CLOSERS: Final = "\"'”’»)]」』"


class Spoken(Protocol):
    """A stretch of audio and what was said in it."""

    @property
    def start(self) -> float:
        """Seconds."""
        ...

    @property
    def end(self) -> float:
        """Seconds."""
        ...

    @property
    def transcript(self) -> Transcript:
        """Its times count as `start` and `end` do."""
        ...


@dataclass(frozen=True, slots=True)
class Segment:
    """One thing that was said."""

    start: float
    end: float
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Char:
    """One character of a word."""

    text: str
    start: float
    end: float


def chars(words: Iterable[Word]) -> list[Char]:
    """Every character of `words`, without the spaces between them.

    No engine here times characters: each word's time is shared out evenly among its own.
    """
    return [char for word in words for char in _chars(word)]


def words_of(spoken: Spoken) -> tuple[Word, ...]:
    """Its words in order of time, none of them reaching back before another.

    Where the engine gave text alone, its words share the stretch in proportion to their lengths. White space inside a
    word becomes one space, and empty words go.
    """
    given = spoken.transcript.words or tuple(_shared_out(spoken))
    clean = (replace(word, text=" ".join(word.text.split())) for word in given)
    return tuple(_forward(word for word in clean if word.text))


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with `text`, closing quotes and brackets left aside."""
    return text.rstrip(_CLOSERS).endswith(_ENDS)


def segments(heard: Iterable[Spoken], *, pause: float = PAUSE) -> list[Segment]:
    """What was said, sentence by sentence, parted also at pauses of `pause` seconds and wherever `heard` is parted.

    A segment begins with its first word and ends with its last; stretches without words make none.
    """
    made: list[Segment] = []
    for spoken in heard:
        run: list[Word] = []
        for word in words_of(spoken):
            if run and (ends_sentence(run[-1].text) or word.start - run[-1].end >= pause):
                made.append(_segment(run, spoken))
                run = []
            run.append(word)
        if run:
            made.append(_segment(run, spoken))
    return made


def _segment(run: Sequence[Word], spoken: Spoken) -> Segment:
    return Segment(run[0].start, run[-1].end, of_words(run, language=spoken.transcript.language))


def _chars(word: Word) -> Iterator[Char]:
    step = (word.end - word.start) / max(1, len(word.text))
    for index, char in enumerate(word.text):
        end = word.end if index == len(word.text) - 1 else word.start + (index + 1) * step
        yield Char(char, word.start + index * step, end)


def _shared_out(spoken: Spoken) -> Iterator[Word]:
    texts = spoken.transcript.text.split()
    step = (spoken.end - spoken.start) / max(1, sum(map(len, texts)))
    at = spoken.start
    for text in texts:
        yield Word(text, at, at + len(text) * step)
        at += len(text) * step


def _forward(words: Iterable[Word]) -> Iterator[Word]:
    """The same words, each beginning where the one before it began or later, and ending where it begins or later."""
    least = 0.0
    for word in words:
        start = max(least, word.start)
        yield replace(word, start=start, end=max(start, word.end))
        least = start
