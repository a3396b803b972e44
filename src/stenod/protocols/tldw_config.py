"""What a `config` frame of the second and third document says, as options. Reading is total.

Every field of the documents has its line here. What is out of range is brought into it and reported as adjusted; what
cannot be read at all is a problem, and its default holds; what nobody understands, or what has no effect beside the other
fields, is ignored by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stenod.events import Fail
from stenod.options import MIN_SILENCE_FLOOR, AudioFormat, Encoding, Endpointing, Options
from stenod.protocols.fields import Fields, texts_of
from stenod.protocols.wire_json import shown

VARIANTS = ("standard", "onnx", "mlx")
FORMATS = {
    "float32": Encoding.F32LE,
    "pcm16": Encoding.S16LE,
    "opus": Encoding.OPUS,
    "webm": Encoding.CONTAINER,
    "ogg": Encoding.CONTAINER,
}
"""Values of `audio_format`. The documents know the first two; with `opus` each message is a packet."""

_VAD = ("vad_threshold", "min_silence_ms", "turn_stop_secs", "min_utterance_secs")
_LARGEST_NAME = 100
"""Characters of a model's name."""


@dataclass(frozen=True, slots=True)
class Config:
    """A config frame, understood."""

    options: Options
    overlap: float
    """Seconds of context that segments report."""
    model: str | None
    """As the client named it, variant left out; None where it named none."""
    variant: str | None
    told: Mapping[str, Any]
    """The fields that were understood, as they came: a later frame changes single ones."""
    ignored: tuple[str, ...] = ()
    adjusted: Mapping[str, float] = field(default_factory=dict)
    problem: Fail | None = None

    @property
    def label(self) -> str | None:
        """The model as results name it."""
        return f"{self.model}-{self.variant}" if self.model and self.variant else self.model


