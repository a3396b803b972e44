"""What clients of `/ws/transcribe` may say, and what of it is then in force, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from annotated_types import Ge, Le
from typing_extensions import TypedDict


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
