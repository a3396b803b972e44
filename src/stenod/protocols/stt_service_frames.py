"""What clients of the fourth document are sent, and what has to be remembered of a session for that."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from stenod.events import Detail, Ended, Failed, Interrupted, Partial, SpeechStarted, SpeechStopped, Stamp, Warned
from stenod.events import Final as FinalGiven
from stenod.options import Endpointing
from stenod.protocols.stt_service_config import Config, Context
from stenod.transcript import Word

REASONS: Final = {
    None: "buffer_full",
    "length": "buffer_full",
    "silence": "silence_detected",
    "turn": "silence_detected",
    "client": "flush_buffer",
    "end": "end_session",
}
"""Why there is a final. The last two are not the document's: its program never flushed, and lost the end."""

_KINDS: Final[dict[str, tuple[str, str, float | None]]] = {
    "overloaded": ("resource", "high", 5.0),
    "shutting_down": ("system", "high", 30.0),
    "unavailable": ("system", "critical", 60.0),
    "internal_error": ("system", "critical", 30.0),
    "engine_failed": ("processing", "high", 1.0),
    "too_long": ("processing", "medium", None),
    "bad_audio": ("audio_format", "medium", None),
    "bad_format": ("audio_format", "medium", None),
    "invalid_value": ("configuration", "medium", None),
    "unsupported_language": ("configuration", "medium", None),
    "model_not_found": ("configuration", "high", None),
    "prompt_ignored": ("configuration", "low", None),
}


def kind_of(code: str) -> tuple[str, str, float | None]:
    """Category and severity of an error, in the document's words, and seconds after which trying again may help.

    What is not in the table is about what came over the wire.
    """
    return _KINDS.get(code, ("connection", "low", None))


