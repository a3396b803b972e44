"""The messages of `/ws/transcribe`, as types."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from annotated_types import Ge, Le
from typing_extensions import TypedDict

from stenod.protocols.messages import Messages


class Query(TypedDict, total=False):
    """What the URL may say."""

    legacy: bool
    """Whether each final comes once more as `transcription`, as the program sends it."""


class SessionConfig(TypedDict, total=False):
    """How to work. Other fields are ignored, and named in the answer."""

    language: str
    """`en`, `en-US`, `english`; `auto` lets the recogniser decide."""
    enable_timestamps: bool
    """Whether finals hold the times of words; false unless said."""
    enable_vad: bool
    """Whether silence ends an utterance; true unless said."""
    enable_partial_transcription: bool
    """Whether text is sent before it is final; true unless said."""
    buffer_duration: Annotated[float, Ge(0.5), Le(60)]
    """Seconds from one final to the next within an utterance, without partials; 2 unless said."""
    partial_chunk_duration: Annotated[float, Ge(0.1), Le(60)]
    """Seconds from one partial to the next; 0.25 unless said."""
    final_chunk_duration: Annotated[float, Ge(0.5), Le(60)]
    """Seconds from one final to the next within an utterance, with partials; 1 unless said."""
    chunk_size: Annotated[int, Ge(1), Le(1_000_000)]
    """Samples by which `sequence_start` and `sequence_end` count; 1024 unless said."""
    audio_format: Literal["float32", "int16", "pcm16"]
    """Of binary messages; `float32` unless said."""
    sample_rate: Annotated[int, Ge(8_000), Le(48_000)]
    """Samples per second; 16000 unless said."""
    barge_in_enabled: bool
    """Whether `voice_activity_detected` is sent; true unless said."""
    conversation_id: str
    """Comes back in `voice_activity_detected`."""


class Talk(TypedDict, total=False):
    """What the conversation is about to be; it decides when an utterance ends."""

    conversation_state: Literal["listening", "processing", "responding"]
    """While the machine talks, short noises are not speech: they last 0.1 or 0.2 seconds longer."""
    expected_response_type: Literal["casual", "command", "question"]
    """A command ends after 0.6 of the usual silence, an answer to a question after 1.6 of it."""
    language_context: str
    """As `language`."""


class StartSession(TypedDict):
    """Begins a session, unless one is there; answered by `session_configured` where it is."""

    type: Literal["start_session"]
    session_config: NotRequired[SessionConfig]


class Configure(TypedDict):
    """Changes single fields; answered by `session_configured`."""

    type: Literal["configure"]
    config: NotRequired[SessionConfig]


class ContextUpdate(TypedDict):
    """What the conversation is about to be; answered by `session_configured`."""

    type: Literal["context_update"]
    data: NotRequired[Talk]


class FlushBuffer(TypedDict):
    """The utterance ends here: its final follows, even when it is empty."""

    type: Literal["flush_buffer"]


class UserInterrupt(TypedDict):
    """Barge-in: nothing more of utterances that are over; the words being spoken are kept."""

    type: Literal["user_interrupt"]
    confidence: NotRequired[float]
    """Not asked for."""
    timestamp: NotRequired[str]
    """Not asked for."""
    session_id: NotRequired[str]
    """Not asked for."""


class EndSession(TypedDict):
    """No more audio: the last finals, then `session_ended`. The socket stays open for another session."""

    type: Literal["end_session"]


# ------------------------------------------------------------------------------------------------------------- server


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


class ConfigInForce(TypedDict):
    """Every field of `session_config`."""

    language: str | None
    enable_timestamps: bool
    enable_vad: bool
    enable_partial_transcription: bool
    buffer_duration: float
    partial_chunk_duration: float
    final_chunk_duration: float
    chunk_size: int
    audio_format: str
    sample_rate: int
    barge_in_enabled: bool
    conversation_id: str | None


class TalkInForce(TypedDict):
    """What the conversation is taken to be."""

    conversation_state: str
    expected_response_type: str


class SessionConfigured(TypedDict):
    """How the session works now."""

    type: Literal["session_configured"]
    config: ConfigInForce
    context: TalkInForce
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
    query=Query,
    client=(StartSession, Configure, ContextUpdate, FlushBuffer, UserInterrupt, EndSession),
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
