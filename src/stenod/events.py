"""The whole vocabulary between protocols and the session: commands go down, events come up.

Downward words are imperatives (Configure, Commit), upward words are past participles (Configured, Committed). Frozen
dataclasses and nothing else: no samples, no numpy, no clock. May import only transcript and options. All times are seconds
of session audio unless a field says otherwise; utterances count from 1, their pieces from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from stenod.options import Options
from stenod.transcript import Transcript

Detail: TypeAlias = Mapping[str, Any]
Cause: TypeAlias = Literal["silence", "turn", "client", "length", "end"]
"""Why an utterance was committed: a pause, the recogniser's end of turn, the client, the longest utterance, the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where every received sample went. `received == final + open + sum(dropped.values())`, always."""

    received: int = 0
    """Samples heard so far, 16 kHz."""
    final: int = 0
    """Samples that lie in a final which was given out."""
    open: int = 0
    """Samples that no final covers yet."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Samples that will be in no final, by reason (`cleared`, `interrupted`, `paused`, `ended`, `failed`)."""


# ------------------------------------------------------------------------------------------------ down: commands


@dataclass(frozen=True, slots=True)
class Identify:
    """Here is who I am. Answered by the connection."""

    credential: str | None


@dataclass(frozen=True, slots=True)
class Configure:
    """Work like this from here on. `options` are complete; `ignored` names what the client said and nobody understood.

    The format holds from the next byte, endpointing at once, the engine from the next utterance.
    """

    options: Options
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audio:
    """Bytes in the configured format, cut anywhere. The intake turns them into frames ahead of this command."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The utterance ends here, whatever the silence says; `channel` None means every channel."""

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget the open utterance."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Barge-in: say nothing more of finished utterances; the one being spoken is kept."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop listening until `Continue`; a little audio is kept, the rest is dropped and counted."""


@dataclass(frozen=True, slots=True)
class Continue:
    """Listen again."""


@dataclass(frozen=True, slots=True)
class Describe:
    """Which models are there? Answered by the connection."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? Answered by the connection."""

    text: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The client sent nonsense; it takes the same road as everything else."""

    code: str
    message: str
    fatal: bool = False
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """No more audio: drain, give the last finals, finish. `because` is `client`, `quota`, `shutdown`, `idle` or `stall`."""

    because: str = "client"


Command: TypeAlias = (
    Identify | Configure | Audio | Commit | Clear | Interrupt | Pause | Continue | Describe | Ping | Fail | End
)


# ---------------------------------------------------------------------------------------------------- up: events


@dataclass(frozen=True, slots=True)
class Identified:
    """The connection knows who this is."""

    principal: str


@dataclass(frozen=True, slots=True)
class Configured:
    """These options are in force."""

    options: Options
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heard:
    """One `Audio` was taken in; the session has now heard `upto` seconds. One for each `Audio`, in order."""

    upto: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech began. `at` is the moment it was noticed, `start` the beginning of the utterance, padding included."""

    utterance: int
    at: float
    start: float
    probability: float
    """Of speech in the deciding frame, 0 to 1."""
    level: float
    """Root mean square of the deciding frame, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Speech ended, noticed `at`. Not yet a commit: the speaker may go on."""

    utterance: int
    at: float
    probability: float = 0.0
    """Of speech in the deciding frame, 0 to 1."""
    level: float = 0.0
    """Root mean square of the deciding frame, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The utterance is complete and its closing `Final` will follow."""

    utterance: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Partial:
    """The text after the last `Final`, as it looks now. The first `stable` characters never change."""

    utterance: int
    transcript: Transcript
    start: float
    end: float
    stable: int
    took: float = 0.0
    """Seconds from asking for the decode to its answer."""


@dataclass(frozen=True, slots=True)
class Final:
    """Frozen text. The spans `[start, end)` of a session's finals tile it, silence included."""

    utterance: int
    part: int
    """Which piece of the utterance, from 1."""
    transcript: Transcript
    start: float
    end: float
    closes: Cause | None
    """Why the utterance ended with this piece; None while it goes on."""
    agrees: int
    """How many leading characters equal the stable text already promised for this piece."""
    took: float
    """Seconds from asking for the deciding decode to its answer."""
    account: Account


@dataclass(frozen=True, slots=True)
class Anticipated:
    """The turn is probably over and this is probably its text; `Retracted` follows if not."""

    utterance: int
    transcript: Transcript
    confidence: float


@dataclass(frozen=True, slots=True)
class Retracted:
    """The anticipated end of turn was none, or its text has changed."""

    utterance: int


@dataclass(frozen=True, slots=True)
class Lapsed:
    """`options.lapse` seconds have passed without a word."""

    utterance: int
    last_word_end: float


@dataclass(frozen=True, slots=True)
class Revised:
    """Better text for a whole utterance already given."""

    utterance: int
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Diarized:
    """The utterance again, with speakers on its words. Late and optional."""

    utterance: int
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class Summarized:
    """Who spoke in the whole session. Late and optional."""

    speakers: tuple[Detail, ...]
    parts: tuple[Detail, ...]


@dataclass(frozen=True, slots=True)
class Analyzed:
    """An insight. Late and optional."""

    kind: str
    data: Detail


@dataclass(frozen=True, slots=True)
class Cleared:
    """The open utterance is forgotten; finals that were pending have been given."""

    upto: float = 0.0
    """What was heard before this moment is in no later final."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Nothing more will be said of utterances up to this one (0: there was none)."""

    utterance: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Not listening."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Listening again."""


@dataclass(frozen=True, slots=True)
class Described:
    """What is on offer. Answered by the connection."""

    models: tuple[Detail, ...]


@dataclass(frozen=True, slots=True)
class Ponged:
    """Answer to `Ping`, with its text."""

    text: str | None = None


@dataclass(frozen=True, slots=True)
class Ticked:
    """The heartbeat: nothing happened for a while, the connection lives."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the client should know that changes nothing."""

    code: str
    message: str
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong. After a fatal one only `Ended` follows; with `utterance`, that utterance alone failed."""

    code: str
    message: str
    fatal: bool = False
    retry_after: float | None = None
    """Seconds after which trying again may help."""
    utterance: int | None = None
    detail: Detail = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """Everything is said. `seconds` of audio were heard; `account.open` is 0."""

    seconds: float
    account: Account
    because: str = "client"
    """As in `End`; `failed` after a fatal failure."""


Event: TypeAlias = (
    Identified | Configured | Heard | SpeechStarted | SpeechStopped | Committed | Partial | Final | Anticipated | Retracted
    | Lapsed | Revised | Diarized | Summarized | Analyzed | Cleared | Interrupted | Paused | Continued | Described | Ponged
    | Ticked | Warned | Failed | Ended
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stamp:
    """What accompanies every event out, given by the runner, which alone owns a clock."""

    seq: int
    """Rises by one with every event of a session, from 1."""
    now: float
    """Unix time, seconds."""
    acked: float = 0.0
    """Session audio (seconds) whose final was delivered, or silence let go: what a client need not send again."""
    lag: float = 0.0
    """Seconds of audio heard but not yet decoded."""
    channel: int = 0
