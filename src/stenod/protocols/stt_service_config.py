"""What clients of the fourth document configure, in stenod's words: `session_config`, and the context of a conversation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

from stenod.options import MIN_SILENCE_FLOOR, RATE, AudioFormat, Encoding, Endpointing, Options
from stenod.protocols.fields import Fields

FORMATS: Final = {"float32": Encoding.F32LE, "int16": Encoding.S16LE, "pcm16": Encoding.S16LE}

SILENCE: Final = {"casual": 1.0, "command": 0.6, "question": 1.6}
"""What the expected answer makes of the silence that ends an utterance: commands are brief, questions make one think."""

DOUBT: Final = {"listening": 0.0, "processing": 0.1, "responding": 0.2}
"""Seconds by which speech must last longer to count: while the machine talks, its echo or a cough interrupts nobody."""


@dataclass(frozen=True, slots=True)
class Config:
    """`session_config`: the document's eight fields, then ours. Durations are seconds."""

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

    @classmethod
    def of(cls, told: Fields, language: str | None) -> Config:
        """What the fields say; `told.problem` is set where one makes no sense."""
        return cls(
            language=told.language("language", language),
            enable_timestamps=told.flag("enable_timestamps", default=False),
            enable_vad=told.flag("enable_vad", default=True),
            enable_partial_transcription=told.flag("enable_partial_transcription", default=True),
            buffer_duration=told.number("buffer_duration", 2.0, 0.5, 60.0),
            partial_chunk_duration=told.number("partial_chunk_duration", 0.25, 0.1, 60.0),
            final_chunk_duration=told.number("final_chunk_duration", 1.0, 0.5, 60.0),
            chunk_size=told.whole("chunk_size", 1024, 1, 1_000_000),
            audio_format=told.choice("audio_format", "float32", tuple(FORMATS)),
            sample_rate=told.whole("sample_rate", RATE, 8_000, 48_000),
            barge_in_enabled=told.flag("barge_in_enabled", default=True),
            conversation_id=told.text("conversation_id"),
        )

    def options(self, defaults: Options, turns: Endpointing) -> Options:
        """The same in stenod's words; `turns` is what the context makes of endpointing."""
        partials = self.enable_partial_transcription
        return replace(
            defaults,
            format=AudioFormat(encoding=FORMATS[self.audio_format], rate=self.sample_rate),
            endpointing=replace(turns, mode="auto" if self.enable_vad else "manual"),
            decode=replace(defaults.decode, language=self.language, words=self.enable_timestamps),
            partials=partials,
            partial_interval=self.partial_chunk_duration,
            piece=self.final_chunk_duration if partials else self.buffer_duration,
        )


KNOWN: Final = frozenset(field.name for field in fields(Config))
"""Fields of `session_config` that have an effect; others are ignored, and named as such."""


@dataclass(frozen=True, slots=True)
class Context:
    """`context_update`: what the conversation is about to be."""

    conversation_state: str = "listening"
    expected_response_type: str = "casual"

    def heed(self, told: Fields) -> Context:
        """The same with what the fields say."""
        return Context(
            told.choice("conversation_state", self.conversation_state, tuple(DOUBT)),
            told.choice("expected_response_type", self.expected_response_type, tuple(SILENCE)),
        )

    def turns(self, usual: Endpointing) -> Endpointing:
        """When an utterance begins and ends in this conversation."""
        silence = round(usual.min_silence * SILENCE[self.expected_response_type], 3)
        speech = round(usual.min_speech + DOUBT[self.conversation_state], 3)
        return replace(usual, min_silence=max(MIN_SILENCE_FLOOR, silence), min_speech=speech)
