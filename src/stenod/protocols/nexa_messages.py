"""The messages of `/v1/audio/stream`, as types."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from annotated_types import Ge, Le
from typing_extensions import TypedDict

from stenod.protocols.messages import Messages


class Config(TypedDict, total=False):
    """How to work: first of all, once, or not at all. 0 means the default, but for `overlap_duration`."""

    model: str
    """`NexaAI/parakeet-npu` (the default) stands for the server's own default."""
    language: str
    """`en-US` unless said."""
    sample_rate: Annotated[int, Ge(8_000), Le(48_000)]
    """16000 unless said."""
    enable_partial_results: bool
    """Whether text is sent before it is final; true unless said."""
    enable_word_timestamps: bool
    """Whether results hold `words`; false unless said."""
    vad_enabled: bool
    """Whether silence ends an utterance; true unless said. Otherwise a final comes each `chunk_duration`, or 4 seconds."""
    chunk_duration: Annotated[float, Ge(0.1), Le(30)]
    """Seconds from one partial to the next; 0.5 unless said."""
    overlap_duration: Annotated[float, Ge(0), Le(30)]
    """Seconds of audio before a final that the next decode still sees, where that is more than it would anyway."""
    beam_size: Annotated[int, Ge(1), Le(100)]
    """Of the search, where the engine has a beam; 5 unless said."""


class Stop(TypedDict):
    """No more audio: the last finals, then close 1000."""

    action: Literal["stop"]


class Word(TypedDict):
    """A word and its time, in seconds of the stream."""

    word: str
    start: float
    end: float
    confidence: NotRequired[float]


class Partial(TypedDict):
    """The text after the last final, as it looks now."""

    type: Literal["partial"]
    text: str
    confidence: NotRequired[float]
    """0 to 1; the mean of the words', where the engine has them."""
    timestamp: int
    """Unix time of sending, milliseconds."""
    is_final: Literal[False]
    words: NotRequired[list[Word]]


class Final(TypedDict):
    """Text that will not change any more; empty where it takes a partial back."""

    type: Literal["final"]
    text: str
    confidence: NotRequired[float]
    timestamp: int
    is_final: Literal[True]
    words: NotRequired[list[Word]]


class Error(TypedDict):
    """Something could not be done; closed after it where nothing more can be."""

    type: Literal["error"]
    error: str


MESSAGES = Messages(
    client=(Config, Stop), server=(Partial, Final, Error), audio="s16le at `sample_rate`, one channel, cut anywhere."
)
