"""Messages that the second and third document's doors share, as types: what is configured, and segments."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict


class Wish(TypedDict, total=False):
    """Something that is wanted, in the form that says more."""

    enabled: bool
    """False: not wanted after all."""


class Settings(TypedDict, total=False):
    """What a `config` may say. A number out of range is brought into it, and reported in `adjusted`."""

    sample_rate: int
    """Samples per second, 8000 to 48000; 16000 unless said."""
    audio_format: Literal["float32", "pcm16", "opus", "webm", "ogg"]
    """What `audio` frames hold in base64; `float32` unless said. `opus`: one packet in each."""
    model: str
    """A name from `/v1/models`, or a family of the documents: `parakeet`, `canary`, `whisper`."""
    variant: str
    """Of the family: `standard`, `onnx`, `mlx`."""
    model_variant: str
    """The same as `variant`."""
    whisper_model_size: str
    """Of the family `whisper`: `large-v3`, `distil-large-v3`, …"""
    beam_size: int
    """Texts weighed against each other, 1 to 100, by models that search so; theirs unless said."""
    language: str
    """`en`, `en-US` or `english`."""
    auto_detect_language: bool
    """Let the recogniser decide, whatever `language` says."""
    task: Literal["transcribe", "translate"]
    """Whether the text is in the language spoken, or in `target_language`."""
    target_language: str
    """Of a translation, which it asks for where `task` says nothing; English unless said."""
    punctuation: bool
    """Whether punctuation and capitals are wanted, of models that can leave them out; true unless said."""
    enable_partial: bool
    """Whether text is sent before it is final; true unless said."""
    partial_interval: float
    """Seconds from one partial to the next, 0.1 to 60; 0.5 unless said."""
    min_partial_duration: float
    """Seconds of speech before the first partial, 0 to 60; 0.5 unless said."""
    chunk_duration: float
    """Seconds after which a final is due, 0.2 to 30; 2 unless said."""
    overlap_duration: float
    """Seconds before a segment that it reports as its context, 0 to 30; 0.5 unless said."""
    max_buffer_duration: float
    """Seconds that are decoded as one at most, 1 to 600."""
    enable_vad: bool
    """Whether silence commits too; true where one of the next four is said."""
    vad_threshold: float
    """Probability of speech at which it begins, 0.1 to 0.9; 0.5 unless said."""
    min_silence_ms: float
    """Milliseconds after which speech has stopped, 200 to 1500; 250 unless said."""
    turn_stop_secs: float
    """Further seconds before the commit, 0.1 to 0.75; 0.2 unless said."""
    min_utterance_secs: float
    """Seconds; shorter speech is none, 0.25 to 3."""
    diarization: bool | Wish
    """Whether to tell speakers."""
    diarize: bool | Wish
    """The same as `diarization`."""
    diarization_enabled: bool
    """The same as `diarization`."""
    insights: bool | Wish
    """Whether to tell what was said in sum."""
    meeting_insights: bool | Wish
    """The same as `insights`."""
    insights_enabled: bool
    """The same as `insights`."""


class Partial(TypedDict):
    """The text after the last segment, as it looks now; it belongs to the segment that comes next."""

    type: Literal["partial"]
    text: str
    timestamp: float
    """Unix time of sending."""
    is_final: Literal[False]
    segment_id: int
    """From 1, since the last reset."""
    segment_start: float
    """Seconds of audio since the last reset; where the segment before ended."""
    segment_end: float
    buffer_duration: float
    """Seconds of audio in this text."""
    cumulative_audio: float
    """Seconds that segments before this one cover."""


class Final(TypedDict):
    """A segment: text that will not change any more. Segments tile the audio."""

    type: Literal["final"]
    text: str
    timestamp: float
    """Unix time of sending."""
    is_final: Literal[True]
    segment_id: int
    """From 1, since the last reset."""
    segment_start: float
    """Seconds of audio since the last reset; where the segment before ended."""
    segment_end: float
    chunk_duration: float
    """Seconds from `chunk_start` to `chunk_end`."""
    overlap: float
    """Seconds before the segment that were decoded with it; their words are not repeated."""
    chunk_start: float
    chunk_end: float
    new_audio_duration: float
    """Seconds of the segment itself."""
    cumulative_audio: float
    """Seconds that segments cover so far, this one included."""


class SpokenSegment(TypedDict):
    """Who spoke in a segment."""

    segment_id: int
    speaker_id: int
    speaker_label: str


class Speaker(TypedDict):
    """Somebody who spoke."""

    speaker_id: int
    """From 0, in the order in which they are heard."""
    label: str
    speaker_label: str
    """The same as `label`."""


class DiarizationSummary(TypedDict):
    """Who spoke."""

    type: Literal["diarization_summary"]
    speaker_map: list[SpokenSegment]
    audio_path: None
    """No audio is kept."""
    speakers: list[Speaker]


class Unavailable(TypedDict):
    """Something was asked for that is not installed here; the session goes on without."""

    type: Literal["status"]
    state: Literal["diarization_unavailable", "insights_unavailable"]
    message: str


class Enabled(TypedDict):
    """Something that was asked for will be given."""

    type: Literal["status"]
    state: Literal["diarization_enabled", "insights_enabled"]


class WasReset(TypedDict):
    """The open utterance is forgotten; segments count from 1 again."""

    type: Literal["status"]
    state: Literal["reset"]


class Audio(TypedDict):
    """Samples."""

    type: Literal["audio"]
    data: str
    """Base64 of the samples, one channel; line breaks and missing padding do no harm."""


class Commit(TypedDict):
    """The utterance ends here: its final, then `full_transcript`."""

    type: Literal["commit"]


class Reset(TypedDict):
    """Forget the open utterance and what was said; answered by the status `reset`."""

    type: Literal["reset"]


class Stop(TypedDict):
    """No more audio: what is left to say, then close 1000."""

    type: Literal["stop"]


class Ping(TypedDict):
    """Asks whether anyone is there."""

    type: Literal["ping"]


class Pong(TypedDict):
    """Answers a ping."""

    type: Literal["pong"]


Numbers = dict[str, float]
"""By name."""

Anything = dict[str, Any]
"""By name, in no fixed form."""
