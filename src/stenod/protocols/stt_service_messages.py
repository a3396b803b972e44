"""The messages of `/ws/transcribe`, as types: what the server says, and (in `stt_service_requests`) what its clients say."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from stenod.protocols import stt_service_requests as said
from stenod.protocols.messages import Messages


class Metadata(TypedDict):
    """Of which session, and when."""

    session_id: str
    timestamp: str
    """ISO 8601, UTC."""
    conversation_id: NotRequired[str | None]
    """With `voice_activity_detected`."""


class SessionStarted(TypedDict):
    """There is a session; said before the client says anything."""

    type: Literal["session_started"]
    session_id: str
    timestamp: str


class SessionConfigured(TypedDict):
    """How the session works now."""

    type: Literal["session_configured"]
    config: said.ConfigInForce
    context: said.TalkInForce
    ignored: list[str]
    """Fields without effect."""


class Activity(TypedDict):
    """Speech begins or stops."""

    confidence: float
    """Probability of speech, 0 to 1."""
    duration_ms: float
    """Of the speech so far."""
    energy_level: float
    """Root mean square, 0 to 1."""
    is_speech: bool


class VoiceActivityDetected(TypedDict):
    """Speech begins or stops."""

    type: Literal["voice_activity_detected"]
    data: Activity
    metadata: Metadata


class Place(TypedDict):
    """Where a text lies in the audio."""

    duration: float
    """Seconds."""
    is_partial: bool
    utterance_id: str
    reason: Literal["time_trigger", "speech_detected", "buffer_full", "silence_detected", "flush_buffer", "end_session"]
    sequence_start: int
    """In chunks of `chunk_size` samples, from 0."""
    sequence_end: int
    chunks_count: NotRequired[int]
    """With finals."""


class Word(TypedDict):
    """A word and its time in the session."""

    start_ms: float
    end_ms: float
    word: str
    confidence: float | None


class PartialText(TypedDict):
    """Text that may change."""

    text: str
    is_partial: Literal[True]
    utterance_id: str
    processing_time_ms: float
    audio_duration_ms: float
    confidence: float | None
    metadata: Place


class FinalText(TypedDict):
    """Text that stays."""

    text: str
    is_partial: Literal[False]
    utterance_id: str
    processing_time_ms: float
    audio_duration_ms: float
    confidence: float | None
    metadata: Place
    timestamps: list[Word] | None
    """Where `enable_timestamps` asked for them."""


class LegacyText(TypedDict):
    """Text that stays, as the program gives it."""

    text: str
    processing_time_ms: float
    audio_duration_ms: float
    timestamps: list[Word] | None
    metadata: Place


class TranscriptionPartial(TypedDict):
    """The text after the last final, as it looks now."""

    type: Literal["transcription_partial"]
    data: PartialText
    metadata: Metadata


class TranscriptionFinal(TypedDict):
    """Text that will not change any more."""

    type: Literal["transcription_final"]
    data: FinalText
    metadata: Metadata


class Transcription(TypedDict):
    """The final once more, where `legacy` asks for it."""

    type: Literal["transcription"]
    data: LegacyText
    metadata: Metadata


class Interruption(TypedDict):
    """What came of a barge-in."""

    interrupted_at: str
    buffer_cleared: bool
    """Whether something was still to come."""
    processing_stopped: bool


class InterruptAcknowledged(TypedDict):
    """Nothing more will be said of utterances that are over."""

    type: Literal["interrupt_acknowledged"]
    data: Interruption
    metadata: Metadata


class Details(TypedDict):
    """More of what went wrong; never a traceback."""

    exception_type: str
    context: dict[str, Any]


class Problem(TypedDict):
    """What went wrong."""

    code: str
    """`category_what`."""
    message: str
    category: Literal["resource", "system", "processing", "audio_format", "configuration", "connection"]
    severity: Literal["low", "medium", "high", "critical"]
    recoverable: bool
    """Whether the session goes on."""
    timestamp: str
    retry_after: float | None
    """Seconds after which trying again may help."""
    details: Details


class Error(TypedDict):
    """Something went wrong, or cannot be had."""

    type: Literal["error"]
    error: Problem


class Stats(TypedDict):
    """What a session came to."""

    chunks_received: int
    """Messages of audio."""
    transcriptions_completed: int
    total_audio_duration: float
    """Seconds."""
    total_processing_time: float
    errors: int


class SessionEnded(TypedDict):
    """Everything is said."""

    type: Literal["session_ended"]
    stats: Stats
    session_id: str
    timestamp: str


MESSAGES = Messages(
    query=said.Query,
    client=(
        said.StartSession,
        said.Configure,
        said.ContextUpdate,
        said.FlushBuffer,
        said.UserInterrupt,
        said.EndSession,
    ),
    server=(
        SessionStarted,
        SessionConfigured,
        VoiceActivityDetected,
        TranscriptionPartial,
        TranscriptionFinal,
        Transcription,
        InterruptAcknowledged,
        Error,
        SessionEnded,
    ),
    audio="Samples of one channel in `audio_format` at `sample_rate`, cut anywhere.",
)
