"""What comes after a closing final, late and optional: speakers and insights. Their failure is a warning, never the end.

Pure, like the rest of the core. (A second pass is a decode, and `telling`'s business.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stenod.errors import StenodError
from stenod.events import Analyzed, Diarized, Event, Summarized, Warned
from stenod.jobs import Analyze, Diarize, Insight, Job, Labelled, Samples
from stenod.options import RATE, Options
from stenod.session.utterance import Piece
from stenod.transcript import Transcript


@dataclass(slots=True)
class Late:
    """The questions that are out."""

    emit: Callable[[Event | Job], None]
    out: int = 0

    def ask(self, closing: Piece, whole: Transcript, audio: Samples | None, options: Options) -> None:
        """Ask what `options` want to know of an utterance that has closed; `audio` is what was decoded of it, if kept."""
        number = closing.utterance.number
        if options.diarize and audio is not None:
            self.out += 1
            self.emit(Diarize(number, audio, closing.end - len(audio), whole))
        if options.analyze:
            self.out += 1
            self.emit(Analyze(number, whole, closing.start / RATE, closing.end / RATE))

    def label(self, labelled: Labelled) -> None:
        """Take in speakers."""
        self.out -= 1
        if isinstance(labelled.result, StenodError):
            self.emit(Warned("diarization_failed", labelled.result.message))
        else:
            self.emit(Diarized(labelled.utterance, labelled.result))
        if labelled.speakers or labelled.parts:
            self.emit(Summarized(labelled.speakers, labelled.parts))

    def learn(self, insight: Insight) -> None:
        """Take in an insight."""
        self.out -= 1
        if isinstance(insight.result, StenodError):
            self.emit(Warned("insight_failed", insight.result.message))
        else:
            self.emit(Analyzed(insight.kind, insight.result))
