"""What the dialects share that answer a whole file at once: their finals gathered, and the first document's `timestamps`.

No dialect's field or error names enter this file beyond those of that document.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from stenod.events import Audio, Command, Configure, Fail, Final
from stenod.options import Options
from stenod.protocols.base import WireProtocol
from stenod.refine.words import Segment, Spoken, chars, segments, words_of
from stenod.transcript import Transcript, Word, join


class Renderer(WireProtocol, Protocol):
    """A dialect whose one message is the body of an HTTP response: audio bytes in, then at most one body and a `Close`.

    `Handshake.query` holds the form, `Handshake.defaults.format` the format in which the file's audio will come.
    """

    @property
    def media_type(self) -> str:
        """Of the body. Asked for when the body is there."""
        ...


class FileDialect:
    """What such dialects do alike: the form is all that is said before the audio, and the audio all that comes after."""

    def __init__(self, options: Options, problem: Fail | None) -> None:
        self._options = options
        self._problem = problem
        self._gathered = Gathered()

    def open(self) -> list[Command]:
        """What the form says."""
        return [self._problem or Configure(self._options)]

    def receive(self, message: str | bytes) -> list[Command]:
        """The file's audio."""
        return [Audio(message)] if isinstance(message, bytes) else []


@dataclass(slots=True)
class Gathered:
    """The finals of a file, in order."""

    finals: list[Final] = field(default_factory=list)

    def add(self, final: Final) -> None:
        """One more."""
        self.finals.append(final)

    @property
    def transcript(self) -> Transcript:
        """Everything that was said; times are seconds of the file."""
        return join(final.transcript for final in self.finals)

    @property
    def heard(self) -> list[Spoken]:
        """The finals that have text."""
        return [Segment(final.start, final.end, final.transcript) for final in self.finals if final.transcript.text]

    @property
    def segments(self) -> list[Segment]:
        """What was said, sentence by sentence."""
        return segments(self.heard)

    @property
    def words(self) -> list[Word]:
        """Every word with its time; where the engine timed none, they share their utterance's time."""
        return [word for spoken in self.heard for word in words_of(spoken)]


def timestamps(gathered: Gathered) -> dict[str, list[dict[str, Any]]]:
    """`words`, `segments` and `chars`, each with `text`, `start` and `end` (seconds)."""
    said = [(segment.transcript.text, segment.start, segment.end) for segment in gathered.segments]
    words = gathered.words
    return {
        "words": [_timed(word.text, word.start, word.end) for word in words],
        "segments": [_timed(*segment) for segment in said],
        "chars": [_timed(char.text, char.start, char.end) for char in chars(words)],
    }


def _timed(text: str, start: float, end: float) -> dict[str, Any]:
    return {"text": text, "start": round(start, 3), "end": round(end, 3)}
