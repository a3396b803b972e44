"""The state machine of one session: frames and commands in, events and jobs out.

Its only clock is the number of samples it has heard, so any session can be replayed from a list of its inputs. No task,
thread, wall clock, logger, model or protocol enters this file. `hearing` decides what belongs to which utterance and what to
have decoded when; `telling` says what came of it, in order; here the words of the vocabulary meet the two.
"""

from __future__ import annotations

from typing import TypeAlias

from stenod.events import (
    Audio,
    Clear,
    Cleared,
    Command,
    Commit,
    Configure,
    Configured,
    Continue,
    Continued,
    End,
    Event,
    Fail,
    Failed,
    Heard,
    Interrupt,
    Interrupted,
    Pause,
    Paused,
)
from stenod.jobs import Decoded, Frame, Insight, Job, Labelled, Stalled
from stenod.options import RATE, Options
from stenod.session.account import Ledger
from stenod.session.hearing import Hearing
from stenod.session.pause import Parking
from stenod.session.telling import Telling

Input: TypeAlias = Command | Frame | Decoded | Labelled | Insight | Stalled
Output: TypeAlias = Event | Job


class Session:
    """One stream of audio, from its first frame to `Ended`.

    `feed` is the whole interface; the read-only properties are for whoever drives it. `origin` is where on its time line the
    session begins, in seconds: a session that goes on elsewhere begins where its client's acknowledged audio ended.
    """

    def __init__(self, options: Options, *, origin: float = 0.0) -> None:
        self._out: list[Output] = []
        self._ledger = Ledger()
        self._telling = Telling(self._ledger, self._out.append, options, told_upto=round(origin * RATE))
        self._hearing = Hearing(options, self._telling, self._out.append, round(origin * RATE))
        self._parking: Parking | None = None
        self._ending = False

    def feed(self, item: Input) -> list[Output]:
        """Take in one thing; what follows from it, in order. After `Ended` nothing does."""
        if not self._telling.finished:
            self._feed(item)
        out = self._out.copy()
        self._out.clear()
        return out

    @property
    def finished(self) -> bool:
        """Whether `Ended` was given."""
        return self._telling.finished

    @property
    def undecoded(self) -> float:
        """Seconds of finished pieces that wait for their answer."""
        return self._telling.undecoded / RATE

    @property
    def lag(self) -> float:
        """Seconds heard whose text is not frozen, silence that was let go left out."""
        return (self._hearing.position - self._hearing.kept_from) / RATE

    @property
    def acked(self) -> float:
        """Seconds up to which the client need never send anything again."""
        return self._hearing.kept_from / RATE

    def _feed(self, item: Input) -> None:
        match item:
            case Frame():
                self._receive(item)
            case Decoded():
                self._decoded(item)
            case Labelled() | Insight():
                self._telling.take(item)
            case Stalled():
                if self._hearing.endpointer.speaking and self._hearing.options.endpointing.mode == "auto":
                    self._hearing.commit("silence")
            case _:
                self._obey(item)

    def _obey(self, command: Command) -> None:
        emit = self._out.append
        match command:
            case Audio():
                emit(Heard(self._hearing.position / RATE))
            case Configure(options, ignored):
                self._telling.options = options
                self._hearing.retune(options)
                emit(Configured(options, ignored))
            case Commit():
                self._unpark()
                self._hearing.commit("client")
            case Clear():
                self._clear()
            case Interrupt():
                spoken = self._hearing.open
                self._telling.interrupt(spoken)
                emit(Interrupted(self._hearing.utterances - (spoken is not None)))
            case Pause():
                self._parking = self._parking or Parking()
                emit(Paused())
            case Continue():
                emit(Continued())
                self._unpark()
            case Fail(code, message, fatal, detail):
                failed = Failed(code, message, fatal, detail=detail)
                if fatal:
                    self._telling.fail(failed, self._hearing.position / RATE)
                else:
                    emit(failed)
            case End(because):
                self._end(because)
            case _:
                pass  # Identify, Describe and Ping are answered by the connection

    def _receive(self, frame: Frame) -> None:
        samples = len(frame.samples)
        self._ledger.receive(samples)
        if self._ending:
            self._ledger.drop(samples, "ended")
        elif self._parking is None:
            self._hearing.hear(frame)
        else:
            dropped, warning = self._parking.park(frame, self._hearing.options.pause_buffer)
            self._ledger.drop(dropped, "paused")
            if warning is not None:
                self._out.append(warning)

    def _unpark(self) -> None:
        """Go on listening, first to what was kept of the pause."""
        parking, self._parking = self._parking, None
        if parking is None:
            return
        if parking.lost:
            self._hearing.skip(parking.lost)
        for frame in parking.frames:
            self._hearing.hear(frame)

    def _decoded(self, decoded: Decoded) -> None:
        shown = self._telling.answer(decoded)
        self._hearing.recover()
        endpointing = self._hearing.options.endpointing
        if shown is None or shown.turn_end is None or endpointing.turn_threshold is None:
            return
        silent = self._hearing.endpointer.silence is not None
        if silent and self._hearing.open is not None and shown.turn_end >= endpointing.turn_threshold:
            self._hearing.commit("turn")

    def _clear(self) -> None:
        paused = self._parking is not None
        self._unpark()
        self._ledger.drop(self._hearing.unspanned, "cleared")
        self._hearing.forget()
        self._parking = Parking() if paused else None
        self._telling.say(Cleared(self._hearing.position / RATE))

    def _end(self, because: str) -> None:
        if self._ending:
            return
        self._unpark()
        self._hearing.commit("end")
        self._ending = True
        self._telling.because = because
        self._telling.ending = self._hearing.position / RATE
        self._telling.deliver()
