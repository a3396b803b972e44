"""What a session is asked to do: complete, frozen and hashable, with a default for everything.

A protocol fills these from its own field names; the session, the intake and the engines read them. May import nothing of
stenod. All times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

RATE: Final = 16_000
"""Samples per second, everywhere below the intake."""

FRAME: Final = 512
"""Samples per frame: 32 ms, the window of the voice activity detector."""

MIN_SILENCE_FLOOR: Final = 0.2
"""Seconds. Shorter end-of-speech silences cut words in two and ruin offline models; see docs/architecture.md §4."""


class Encoding(StrEnum):
    """How audio is written: raw samples, or compressed.

    Compressed audio says its own rate, and a container its number of channels: both are then ignored in `AudioFormat`
    (but where channels are split, the container must have as many as were announced).
    """

    S16LE = "s16le"
    F32LE = "f32le"
    S24LE = "s24le"
    U8 = "u8"
    MULAW = "mulaw"
    ALAW = "alaw"
    OPUS = "opus"
    """Opus packets (RFC 6716), each an `Audio` of its own, one or two channels."""
    CONTAINER = "container"
    """A file as it grows: WebM, Ogg, fragmented MP4, FLAC, MP3, AAC, WAV, cut anywhere; several in a row are one stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """Raw interleaved samples, or what `encoding` says."""

    encoding: Encoding = Encoding.S16LE
    rate: int = RATE
    """Samples per second and channel, 8 000 to 48 000 (files of other rates are brought into it as they are read)."""
    channels: int = 1
    split: bool = False
    """False mixes the channels down to one; True gives each channel a session of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpointing:
    """When an utterance begins and ends."""

    mode: Literal["auto", "manual"] = "auto"
    """`auto`: speech opens an utterance and silence commits it. `manual`: only the client commits, nothing is gated."""
    threshold: float = 0.5
    """Speech probability (0 to 1) at which speech may begin."""
    hysteresis: float = 0.15
    """Speech goes on while the probability is at least `threshold - hysteresis`."""
    min_speech: float = 0.1
    """Shorter bursts are not speech."""
    min_silence: float = 0.5
    """Silence after which speech has stopped."""
    hold: float = 0.0
    """Further silence after that before the utterance is committed."""
    padding: float = 0.3
    """Audio decoded ahead of the detected beginning."""
    eager: float | None = None
    """Silence after which the end of the turn is anticipated; None: never."""
    turn_threshold: float | None = None
    """Commit when the recogniser itself believes this strongly (0 to 1) that the turn is over; None: do not ask it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeOptions:
    """What one decode asks of an engine. Travels with the request, never stored on the engine."""

    model: str = "auto"
    language: str | None = None
    """BCP-47 tag, or None where the engine decides."""
    task: Literal["transcribe", "translate"] = "transcribe"
    target_language: str | None = None
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    words: bool = True
    """Whether word times are wanted; an engine may give them anyway."""
    punctuation: bool = True
    """Whether punctuation and case are wanted, where the engine can leave them out."""
    beam_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything a session can be told."""

    format: AudioFormat = field(default_factory=AudioFormat)
    endpointing: Endpointing = field(default_factory=Endpointing)
    decode: DecodeOptions = field(default_factory=DecodeOptions)
    live: bool = True
    """False for files: no partials, lower priority, utterances decoded side by side."""
    partials: bool = True
    partial_interval: float = 0.3
    """Seconds of audio between two partials."""
    min_partial: float = 0.3
    """Seconds of speech before the first partial."""
    max_utterance: float = 30.0
    """Longest stretch of audio decoded as one: in `auto` the utterance is committed at the quietest point near it, in
    `manual` a piece is frozen there and the utterance goes on."""
    piece: float | None = None
    """Freeze a final each so many seconds inside an utterance; None: one final an utterance."""
    context: float = 10.0
    """Seconds before a frozen piece that later decodes of the utterance still see."""
    word_times: bool = True
    """Whether the recogniser gives word times, filled in from what was resolved. Without them a piece cannot be cut out of
    a longer decode: each is decoded by itself."""
    lapse: float | None = None
    """Report when so many seconds have passed since the last word; None: never."""
    drafts: str | None = None
    """Model that decodes partials (a cheaper one, one that streams); None: the one that decodes finals."""
    revision: DecodeOptions | None = None
    """Decode each finished utterance once more with these, and send the better text late; None: do not."""
    fallback: bool = False
    """Whether the best model that is there will do where the one named is not."""
    pause_buffer: float = 2.0
    """Seconds of audio kept while paused; older audio is dropped and counted."""
    diarize: bool = False
    analyze: bool = False
