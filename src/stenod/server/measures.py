"""What happens at all the doors, added up: a fold over the events of every connection of every dialect.

No clock, socket or dialect enters this file: the time is that of each event's stamp. Whoever shows figures (`/stats`, a
metrics page) reads them here, and what the recognisers count from `recognizer.snapshot()`. `measured` feeds it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from stenod.events import (
    Committed,
    Configured,
    Ended,
    Event,
    Failed,
    Heard,
    Interrupted,
    Partial,
    SpeechStarted,
    SpeechStopped,
    Stamp,
    Warned,
)
from stenod.events import Final as FinalGiven

RECENT: Final = 1_000
"""Latencies and errors that are remembered one by one."""

LATE: Final = 0.5
"""Seconds between two messages of audio, in the middle of speech, from which on the audio has run dry."""

State: TypeAlias = Literal["active", "processing", "buffering", "error"]
STATES: Final[tuple[State, ...]] = get_args(State)


@dataclass(slots=True)
class Timing:
    """Durations of one kind, in seconds."""

    count: int = 0
    total: float = 0.0
    last: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.total += seconds
        self.last = seconds
        self.recent.append(seconds)

    @property
    def mean(self) -> float:
        """Of all of them; 0 where there is none."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The smallest recent duration that `share` (0 to 1) of the recent ones do not exceed; 0 where there is none."""
        ordered = sorted(self.recent)
        return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else 0.0


@dataclass(slots=True)
class Sums:
    """Everything that is added up, for one connection or for all."""

    messages: int = 0
    """Of audio."""
    seconds: float = 0.0
    """Of audio that was heard, all channels."""
    partials: Timing = field(default_factory=Timing)
    """Of live sessions: from asking for a decode to its answer."""
    finals: Timing = field(default_factory=Timing)
    """Likewise, where there was something to decode."""
    files: Timing = field(default_factory=Timing)
    """Finals of sessions that are not live."""
    utterances: int = 0
    """Committed."""
    texts: int = 0
    """Finals that had text."""
    errors: Counter[str] = field(default_factory=Counter)
    """By code."""
    events: Counter[str] = field(default_factory=Counter)
    """By name."""
    overruns: int = 0
    """Times that a client was told that audio had been dropped."""
    underruns: int = 0
    """Times that audio ran dry in the middle of speech."""

    @property
    def processing(self) -> float:
        """Seconds that answers took, waiting for their turn included."""
        return self.partials.total + self.finals.total + self.files.total


@dataclass(slots=True)
class Error:
    """One that was told."""

    code: str
    connection: str
    now: float


@dataclass(slots=True)
class Tally:
    """One connection. What it counts is counted for `whole` too."""

    id: str = ""
    dialect: str = ""
    connections: Counter[str] = field(default_factory=Counter)
    own: Sums = field(default_factory=Sums)
    whole: Sums = field(default_factory=Sums)
    recent: deque[Error] = field(default_factory=lambda: deque(maxlen=RECENT))
    live: bool = True
    partials: bool = True
    """Whether partials are wanted."""
    utterance: int = 0
    """The one that was last begun."""
    undecoded: float = 0.0
    """Seconds heard whose text is not frozen."""
    since_final: int = 0
    """Messages of audio since the last final."""
    since_partial: int = 0
    waiting: int = 0
    """Utterances whose closing final is still to come."""
    failed: bool = False
    _speaking: set[int] = field(default_factory=set)
    _upto: dict[int, float] = field(default_factory=dict)
    _heard: float | None = None

    @property
    def state(self) -> State:
        """`processing`: a final is awaited; `buffering`: somebody speaks; `active`: neither."""
        if self.failed:
            return "error"
        return "processing" if self.waiting else "buffering" if self._speaking else "active"

    @property
    def active(self) -> int:
        """Utterances that are being spoken, or whose closing final is still to come."""
        return self.waiting + len(self._speaking)

    def name(self, dialect: str) -> None:
        """Learn which dialect it speaks."""
        if not self.dialect:
            self.connections[dialect] += 1
        self.dialect = dialect

    def add(self, event: Event, stamp: Stamp) -> None:
        """Take in what the client is told."""
        self.undecoded = stamp.lag
        self._upto.setdefault(stamp.channel, stamp.acked)
        for sums in (self.own, self.whole):
            sums.events[type(event).__name__] += 1
            self._add(sums, event, stamp)
        self._note(event, stamp)

    def _add(self, sums: Sums, event: Event, stamp: Stamp) -> None:
        match event:
            case Heard(upto):
                sums.messages += 1
                sums.seconds += max(0.0, upto - self._upto[stamp.channel])
                if self._speaking and self._heard is not None and stamp.now - self._heard > LATE:
                    sums.underruns += 1
            case Partial(took=took):
                sums.partials.add(took)
            case FinalGiven(transcript=transcript, took=took):
                sums.texts += bool(transcript.text)
                if took > 0:  # else there was nothing to decode
                    (sums.finals if self.live else sums.files).add(took)
            case Committed():
                sums.utterances += 1
            case Failed(code):
                sums.errors[code] += 1
            case Ended(seconds):
                sums.seconds += max(0.0, seconds - self._upto[stamp.channel])
            case Warned("audio_dropped_during_pause"):
                sums.overruns += 1
            case _:
                pass

    def _note(self, event: Event, stamp: Stamp) -> None:
        """What is true of the connection now."""
        match event:
            case Configured(options):
                self.live, self.partials = options.live, options.partials
            case Heard(upto):
                self._upto[stamp.channel], self._heard = upto, stamp.now
                self.since_final += 1
                self.since_partial += 1
            case SpeechStarted(utterance):
                self._speaking.add(stamp.channel)
                self.utterance = utterance
            case SpeechStopped():
                self._speaking.discard(stamp.channel)
            case Committed():
                self._speaking.discard(stamp.channel)
                self.waiting += 1
            case Partial():
                self.since_partial = 0
            case FinalGiven(closes=closes):
                self.since_final = 0
                self.waiting -= closes is not None and self.waiting > 0
            case Interrupted():
                self.waiting = 0
            case Failed(code, fatal=fatal, utterance=utterance):
                self.failed |= fatal
                self.waiting -= utterance is not None and self.waiting > 0
                self.recent.append(Error(code, self.id, stamp.now))
            case Ended():
                self._upto.pop(stamp.channel, None)
                self._speaking.discard(stamp.channel)
            case _:
                pass


@dataclass(slots=True)
class Measures:
    """All connections, those that are gone included. `born` is the Unix time at which counting began."""

    born: float
    sums: Sums = field(default_factory=Sums)
    connections: Counter[str] = field(default_factory=Counter)
    """Ever made, by dialect."""
    open: dict[str, Tally] = field(default_factory=dict)
    """Those that are there now, by name."""
    recent: deque[Error] = field(default_factory=lambda: deque(maxlen=RECENT))

    @contextmanager
    def connection(self, name: str) -> Iterator[Tally]:
        """One connection, for as long as it lasts."""
        tally = self.open[name] = Tally(name, whole=self.sums, recent=self.recent, connections=self.connections)
        try:
            yield tally
        finally:
            del self.open[name]