class _Reading:
    """Takes one field after the other out of a frame; what is left in the end was not understood."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told
        self.left = {name for name in told if name not in {"type", "protocol_version"}}
        self.adjusted: dict[str, float] = {}
        self.problem: Fail | None = None

    def take(self, *names: str) -> Any:
        """The first of these that says something."""
        self.left.difference_update(names)
        return next((self.told[name] for name in names if self.told.get(name) is not None), None)

    def refuse(self, name: str, wanted: str, value: object) -> None:
        """Note what cannot be read, unless something before it could not."""
        message = f"{name} must be {wanted}, not {shown(value)}"
        self.problem = self.problem or Fail("validation_error", message, detail={"param": name})

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.take(name)
        if value is None:
            return default
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if math.isnan(number):
            self.refuse(name, "a number", value)
            return default
        within = min(max(number, low), high)
        if within != number:
            self.adjusted[name] = within
        return within

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        fields = Fields(texts_of({name: value}))
        answer = fields.flag(name, default=default)
        if fields.problem is not None:
            self.refuse(name, "true or false", value)
        return answer

    def text(self, *names: str) -> str | None:
        value = self.take(*names)
        if value is None or (isinstance(value, str) and len(value) <= _LARGEST_NAME):
            return (value or "").strip() or None
        self.refuse(names[0], "a short text", value)
        return None

    def wish(self, *names: str) -> bool:
        """Whether something is wanted: `true`, or an object that does not say `"enabled": false`."""
        value = self.take(*names)
        return value.get("enabled", True) is not False if isinstance(value, dict) else value in (True, "true", 1)


def understand(told: Mapping[str, Any], defaults: Options) -> Config:
    """All that config frames have said so far, as one; `told` may hold anything."""
    fields = _Reading(told)
    model, variant, name = _model(fields, defaults.decode.model)
    overlap = fields.number("overlap_duration", 0.5, 0.0, 30.0)
    target = _tag(fields, "target_language", None)
    beam = round(fields.number("beam_size", defaults.decode.beam_size or 0, 1, 100))
    decode = replace(
        defaults.decode,
        model=name,
        language=_language(fields, defaults.decode.language),
        task="translate" if _translates(fields, target) else "transcribe",
        target_language=target,
        punctuation=fields.flag("punctuation", default=defaults.decode.punctuation),
        beam_size=beam or None,
    )
    options = replace(
        defaults,
        format=_format(fields),
        endpointing=_endpointing(fields, defaults.endpointing),
        decode=decode,
        partials=fields.flag("enable_partial", default=True),
        partial_interval=fields.number("partial_interval", 0.5, 0.1, 60.0),
        min_partial=fields.number("min_partial_duration", 0.5, 0.0, 60.0),
        max_utterance=fields.number("max_buffer_duration", defaults.max_utterance, 1.0, 600.0),
        piece=fields.number("chunk_duration", 2.0, 0.2, 30.0),
        context=max(defaults.context, overlap),
        fallback=True,
        diarize=any([fields.wish("diarization"), fields.wish("diarize"), fields.wish("diarization_enabled")]),
        analyze=any([fields.wish("insights", "meeting_insights"), fields.wish("insights_enabled")]),
    )
    ignored = tuple(sorted(shown(name, 60)[1:-1] for name in fields.left))[:100]
    known = {name: value for name, value in told.items() if name not in fields.left}
    return Config(options, overlap, model, variant, known, ignored, fields.adjusted, fields.problem)


def _format(fields: _Reading) -> AudioFormat:
    rate = int(fields.number("sample_rate", 16_000, 8_000, 48_000))
    name = fields.text("audio_format") or "float32"
    if name not in FORMATS:
        fields.refuse("audio_format", f"one of {', '.join(FORMATS)}", name)
    return AudioFormat(encoding=FORMATS.get(name, Encoding.F32LE), rate=rate)


def _model(fields: _Reading, default: str) -> tuple[str | None, str | None, str]:
    """Model and variant as the client named them, and the name to look for here."""
    told, variant = fields.text("model"), fields.text("variant", "model_variant")
    size = fields.text("whisper_model_size")
    if told is None and variant is None:
        return None, None, default
    model = told or "parakeet"
    family, _, rest = model.partition("-")
    family = family.lower()
    if family == "parakeet" and rest in {"", *VARIANTS}:
        variant = (variant or rest or "standard").lower()
        return family, variant, family if variant == "standard" else f"{family}-{variant}"
    if model.lower() == "whisper" and size is not None:
        return model, None, f"whisper-{size.removeprefix('whisper-')}"
    return model, None, model


def _translates(fields: _Reading, target: str | None) -> bool:
    """Whether a translation is wanted: a target language alone asks for one."""
    task = fields.text("task") or ("transcribe" if target is None else "translate")
    if task not in {"transcribe", "translate"}:
        fields.refuse("task", "transcribe or translate", task)
    return task == "translate"


def _language(fields: _Reading, default: str | None) -> str | None:
    language = _tag(fields, "language", default)
    return None if fields.flag("auto_detect_language", default=False) else language


def _tag(fields: _Reading, name: str, default: str | None) -> str | None:
    """A language, as a tag or by its name."""
    told = fields.text(name)
    reading = Fields({name: told or ""})
    known = reading.language(name, default)
    if reading.problem is not None:
        fields.refuse(name, "a language code such as en", told)
    return known


def _endpointing(fields: _Reading, defaults: Endpointing) -> Endpointing:
    """Finals come on the beat of `chunk_duration`, speech or not, unless silence is asked to commit too."""
    asked = any(fields.told.get(name) is not None for name in _VAD)
    if not fields.flag("enable_vad", default=asked):
        return replace(defaults, mode="manual")
    threshold = fields.number("vad_threshold", 0.5, 0.1, 0.9)
    return replace(
        defaults,
        mode="auto",
        threshold=threshold,
        hysteresis=min(defaults.hysteresis, 0.3 * threshold),  # speech must be able to end at all
        min_speech=fields.number("min_utterance_secs", defaults.min_speech, 0.25, 3.0),
        min_silence=fields.number("min_silence_ms", 250, 1000 * MIN_SILENCE_FLOOR, 1500) / 1000,
        hold=fields.number("turn_stop_secs", 0.2, 0.1, 0.75),
    )
