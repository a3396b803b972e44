"""The bodies that the HTTP doors take and give, for the OpenAPI document; the tests hold real answers against them.

Only descriptions: the dialects write the bodies.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Exactly these fields."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Health(Body):
    """The process is alive."""

    status: Literal["ok"]


class Readiness(Body):
    """Whether requests are taken."""

    status: Literal["ready", "not ready"]
    missing: list[str]
    """What is missing, one line each."""
    notes: list[str] | None = None
    """What an operator should know though requests are served: models that cannot be loaded, or are being fetched."""


class Detail(Body):
    """An error."""

    detail: str


class OpenAIProblem(Body):
    """What went wrong."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None
    code: str | None


class OpenAIError(Body):
    """An error in OpenAI's envelope."""

    error: OpenAIProblem


class ModelCard(Body):
    """A model in OpenAI's shape, and what else is known of it."""

    id: str
    object: Literal["model"]
    created: int
    """Not known here: 0."""
    owned_by: str
    """The engine."""
    aliases: list[str]
    languages: list[str]
    """ISO 639-1; `*` for any."""
    streaming: bool
    word_timestamps: bool
    licence: str
    expect: str
    """How accurate to expect it to be."""


class ModelList(Body):
    """All models."""

    object: Literal["list"]
    data: list[ModelCard]


class TimedText(Body):
    """A text and its time in the file, in seconds."""

    text: str
    start: float
    end: float


class Timestamps(Body):
    """Times of words, sentences and characters."""

    words: list[TimedText]
    segments: list[TimedText]
    chars: list[TimedText]


class Transcription(Body):
    """What was said, and when."""

    text: str
    timestamps: Timestamps | None


class Usage(Body):
    """Seconds of audio."""

    type: Literal["duration"]
    seconds: float


class Language(Body):
    """A language by its code."""

    code: str


class OpenAITranscription(Body):
    """`json`."""

    text: str
    languages: list[Language]
    usage: Usage
    timestamps: Timestamps | None = None


class OpenAISegment(Body):
    """A sentence, or what lies between two pauses."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    """Logarithm of the words' mean confidence; 0 where the model has none."""
    compression_ratio: float
    no_speech_prob: float


class OpenAIWord(Body):
    """A word and its time, in seconds."""

    word: str
    start: float
    end: float


class OpenAIVerboseTranscription(Body):
    """`verbose_json`."""

    task: Literal["transcribe", "translate"]
    language: str
    """English name in lower case."""
    duration: float
    text: str
    segments: list[OpenAISegment] | None = None
    words: list[OpenAIWord] | None = None
    usage: Usage
    timestamps: Timestamps | None = None


Schema: TypeAlias = dict[str, Any]

_FILE: Schema = {
    "type": "string",
    "format": "binary",
    "description": "Audio, or a video's sound, in any usual container.",
}
_TIMED: Schema = {"type": "boolean", "default": False, "description": "Add `timestamps` to a JSON answer."}
_CHUNKED: Schema = {
    "type": "boolean",
    "default": True,
    "description": "Split on silence; false decodes stretches as long as the model takes.",
}

PARAKEET_FORM: Schema = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": _FILE, "include_timestamps": _TIMED, "should_chunk": _CHUNKED},
}

OPENAI_FORM: Schema = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": _FILE,
        "model": {"type": "string", "default": "auto", "description": "A name from `/v1/models`."},
        "language": {
            "type": "string",
            "description": "`en`, `en-US` or `english`; empty or `auto`: the model decides.",
        },
        "prompt": {"type": "string", "description": "Passed to models that take one."},
        "hotwords": {"type": "string", "description": "Words to expect, with commas or as a JSON list."},
        "task": {"enum": ["transcribe", "translate"], "default": "transcribe"},
        "target_language": {"type": "string", "description": "Of a translation; English unless said."},
        "punctuation": {"type": "boolean", "default": True, "description": "False: without, of models that can."},
        "response_format": {"enum": ["json", "text", "srt", "verbose_json", "vtt"], "default": "json"},
        "temperature": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Without effect: nothing is sampled.",
        },
        "timestamp_granularities[]": {
            "type": "array",
            "items": {"enum": ["word", "segment"]},
            "default": ["segment"],
            "description": "For `verbose_json`.",
        },
        "stream": {"enum": [False], "default": False, "description": "Only whole answers are given."},
        "include_timestamps": _TIMED,
        "should_chunk": _CHUNKED,
    },
}