Frame = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What has been told of one session."""

    id: str
    started: bool = False
    messages: int = 0
    """Of audio."""
    finals: int = 0
    took: float = 0.0
    errors: int = 0
    speech: dict[int, float] = field(default_factory=dict)
    """Where the speech of each utterance begins that no final has closed yet."""
    piece: tuple[int, int] = (0, 1)
    """The utterance of the last final, and which of its finals comes next."""
    shown: bool = False
    """A partial was given, and no final after it."""

    def begun(self, stamp: Stamp) -> Frame:
        """The session is there."""
        self.started = True
        return {"type": "session_started"} | self._metadata(stamp)

    def configured(self, config: Config, context: Context, ignored: tuple[str, ...]) -> Frame:
        """How it works from here on."""
        told = {"config": asdict(config), "context": asdict(context), "ignored": list(ignored)}
        return {"type": "session_configured"} | told

    def activity(self, event: SpeechStarted | SpeechStopped, turns: Endpointing, stamp: Stamp, **more: Any) -> Frame:
        """Speech begins or stops. `duration_ms` is that of the speech so far, without padding and silence."""
        began = isinstance(event, SpeechStarted)
        if isinstance(event, SpeechStarted):
            self.speech.setdefault(event.utterance, event.start)
        start = self.speech.get(event.utterance, event.at)
        lasted = event.at - start - turns.padding - (0.0 if began else turns.min_silence)
        data = {
            "confidence": round(event.probability, 4),
            "duration_ms": _ms(max(lasted, turns.min_speech)),
            "energy_level": round(event.level, 4),
            "is_speech": began,
        }
        return self._frame("voice_activity_detected", data, stamp, **more)

    def partial(self, event: Partial, config: Config, stamp: Stamp) -> Frame:
        """Text that may change."""
        part = self.piece[1] if self.piece[0] == event.utterance else 1
        reason, self.shown = "time_trigger" if self.shown else "speech_detected", True
        data = self._text(event, config, f"utt_{event.utterance}_{part}", reason)
        return self._frame("transcription_partial", data, stamp)

    def final(self, event: FinalGiven, config: Config, stamp: Stamp, *, legacy: bool) -> list[Frame]:
        """Text that stays, and once more in the program's older frame where the client wants that.

        A final without text only answers a flush, or takes a partial back.
        """
        self.took += event.took
        wanted = bool(event.transcript.text) or self.shown or event.closes == "client"
        data = self._text(event, config, f"utt_{event.utterance}_{event.part}", REASONS[event.closes])
        data["timestamps"] = [_word(word) for word in event.transcript.words] if config.enable_timestamps else None
        self.piece, self.shown = (event.utterance, event.part + 1), False
        if event.closes is not None:
            self.speech = {number: start for number, start in self.speech.items() if number > event.utterance}
        if not wanted:
            return []
        self.finals += 1
        frames = [self._frame("transcription_final", data, stamp)]
        if legacy:
            old = {name: value for name, value in data.items() if name in LEGACY}
            frames.append(self._frame("transcription", old, stamp))
        return frames

    def interrupted(self, event: Interrupted, stamp: Stamp) -> Frame:
        """No more will be told of older utterances; `buffer_cleared` where something was still to come."""
        cleared = event.utterance > self.piece[0]
        data = {"interrupted_at": _time(stamp), "buffer_cleared": cleared, "processing_stopped": True}
        return self._frame("interrupt_acknowledged", data, stamp)

    def error(self, event: Failed | Warned, stamp: Stamp) -> Frame:
        """Something went wrong, or cannot be had. Never a traceback."""
        failed = event if isinstance(event, Failed) else None
        category, severity, retry_after = kind_of(event.code)
        if failed is not None:
            self.errors += 1
            retry_after = retry_after if failed.retry_after is None else failed.retry_after
        error = {
            "code": f"{category}_{event.code}",
            "message": event.message,
            "category": category,
            "severity": severity if failed is not None else "low",
            "recoverable": failed is None or not failed.fatal,
            "timestamp": _time(stamp),
            "retry_after": retry_after,
            "details": {"exception_type": event.code, "context": _plain(event.detail)},
        }
        return {"type": "error", "error": error}

    def ended(self, event: Ended, stamp: Stamp) -> Frame:
        """The session is over."""
        stats = {
            "chunks_received": self.messages,
            "transcriptions_completed": self.finals,
            "total_audio_duration": round(event.seconds, 3),
            "total_processing_time": round(self.took, 3),
            "errors": self.errors,
        }
        return {"type": "session_ended", "stats": stats} | self._metadata(stamp)

    def _metadata(self, stamp: Stamp) -> Frame:
        return {"session_id": self.id, "timestamp": _time(stamp)}

    def _frame(self, kind: str, data: Frame, stamp: Stamp, **more: Any) -> Frame:
        return {"type": kind, "data": data, "metadata": self._metadata(stamp) | more}

    def _text(self, event: Partial | FinalGiven, config: Config, name: str, reason: str) -> Frame:
        """What partials and finals share. Chunks are `chunk_size` samples of the session's audio, counted from 0."""
        start = max(event.start, self.speech.get(event.utterance, event.start))
        first = math.floor(round(start * config.sample_rate) / config.chunk_size)
        last = max(first, math.ceil(round(event.end * config.sample_rate) / config.chunk_size) - 1)
        partial = isinstance(event, Partial)
        metadata = {
            "duration": round(event.end - start, 3),
            "is_partial": partial,
            "utterance_id": name,
            "reason": reason,
            "sequence_start": first,
            "sequence_end": last,
        }
        confidence = event.transcript.confidence
        return {
            "text": event.transcript.text,
            "is_partial": partial,
            "utterance_id": name,
            "processing_time_ms": _ms(event.took),
            "audio_duration_ms": _ms(event.end - start),
            "confidence": None if confidence is None else round(confidence, 4),
            "metadata": metadata if partial else metadata | {"chunks_count": last - first + 1},
        }


LEGACY: Final = ("text", "processing_time_ms", "audio_duration_ms", "timestamps", "metadata")
"""What the older frame has of a final."""


def _word(word: Word) -> Frame:
    confidence = None if word.confidence is None else round(word.confidence, 4)
    return {"start_ms": _ms(word.start), "end_ms": _ms(word.end), "word": word.text, "confidence": confidence}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _time(stamp: Stamp) -> str:
    return datetime.fromtimestamp(stamp.now, UTC).isoformat()


def _plain(detail: Detail) -> Frame:
    return {
        str(name): value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in detail.items()
    }
