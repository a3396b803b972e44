"""The telling half of a session: what recognisers answered, said in the order in which it was spoken.

Pieces and events wait in one queue; a final is given when its piece has reached the head and its answer is there, so no
text of a later utterance can overtake an earlier one. Pure: no clock, no task, no engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from stenod.errors import StenodError
from stenod.events import (
    Anticipated,
    Cleared,
    Ended,
    Event,
    Failed,
    Final,
    Partial,
    Retracted,
    Revised,
    Warned,
)
from stenod.jobs import Answer, Decode, Decoded, Insight, Job, Kind, Labelled, Samples, Withdraw
from stenod.options import RATE, Options
from stenod.session.account import Ledger
from stenod.session.late import Late
from stenod.session.stability import common_prefix
from stenod.session.utterance import Piece, Stretch, Utterance
from stenod.transcript import Transcript, join


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a running decode is for: a piece, a partial, or a revision."""

    utterance: Utterance
    stretch: Stretch
    upto: int
    """The position its audio reaches."""
    piece: Piece | None = None
    eager: bool = False
    revises: bool = False
    draft: bool = False
    """Asked of another model than finals are: it promises nothing."""


@dataclass(slots=True)
class Telling:
    """Answers in, events out."""

    ledger: Ledger
    emit: Callable[[Event | Job], None]
    options: Options
    queue: deque[Piece | Event] = field(default_factory=deque)
    asked: dict[int, Asked] = field(default_factory=dict)
    last_word: tuple[int, float] | None = None
    """Utterance and end (seconds) of the newest word told."""
    told_upto: int = 0
    """Where the span of the last final given ends, in samples."""
    ending: float | None = None
    """Seconds heard, once nothing more will come."""
    because: str = "client"
    """Why nothing more will come."""
    finished: bool = False
    _jobs: int = 0
    _stretches: int = 0
    _unshown: Stretch | None = None
    """A stretch whose newest partial waits for an earlier final."""
    _late: Late = field(init=False)

    def __post_init__(self) -> None:
        self._late = Late(self.emit)

    def ask(self, asked: Asked, samples: Samples, *, kind: Kind, context: int = 0, last: bool = False) -> None:
        """Have `samples`, which end at `asked.upto`, decoded."""
        options = asked.utterance.decode
        if asked.revises and self.options.revision is not None:
            options = self.options.revision
        elif kind is Kind.PARTIAL and self.options.drafts is not None and not asked.eager:  # that one may be the final
            options = replace(options, model=self.options.drafts)
            asked = replace(asked, draft=True)
        self._jobs += 1
        self.asked[self._jobs] = asked
        start = asked.upto - len(samples)
        number = asked.stretch.number
        self.emit(
            Decode(
                self._jobs, asked.utterance.number, number, kind, samples, start, context, last=last, options=options
            )
        )

    def number_stretch(self) -> int:
        """A number for a new stretch."""
        self._stretches += 1
        return self._stretches

    def say(self, item: Piece | Event) -> None:
        """Give `item` when everything before it has been given."""
        self.queue.append(item)
        self.deliver()

    def answer(self, decoded: Decoded) -> Transcript | None:
        """Take in an answer; the partial transcript that became visible, if one did."""
        asked = self.asked.pop(decoded.job, None)
        if asked is None:
            return None
        if asked.revises:
            self._revise(asked.utterance, decoded.result)
        elif asked.piece is not None:
            self._fill(asked.piece, decoded)
        elif isinstance(decoded.result, Answer) and decoded.job > asked.stretch.newest:
            asked.stretch.newest = decoded.job
            return self._hear_partial(asked, decoded.result, decoded.took)
        elif isinstance(decoded.result, StenodError) and asked.draft:
            self._give_up_drafts(decoded.result)
        self.deliver()
        return None

    def take(self, late: Labelled | Insight) -> None:
        """Take in what was asked of a closed utterance."""
        if isinstance(late, Labelled):
            self._late.label(late)
        else:
            self._late.learn(late)
        self.deliver()

    def interrupt(self, spoken: Utterance | None) -> None:
        """Forget every utterance but the one being `spoken`."""
        forgotten: set[int] = set()
        for piece in [item for item in self.queue if isinstance(item, Piece) and item.utterance is not spoken]:
            self.queue.remove(piece)
            self.ledger.drop(piece.end - piece.start - piece.hole, "interrupted")
            self.told_upto = max(self.told_upto, piece.end)
            if piece.stretch is not None:
                forgotten.add(piece.stretch.number)
        for job, asked in list(self.asked.items()):
            if asked.utterance is not spoken:
                del self.asked[job]
                forgotten.add(asked.stretch.number)
        for number in sorted(forgotten):
            self.emit(Withdraw(number))
        self.deliver()

    def settle(self, stretch: Stretch) -> None:
        """The stretch has its last audio: answers to partials of it come too late."""
        late = [job for job, asked in self.asked.items() if asked.stretch is stretch and asked.piece is None]
        for job in late:
            del self.asked[job]

    def abandon(self, stretch: Stretch) -> None:
        """Nobody wants `stretch` any more, but for pieces of it that are under way."""
        stretch.doomed = True
        if not any(isinstance(item, Piece) and item.stretch is stretch for item in self.queue):
            self._withdraw(stretch)

    def fail(self, failed: Failed, seconds: float) -> None:
        """The end, at once: everything undecided is dropped."""
        for number in {asked.stretch.number for asked in self.asked.values()}:
            self.emit(Withdraw(number))
        self.asked.clear()
        self.queue.clear()
        self.ledger.drop(self.ledger.open, "failed")
        self.emit(failed)
        self.emit(Ended(seconds, self.ledger.balance(), "failed"))
        self.finished = True

    def deliver(self) -> None:
        """Give everything at the head of the queue that is ready."""
        while self.queue:
            head = self.queue[0]
            if isinstance(head, Piece):
                if not head.ready:
                    return
                self.queue.popleft()
                self._give(head)
                if head.stretch is not None and head.stretch.doomed:
                    self.abandon(head.stretch)
            else:
                self.queue.popleft()
                if isinstance(head, Cleared):
                    self.told_upto = round(head.upto * RATE)
                self.emit(head)
        if self._unshown is not None and self._unshown.hypothesis is not None:
            self._show(self._unshown)
        if self.ending is not None and not self.asked and not self._late.out and not self.finished:
            self.finished = True
            self.emit(Ended(self.ending, self.ledger.balance(), self.because))

    @property
    def undecoded(self) -> int:
        """Samples of finished pieces whose answer is still to come."""
        waiting = (item for item in self.queue if isinstance(item, Piece) and not item.ready)
        return sum(piece.end - piece.speech for piece in waiting)

    # --------------------------------------------------------------------------------------------------- partials

    def _hear_partial(self, asked: Asked, answer: Answer, took: float) -> Transcript | None:
        stretch, utterance = asked.stretch, asked.utterance
        if stretch.end is not None or stretch.doomed or utterance.failed:
            return None
        shown, stable = stretch.stability.hear(
            stretch.unreported(answer.transcript),
            upto=asked.upto / RATE,
            holds=answer.holds,
            append_only=answer.append_only,
            draft=asked.draft,
        )
        stretch.hypothesis = (shown, stable, asked.upto, took)
        self._unshown = stretch
        if not any(isinstance(item, Piece) for item in self.queue):
            self._show(stretch)
        if asked.eager and utterance.eager and shown.text:
            utterance.anticipation, utterance.anticipated = answer, join([*utterance.told, shown])
            confidence = 1.0 if shown.turn_end is None else shown.turn_end
            self.emit(Anticipated(utterance.number, utterance.anticipated, confidence))
        return shown

    def _give_up_drafts(self, error: StenodError) -> None:
        """Partials come from the model of finals from now on, until somebody configures anew."""
        if self.options.drafts is not None:
            self.emit(Warned("drafts_failed", error.message, {"model": self.options.drafts}))
            self.options = replace(self.options, drafts=None)

    def _show(self, stretch: Stretch) -> None:
        self._unshown = None
        if stretch.hypothesis is None or stretch.end is not None or stretch.doomed:
            return
        shown, stable, upto, took = stretch.hypothesis
        if not shown.text:
            return
        if shown.words and shown.words[-1].end:
            self.last_word = (stretch.utterance, shown.words[-1].end)
        if not self.options.partials:
            return  # it was asked for another reason
        self.emit(Partial(stretch.utterance, shown, self.told_upto / RATE, upto / RATE, stable, took))

    # ----------------------------------------------------------------------------------------------------- finals

    def _fill(self, piece: Piece, decoded: Decoded) -> None:
        piece.took = decoded.took
        if isinstance(decoded.result, Answer):
            piece.answer = decoded.result
        elif isinstance(decoded.result, StenodError):
            piece.failure = (decoded.result.code, decoded.result.message)
        else:
            piece.failure = ("overloaded", "The server had no room to decode this utterance.")

    def _give(self, piece: Piece) -> None:
        utterance, stretch = piece.utterance, piece.stretch
        samples = piece.end - piece.start - piece.hole
        self.told_upto = piece.end
        if piece.failure is not None or utterance.failed:
            self.ledger.drop(samples, "engine_failed")
            if piece.failure is not None and not utterance.failed:
                utterance.failed = True
                if self._unshown is not None and self._unshown.utterance == utterance.number:
                    self._unshown = None
                code, message = piece.failure
                self.emit(Failed(code, message, utterance=utterance.number))
            return
        self.ledger.finish(samples)
        transcript, promised = Transcript(), ""
        if stretch is not None and piece.answer is not None:
            promised = stretch.stability.text
            transcript = stretch.freeze(piece.answer.transcript, None if piece.frozen else piece.end)
            stretch.rebase()
        utterance.told.append(transcript)
        if piece.closes is not None and utterance.anticipated is not None:
            self._check(utterance.anticipated, utterance)
        if transcript.words and transcript.words[-1].end:
            self.last_word = (utterance.number, transcript.words[-1].end)
        self.emit(
            Final(
                utterance.number,
                piece.part,
                transcript,
                piece.start / RATE,
                piece.end / RATE,
                piece.closes,
                agrees=common_prefix(promised, transcript.text),
                took=piece.took,
                account=self.ledger.balance(),
            )
        )
        self._follow_up(piece)

    def _check(self, anticipated: Transcript, utterance: Utterance) -> None:
        if anticipated.text != join(utterance.told).text:
            self.emit(Retracted(utterance.number))

    def _follow_up(self, piece: Piece) -> None:
        utterance = piece.utterance
        if piece.samples is not None:
            utterance.kept.append(piece.samples)
        if piece.closes is None:
            return
        audio = np.concatenate(utterance.kept) if utterance.kept else None
        utterance.kept.clear()
        if self.options.revision is not None and audio is not None:
            start = piece.end - len(audio)
            again = Stretch(self.number_stretch(), utterance.number, origin=start, start=start)
            self.ask(Asked(utterance, again, piece.end, revises=True), audio, kind=Kind.REVISION, last=True)
        self._late.ask(piece, join(utterance.told), audio, self.options)

    def _revise(self, utterance: Utterance, result: object) -> None:
        if isinstance(result, Answer):
            self.emit(Revised(utterance.number, result.transcript))
        elif isinstance(result, StenodError):
            self.emit(Warned("revision_failed", result.message, {"utterance": utterance.number}))

    def _withdraw(self, stretch: Stretch) -> None:
        self.settle(stretch)
        self.emit(Withdraw(stretch.number))
