"""Words and the text they make: values, and the four things one does with them (shift, join, split, spell).

May import nothing of stenod. Times are seconds; whose zero they count from is said by whoever hands a transcript on (an
engine: the first sample it was given; a session: the first sample it heard).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is to be read, punctuation included."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    """0 to 1, or None where the engine has none."""
    speaker: str | None = None
    glued: bool = False
    """True where no space precedes it (scripts written without spaces)."""

    @property
    def middle(self) -> float:
        """The moment that decides on which side of a boundary the word lies, in seconds."""
        return (self.start + self.end) / 2


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. Where there are words, `text` is `spell(words)`; an engine without word times gives text alone."""

    text: str = ""
    words: tuple[Word, ...] = ()
    language: str | None = None
    turn_end: float | None = None
    """The recogniser's own belief, 0 to 1, that the speaker has finished; None where it has none."""

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the words that have one, 0 to 1; None where none has."""
        known = [word.confidence for word in self.words if word.confidence is not None]
        return sum(known) / len(known) if known else None


def spell(words: Iterable[Word]) -> str:
    """The text that `words` make."""
    return "".join(word.text if word.glued else " " + word.text for word in words).lstrip()


def of_words(words: Sequence[Word], *, language: str | None = None, turn_end: float | None = None) -> Transcript:
    """A transcript that says exactly `words`."""
    return Transcript(spell(words), tuple(words), language, turn_end)


def shift(transcript: Transcript, seconds: float) -> Transcript:
    """The same transcript, `seconds` later."""
    if not seconds:
        return transcript
    moved = tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in transcript.words)
    return replace(transcript, words=moved)


def join(transcripts: Iterable[Transcript]) -> Transcript:
    """One transcript of several that follow each other; the first language named holds for all."""
    parts = [part for part in transcripts if part.text]
    words = tuple(word for part in parts for word in part.words)
    language = next((part.language for part in parts if part.language), None)
    text = " ".join(part.text for part in parts)
    return Transcript(spell(words) if words and all(part.words for part in parts) else text, words, language)


def split(transcript: Transcript, at: float) -> tuple[Transcript, Transcript]:
    """What lies before and after the moment `at` (seconds): each word goes to the side that holds its middle."""
    before = tuple(word for word in transcript.words if word.middle < at)
    after = transcript.words[len(before) :]
    head = of_words(before, language=transcript.language)
    return head, of_words(after, language=transcript.language, turn_end=transcript.turn_end)
