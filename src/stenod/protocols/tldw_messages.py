"""The messages of `/api/v1/audio/stream/transcribe`, as types."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from stenod.protocols import segments_messages as shared
from stenod.protocols.messages import Messages


class Query(TypedDict, total=False):
    """What the URL may say."""

    request_id: str
    """Comes back in errors; the header `X-Request-Id` does the same."""


class Config(shared.Settings):
    """How to work; again at any time, to change single fields. The first decides on strict protocol v1."""

    type: Literal["config"]
    protocol_version: NotRequired[Literal[1, 2]]
    """1: strict, s16le at 16 kHz. 2: with `control`, and its states."""
    mode: NotRequired[Literal["dictate", "captions"]]
    """Of protocol v1; both are served alike."""
    channels: NotRequired[Literal[1]]
    """Of protocol v1."""


class Auth(TypedDict):
    """Who is calling, where the URL and its headers did not say, within five seconds."""

    type: Literal["auth"]
    token: str


class Control(TypedDict):
    """Protocol v2: `pause` keeps two seconds of what is sent, and drops the rest; `resume` listens again."""

    type: Literal["control"]
    action: Literal["pause", "resume", "commit", "stop"]


class Ready(TypedDict):
    """How the session works now: `ready` the first time, `configured` later, and always where a version was named."""

    type: Literal["status"]
    state: Literal["ready", "configured"]
    model: str
    """As the client named it, or the one in force."""
    protocol_version: NotRequired[Literal[1, 2]]
    ignored: NotRequired[list[str]]
    """Fields without effect."""
    adjusted: NotRequired[shared.Numbers]
    """Fields that were out of range, and what holds."""


class State(TypedDict):
    """Protocol v2: what became of a `control`."""

    type: Literal["status"]
    state: Literal["paused", "resumed", "closing"]
    protocol_version: Literal[2]


class Partial(shared.Partial):
    """The text after the last segment, as it looks now; it belongs to the segment that comes next."""

    model: str | None


class Final(shared.Final):
    """A segment: text that will not change any more. Segments tile the audio."""

    model: str | None


class FullTranscript(TypedDict):
    """Everything said since the last reset; answers each commit, the client's or silence's."""

    type: Literal["full_transcript"]
    text: str
    timestamp: float
    """Unix time of sending."""
    voice_to_voice_start: float
    """Unix time at which speech last ended."""
    auto_commit: bool
    """Whether silence committed."""
    vad_status: Literal["enabled", "disabled"]
    diarization_status: Literal["enabled", "disabled", "unavailable"]


class Insight(TypedDict):
    """What was said in sum."""

    type: Literal["insight"]
    insight_id: int
    """From 1."""
    stage: str


class Warned(TypedDict):
    """Something that the client should know; the session goes on."""

    type: Literal["warning"]
    warning_type: str
    message: str


class Error(TypedDict):
    """Something could not be done."""

    type: Literal["error"]
    code: str
    message: str
    error_type: str
    """The same as `code`."""
    request_id: str
    data: NotRequired[shared.Anything]
    quota: NotRequired[str]
    """Which quota is used up."""


class Refused(TypedDict):
    """Nobody knows who is calling; the connection is closed."""

    type: Literal["error"]
    message: str


class Heartbeat(TypedDict):
    """Nothing happened for ten seconds. Need not be answered."""

    type: Literal["ping"]


class Done(TypedDict):
    """Everything is said; the connection is closed with 1000."""

    type: Literal["done"]


MESSAGES = Messages(
    query=Query,
    client=(Config, Auth, shared.Audio, shared.Commit, shared.Reset, Control, shared.Ping, shared.Pong, shared.Stop),
    server=(
        Ready,
        Partial,
        Final,
        FullTranscript,
        shared.WasReset,
        State,
        shared.Enabled,
        shared.Unavailable,
        shared.DiarizationSummary,
        Insight,
        Warned,
        Error,
        Refused,
        Heartbeat,
        shared.Pong,
        Done,
    ),
    open=(Insight, Warned, shared.Speaker),
    audio="The samples themselves, without base64; not in strict protocol v1.",
)
