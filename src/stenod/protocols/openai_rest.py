"""`POST /v1/audio/transcriptions`: OpenAI's file transcription, https://platform.openai.com/docs/api-reference/audio.

The first document gives this path to its own handler as well, so its fields `include_timestamps` and `should_chunk` are
understood here too, and either of them adds its `timestamps` to JSON answers. What a client wants is read from the form and
never from `Accept`: the official clients ask for JSON whatever they want.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from stenod.events import Ended, Event, Failed, Final, Stamp
from stenod.options import Options
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.fields import Fields
from stenod.protocols.files import FileDialect, timestamps
from stenod.protocols.wire_json import shown, write
from stenod.refine.languages import language_name
from stenod.refine.subtitles import srt, vtt
from stenod.refine.words import Segment
from stenod.transcript import Word

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")
TASKS = ("transcribe", "translate")

STATUS = {
    "too_large": 413,
    "model_not_found": 404,
    "overloaded": 503,
    "shutting_down": 503,
    "unavailable": 503,
    "engine_failed": 500,
    "internal_error": 500,
}
"""HTTP status by error code; any other is 400. The official clients repeat the request after 409, 429 and 5xx only."""

HOSTED = frozenset(
    {
        "whisper-1",
        "gpt-transcribe",
        "gpt-4o-transcribe",
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
        "gpt-4o-transcribe-diarize",
    }
)
"""Models of the hosted service, which programs written for it ask for: the default serves them."""

_PARAMS = {
    "missing_field": "file",
    "bad_audio": "file",
    "too_large": "file",
    "model_not_found": "model",
    "unsupported_language": "language",
    "unsupported_task": "task",
}


class OpenAITranscription(FileDialect):
    """One upload."""

    patience = Patience()

    def __init__(self, handshake: Handshake) -> None:
        fields = Fields(handshake.query, code="unsupported_value")
        self._format = _format(fields)
        wanted = fields.items("timestamp_granularities")
        other = next((item for item in wanted if item not in GRANULARITIES), None)
        if other is not None:
            message = f"timestamp_granularities[] takes word and segment, not {shown(other)}"
            fields.refuse("timestamp_granularities", message)
        self._granularities = wanted or ("segment",)
        self._timed = fields.flag("include_timestamps", default=False)
        self._first = bool(fields.text("include_timestamps") or fields.text("should_chunk"))
        if fields.flag("stream", default=False):
            fields.refuse("stream", "stream=true is not offered here; leave it out for one whole answer")
        fields.number("temperature", 0.0, 0.0, 1.0)  # understood, and without effect: decoding here is not sampled
        super().__init__(_options(fields, handshake.defaults), fields.problem)
        self._failed = False

    @property
    def media_type(self) -> str:
        """Errors are JSON whatever was asked for."""
        plain = {
            "text": "text/plain; charset=utf-8",
            "srt": "text/plain; charset=utf-8",
            "vtt": "text/vtt; charset=utf-8",
        }
        return "application/json" if self._failed else plain.get(self._format, "application/json")

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:  # noqa: ARG002 a file has one channel and no clock
        """Nothing until everything is said; an utterance that failed fails the file, since its text has a hole."""
        match event:
            case Final():
                self._gathered.add(event)
            case Failed(code, message, fatal, utterance=utterance, detail=detail) if fatal or utterance is not None:
                self._failed = True
                status = STATUS.get(code, 400)
                body = error(message, status, param=detail.get("param") or _PARAMS.get(code), code=code)
                return [write(body), Close(1011, message, status=status)]
            case Ended(seconds):
                return [self._body(seconds), Close(1000, status=200)]
            case _:
                pass
        return []

    def _body(self, seconds: float) -> str:
        gathered = self._gathered
        text = gathered.transcript.text
        match self._format:
            case "text":
                return text + "\n"
            case "srt":
                return srt(gathered.heard)
            case "vtt":
                return vtt(gathered.heard)
        language = gathered.transcript.language or self._options.decode.language
        body: dict[str, Any]
        if self._format == "json":
            body = {"text": text, "languages": [{"code": language}] if language else []}
        else:
            body = {"task": self._options.decode.task, "language": language_name(language)}
            body |= {"duration": round(seconds, 3), "text": text}
            if "segment" in self._granularities:
                body["segments"] = [_segment(index, segment) for index, segment in enumerate(gathered.segments)]
            if "word" in self._granularities:
                body["words"] = [_word(word) for word in gathered.words]
        if self._first:
            body["timestamps"] = timestamps(gathered) if self._timed else None
        return write(body | {"usage": {"type": "duration", "seconds": round(seconds, 3)}})


def error(message: str, status: int, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's envelope: all four keys, always."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _segment(index: int, segment: Segment) -> dict[str, Any]:
    """All ten fields, none of them null: strict clients refuse the answer otherwise. Those nobody knows here are neutral."""
    return {
        "id": index,
        "seek": 0,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": " " + segment.transcript.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _logprob(segment.transcript.confidence),
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }


def _logprob(confidence: float | None) -> float:
    return round(math.log(max(confidence, 1e-6)), 4) if confidence is not None else 0.0


def _word(word: Word) -> dict[str, Any]:
    return {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}


def _format(fields: Fields) -> str:
    if fields.text("response_format") == "diarized_json":
        fields.refuse("response_format", "diarized_json is not offered here; the others are " + ", ".join(FORMATS))
    return fields.choice("response_format", "json", FORMATS)


def _options(fields: Fields, defaults: Options) -> Options:
    chunked = fields.flag("should_chunk", default=True)
    decode = defaults.decode
    model = fields.text("model")
    task = fields.choice("task", "translate" if fields.text("target_language") else decode.task, TASKS)
    return replace(
        defaults,
        endpointing=defaults.endpointing if chunked else replace(defaults.endpointing, mode="manual"),
        decode=replace(
            decode,
            model=decode.model if model is None or model in HOSTED else model,
            language=fields.language("language", decode.language),
            task="translate" if task == "translate" else "transcribe",
            target_language=fields.language("target_language", decode.target_language),
            punctuation=fields.flag("punctuation", default=decode.punctuation),
            prompt=fields.text("prompt") or decode.prompt,
            hotwords=fields.items("hotwords") or decode.hotwords,
        ),
        live=False,
        partials=False,
    )
