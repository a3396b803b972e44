"""The hearing half of a session: which audio belongs to which utterance, and what to have decoded when.

Frames in; utterances begin, grow, are cut into pieces and committed. What recognisers make of them is `telling`'s part.
Pure: its only clock is the number of samples heard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from stenod.audio.buffer import SampleBuffer
from stenod.events import Cause, Committed, Event, Lapsed, Retracted, SpeechStarted, SpeechStopped
from stenod.jobs import Answer, Frame, Job, Kind, Withdraw
from stenod.options import FRAME, RATE, Options
from stenod.session.endpointing import Endpointer, Signal
from stenod.session.telling import Asked, Telling
from stenod.session.utterance import Piece, Stretch, Utterance, quietest
from stenod.transcript import Transcript

CUT_WINDOW = 5.0
"""Seconds before the longest utterance in which the quietest point is looked for."""


class Hearing:
    """The audio of one session; `origin` is the position, in samples, of the first one it will hear."""

    def __init__(
        self, options: Options, telling: Telling, emit: Callable[[Event | Job], None], origin: int = 0
    ) -> None:
        self.options = options
        self.telling = telling
        self.emit = emit
        self.position = origin
        """Samples of the session's time line so far."""
        self.open: Utterance | None = None
        self.utterances = 0
        """How many have begun."""
        self.endpointer = Endpointer(options.endpointing, position=origin)
        self._buffer = SampleBuffer(origin)
        self._levels: deque[tuple[int, float]] = deque(maxlen=int(CUT_WINDOW * RATE / FRAME))
        self._span = origin  # where the span of the next final begins
        self._hole = 0  # dropped samples inside that span
        self._floor = origin  # audio before it belongs to earlier utterances
        self._lapsed = 0.0  # the word end that was last reported as lapsed

    @property
    def kept_from(self) -> int:
        """The first sample that may still end up in text."""
        if self.telling.queue:
            pieces = (item.speech for item in self.telling.queue if isinstance(item, Piece))
            return min(pieces, default=self.position)
        if self.open is not None and self.open.stretch is not None:
            return max(self.open.piece_from, self.open.stretch.start)
        return self._speech_start()

    @property
    def unspanned(self) -> int:
        """Samples that no piece covers yet."""
        return self.position - self._span - self._hole

    def hear(self, frame: Frame) -> None:
        """Take in the next frame."""
        before = self.position
        self._buffer.append(frame.samples)
        self._levels.append((before, frame.level))
        self.position += len(frame.samples)
        signals = self.endpointer.hear(len(frame.samples), frame.probability)
        if self.open is None and self.options.endpointing.mode == "manual":
            self._begin(before)
        for signal in signals:
            self._signal(signal, frame)
        if self.open is not None:
            self._grow(self.open)
        self._let_go()
        self._check_lapse()

    def retune(self, options: Options) -> None:
        """New options: endpointing at once, decoding from the next utterance."""
        turned_auto = options.endpointing.mode == "auto" and self.options.endpointing.mode == "manual"
        self.options = options
        self.endpointer.retune(options.endpointing)
        if turned_auto and self.open is not None:
            self.endpointer.assume_speech()  # so that silence ends the utterance that is open

    def commit(self, cause: Cause) -> None:
        """The open utterance ends here; where none is open, an empty one does, so that every commit is answered."""
        self._commit(self.position, cause)
        self.endpointer.reset()

    def forget(self) -> None:
        """Forget everything since the last piece."""
        self._span, self._hole, self._floor = self.position, 0, self.position
        if self.open is not None and self.open.stretch is not None:
            self.telling.abandon(self.open.stretch)
        self.open = None
        self.endpointer.reset()

    def skip(self, samples: int) -> None:
        """`samples` samples are missing here: the time line goes on behind them, decoding starts anew."""
        utterance = self.open
        if utterance is not None:
            self._close_piece(utterance, self.position, None, cut=True)
        self.position += samples
        self._hole += samples
        self._floor = self.position
        self.endpointer.skip(samples)
        self._buffer = SampleBuffer(self.position)
        if utterance is not None and utterance.stretch is not None:
            utterance.stretch.origin = utterance.stretch.start = utterance.piece_from = self.position

    def recover(self) -> None:
        """Where the open utterance has failed, what it has not told yet is the next one: the failure silences no more."""
        failed = self.open
        if failed is None or not failed.failed or failed.stretch is None:
            return
        self.telling.abandon(failed.stretch)
        self._floor = failed.piece_from
        follower = self._begin(failed.piece_from)
        if self.endpointer.speaking:
            at, start = self.position / RATE, failed.piece_from / RATE
            self.emit(SpeechStarted(follower.number, at, start, 1.0, self._levels[-1][1]))

    # ----------------------------------------------------------------------------------------------------- speech

    def _signal(self, signal: Signal, frame: Frame) -> None:
        match signal:
            case Signal.BEGAN | Signal.RESUMED:
                self._speech(self.open or self._begin(self._speech_start()), frame)
            case Signal.EAGER if self.open is not None:
                self.open.eager = True
                self._ask_partial(self.open, eager=True)
            case Signal.STOPPED if self.open is not None:
                stopped = SpeechStopped(self.open.number, self.position / RATE, frame.probability, frame.level)
                self.emit(stopped)
            case Signal.OVER if self.options.endpointing.mode == "auto":
                self.commit("silence")
            case Signal.OVER:
                self.endpointer.reset()
            case _:
                pass

    def _speech(self, utterance: Utterance, frame: Frame) -> None:
        """Speech began, or goes on after a pause that was announced."""
        utterance.eager = False
        utterance.anticipation = None
        if utterance.anticipated is not None:
            utterance.anticipated = None
            self.emit(Retracted(utterance.number))
        start = self._speech_start()
        if utterance.stretch is not None:
            start = max(start, utterance.stretch.origin)
        self.emit(SpeechStarted(utterance.number, self.position / RATE, start / RATE, frame.probability, frame.level))

    def _speech_start(self) -> int:
        """Where the speech that is going on (or may have begun) starts, padding included."""
        begun = self.endpointer.candidate
        begun = self.position if begun is None else begun
        return max(begun - int(self.options.endpointing.padding * RATE), self._floor, self._buffer.start)

    def _begin(self, start: int) -> Utterance:
        self.utterances += 1
        first = max(start, self.endpointer.candidate or start) + int(self.options.min_partial * RATE)
        stretch = Stretch(self.telling.number_stretch(), self.utterances, origin=start, start=start)
        self.open = Utterance(self.utterances, self.options.decode, stretch, piece_from=start, next_partial=first)
        return self.open

    # ---------------------------------------------------------------------------------------------------- growing

    def _grow(self, utterance: Utterance) -> None:
        """See whether the open utterance, grown by a frame, is due for a piece, a cut or a partial."""
        options, stretch = self.options, utterance.stretch
        if options.piece is not None:
            boundary = utterance.piece_from + int(options.piece * RATE)
            if self.position >= boundary:
                self._close_piece(utterance, boundary, None, cut=not options.word_times)
        if stretch is not None and self.position - stretch.origin >= options.max_utterance * RATE:
            self._cut_long(utterance, stretch)
        elif self.position >= utterance.next_partial and options.live and self._curious:
            utterance.next_partial = self.position + int(options.partial_interval * RATE)
            self._ask_partial(utterance)

    @property
    def _curious(self) -> bool:
        """Whether partials are wanted: by the client, or because the recogniser may tell the end of the turn in them."""
        return self.options.partials or self.options.endpointing.turn_threshold is not None

    def _cut_long(self, utterance: Utterance, stretch: Stretch) -> None:
        """The longest decodable stretch is reached: go on in a new one from the quietest point near here."""
        window = min(CUT_WINDOW, self.options.max_utterance / 3) * RATE
        earliest = max(stretch.start, utterance.piece_from, self.position - int(window))
        levels = [level for level in self._levels if level[0] >= earliest]
        cut = min(quietest(levels), self.position) if levels else self.position
        if self.options.endpointing.mode == "manual":
            self._close_piece(utterance, cut, None, cut=True)
            return
        self._commit(cut, "length")
        follower = self._begin(cut)
        follower.next_partial = self.position
        self.endpointer.assume_speech()
        self.emit(SpeechStarted(follower.number, self.position / RATE, cut / RATE, 1.0, self._levels[-1][1]))

    def _ask_partial(self, utterance: Utterance, *, eager: bool = False) -> None:
        stretch = utterance.stretch
        if stretch is not None and self.position > stretch.start:
            view = self._buffer.view(stretch.start, self.position)
            context = max(0, utterance.piece_from - stretch.start)
            asked = Asked(utterance, stretch, self.position, eager=eager)
            self.telling.ask(asked, view, kind=Kind.PARTIAL, context=context)

    def _let_go(self) -> None:
        """Release audio that no later decode will see."""
        if self.open is not None and self.open.stretch is not None:
            self._buffer.trim(self.open.stretch.start)
        else:
            self._buffer.trim(self._speech_start())

    def _check_lapse(self) -> None:
        last, limit = self.telling.last_word, self.options.lapse
        if limit is None or last is None or last[1] <= self._lapsed or self.telling.asked or self.endpointer.speaking:
            return
        if self.position / RATE - last[1] >= limit:
            self._lapsed = last[1]
            self.emit(Lapsed(*last))

    # ------------------------------------------------------------------------------------------------- committing

    def _commit(self, at: int, cause: Cause) -> None:
        utterance = self.open
        if utterance is None and self.endpointer.candidate is not None:
            utterance = self._begin(self._speech_start())
        if utterance is None:
            self.utterances += 1
            utterance = Utterance(self.utterances, self.options.decode, piece_from=at)
        self.open = None
        self.emit(Committed(utterance.number, cause))
        self._close_piece(utterance, at, cause, cut=True)
        self._floor = at

    def _close_piece(self, utterance: Utterance, at: int, closes: Cause | None, *, cut: bool) -> None:
        """Freeze the text up to `at`; with `cut` the stretch ends there too and another follows."""
        stretch, speech = utterance.stretch, utterance.piece_from
        piece = Piece(utterance, stretch, utterance.part, self._span, at, self._hole, speech, closes, frozen=cut)
        self._span, self._hole = at, 0
        utterance.part += 1
        utterance.piece_from = at
        if stretch is None or at <= stretch.start:
            piece.answer = Answer(Transcript())
            if stretch is not None:
                stretch.doomed = cut
        else:
            self._have_decoded(piece, stretch, at)
        if stretch is not None and cut:
            stretch.end = at
            self.telling.settle(stretch)
            number = self.telling.number_stretch()
            utterance.stretch = None if closes else Stretch(number, utterance.number, origin=at, start=at)
        elif stretch is not None:
            stretch.start = max(stretch.start, at - int(self.options.context * RATE))
        self.telling.say(piece)

    def _have_decoded(self, piece: Piece, stretch: Stretch, at: int) -> None:
        view = self._buffer.view(stretch.start, at)
        if piece.frozen and (self.options.revision is not None or self.options.diarize):
            piece.samples = view
        utterance = piece.utterance
        if piece.closes and utterance.eager and utterance.anticipation is not None:
            piece.answer = utterance.anticipation  # nobody has spoken since
            self.emit(Withdraw(stretch.number))
            return
        kind = Kind.FINAL if self.options.live else Kind.FILE
        context = max(0, piece.speech - stretch.start)
        self.telling.ask(Asked(utterance, stretch, at, piece), view, kind=kind, context=context, last=piece.frozen)
