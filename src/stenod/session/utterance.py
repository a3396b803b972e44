"""The parts of what is being said: stretches (what one engine state hears) and pieces (what one final freezes).

An utterance is one stretch and one piece as a rule. A long one is cut into several stretches at quiet points; a dialect
that wants finals on a beat gets several pieces of one stretch. Positions are samples of the session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from stenod.events import Cause
from stenod.jobs import Answer, Samples
from stenod.options import FRAME, RATE, DecodeOptions
from stenod.session.stability import Stability, as_words
from stenod.transcript import Transcript, Word, of_words

GUARD = 0.5
"""Words that end within so many seconds of a boundary in running speech wait for the next piece: they may be halves, or
about to be heard differently. With pieces of a second, 0.2 made 28 % word errors, 0.5 makes 25 % (docs/performance.md)."""


@dataclass(slots=True, eq=False)
class Stretch:
    """What one engine state hears."""

    number: int
    utterance: int
    origin: int
    """First sample."""
    start: int
    """First sample of it that is still decoded; moves on when audio behind frozen pieces is let go."""
    end: int | None = None
    """Set when nothing follows."""
    reported: Word | None = None
    """The last word that a final of this stretch has frozen."""
    stability: Stability = field(default_factory=Stability)
    hypothesis: tuple[Transcript, int, int, float] | None = None
    """The newest partial as it may be shown, its stable characters, the sample it reaches, and the seconds it took."""
    newest: int = 0
    """The newest decode whose answer was used: older answers come too late."""
    doomed: bool = False
    """Forgotten; withdraw it when its last piece is out."""

    def unreported(self, transcript: Transcript) -> Transcript:
        """What `transcript` (of the whole stretch) says after the last frozen word, and before the stretch's end.

        A later decode may place a frozen word a little later: the same word again, over the boundary, is that one. Another
        model may write it with other marks and capitals.
        """
        words = as_words(transcript)
        if not transcript.words:
            return transcript
        if self.end is not None:
            words = tuple(word for word in words if word.middle * RATE < self.end)
        if self.reported is not None:
            edge = self.reported.end
            words = tuple(word for word in words if word.middle >= edge)
            if words and _bare(words[0]) == _bare(self.reported) and words[0].start < edge:
                words = words[1:]
        return of_words(words, language=transcript.language, turn_end=transcript.turn_end)

    def rebase(self) -> None:
        """Start a new promise after the last frozen word; what was promised beyond it stays promised."""
        if self.reported is None or self.reported.end == 0.0:
            self.stability = Stability()
        else:
            self.stability = self.stability.after(self.reported.end)
        self.hypothesis = None

    def freeze(self, transcript: Transcript, boundary: int | None) -> Transcript:
        """The words of `transcript` that the piece ending at `boundary` freezes (None: all of them), and note them."""
        fresh = self.unreported(transcript)
        if boundary is not None and fresh.words:
            limit = boundary / RATE - GUARD
            fresh = of_words([word for word in fresh.words if word.end <= limit], language=fresh.language)
        if fresh.words:
            self.reported = fresh.words[-1]
        return fresh


@dataclass(slots=True, eq=False)
class Piece:
    """What one final will freeze: the span `[start, end)` of the session."""

    utterance: Utterance
    stretch: Stretch | None
    """None where there was nothing to decode."""
    part: int
    start: int
    end: int
    hole: int
    """Samples of the span that were dropped."""
    speech: int
    """Where its audio that matters begins: before it lies silence that was let go."""
    closes: Cause | None
    frozen: bool
    """True where the stretch ends with the piece: all its words are frozen."""
    samples: Samples | None = None
    """The audio decoded for it, kept where a later job (revision, diarization) needs it."""
    answer: Answer | None = None
    took: float = 0.0
    failure: tuple[str, str] | None = None

    @property
    def ready(self) -> bool:
        """Whether its final can be given."""
        return self.answer is not None or self.failure is not None


@dataclass(slots=True, eq=False)
class Utterance:
    """From its beginning to its commit."""

    number: int
    decode: DecodeOptions
    stretch: Stretch | None = None
    """The one that is open; None once committed, or where nothing was ever decoded."""
    part: int = 1
    """Number of the piece that is open."""
    piece_from: int = 0
    """Where the audio of the open piece begins."""
    next_partial: int = 0
    told: list[Transcript] = field(default_factory=list)
    """Pieces that were given as finals."""
    kept: list[Samples] = field(default_factory=list)
    """Audio of its stretches, where a later job needs it."""
    eager: bool = False
    """The silence is long enough to anticipate the end of the turn; the next eager answer does."""
    anticipated: Transcript | None = None
    """The text that was anticipated."""
    anticipation: Answer | None = None
    """The answer behind it, good as the closing one while nobody has spoken since."""
    failed: bool = False


def _bare(word: Word) -> str:
    """The letters and digits of a word, without their case."""
    return "".join(filter(str.isalnum, word.text)).casefold()


def quietest(levels: Sequence[tuple[int, float]]) -> int:
    """The position (samples) in the middle of the quietest three frames in a row; the latest of equals.

    `levels` holds the position and the level of successive frames, at least one.
    """
    values = [level for _, level in levels]
    sums = [sum(values[max(0, i - 1) : i + 2]) / len(values[max(0, i - 1) : i + 2]) for i in range(len(values))]
    best = min(range(len(sums)), key=lambda i: (sums[i], -i))
    return levels[best][0] + FRAME // 2
