"""The five dialects as their clients speak them. Pure: no socket, no clock, no terminal.

The servers' side of the same dialects is in `stenod.protocols`; the two are written apart, so that each can catch the other
out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import numpy as np

from stenod.cli.dialect import CHUNK, Dialect, Said
from stenod.jobs import Samples
from stenod.options import RATE


class Name(StrEnum):
    """A dialect, as the command line names it."""

    WS = "ws"
    TLDW = "tldw"
    CORE = "core"
    STT = "stt"
    NEXA = "nexa"


class Ws(Dialect):
    """`/ws`: options in the query, s16le, `end`."""

    path = "/ws"

    def query(self) -> dict[str, str]:
        """Model and language."""
        return _given(model=self.wish.model, language=self.wish.language)

    def audio(self, samples: Samples) -> bytes:
        """16-bit samples."""
        return _s16le(samples)

    def ending(self) -> list[str]:
        """Answered by the last finals and `ended`."""
        return [_text(type="end")]

    def hear(self, frame: Mapping[str, Any]) -> Said | None:
        """Partials, finals, errors, `ended`."""
        match frame.get("type"):
            case "partial" | "final" as kind:
                return Said(kind, frame["text"], frame["end"], _last_word(frame["words"]))
            case "error":
                return Said("error", frame["message"])
            case "ended":
                return Said("over")
            case _:
                return None


class Tldw(Dialect):
    """`/api/v1/audio/stream/transcribe`: a config frame, base64 float32 in JSON, `commit` and `stop`."""

    path = "/api/v1/audio/stream/transcribe"
    has_variant = True

    def query(self) -> dict[str, str]:
        """The token, where this dialect's clients have it."""
        return _given(token=self.wish.token)

    def headers(self) -> dict[str, str]:
        """Nothing: the token is in the query."""
        return {}

    def opening(self) -> list[str]:
        """The config frame."""
        fields = _given(model=self.wish.model, variant=self.wish.variant, language=self.wish.language)
        return [_text(type="config", sample_rate=RATE, enable_partial=True, **fields)]

    def audio(self, samples: Samples) -> str:
        """Floats, four bytes each."""
        return _text(type="audio", data=base64.b64encode(_f32le(samples)).decode())

    def ending(self) -> list[str]:
        """Answered by the last final, the full transcript and the end of the connection."""
        return [_text(type="commit"), _text(type="stop")]

    def hear(self, frame: Mapping[str, Any]) -> Said | None:
        """Partials, finals, warnings, errors, `done`."""
        match frame.get("type"):
            case "partial" | "final" as kind:
                return Said(kind, frame["text"], frame.get("segment_end"))
            case "error":
                return Said("error", frame["message"])
            case "warning":
                return Said("note", frame.get("message") or str(frame.get("state", "warning")))
            case "done":
                return Said("over")
            case _:
                return None


class Core(Tldw):
    """`/core/parakeet/stream`: the same frames, no token, and another name for the variant."""

    path = "/core/parakeet/stream"
    parting = True

    def query(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def opening(self) -> list[str]:
        """The config frame."""
        fields = _given(model=self.wish.model, model_variant=self.wish.variant, language=self.wish.language)
        return [_text(type="config", sample_rate=RATE, enable_partial=True, **fields)]


class Stt(Dialect):
    """`/ws/transcribe`: `start_session`, raw float32, `end_session`, after which the client closes."""

    path = "/ws/transcribe"
    has_model = False

    def opening(self) -> list[str]:
        """The session's configuration."""
        config = {"enable_timestamps": True, "chunk_size": CHUNK}
        return [_text(type="start_session", session_config=_given(language=self.wish.language) | config)]

    def audio(self, samples: Samples) -> bytes:
        """Floats, four bytes each."""
        return _f32le(samples)

    def ending(self) -> list[str]:
        """Answered by the last finals and `session_ended`."""
        return [_text(type="end_session")]

    def hear(self, frame: Mapping[str, Any]) -> Said | None:
        """Partials and finals under `data`, errors under `error`, `session_ended`."""
        match frame.get("type"):
            case "transcription_partial" | "transcription_final" as kind:
                data = frame["data"]
                times, last = data.get("timestamps"), data.get("metadata", {}).get("sequence_end")
                spoken = times[-1]["end_ms"] / 1000 if times else None
                upto = None if last is None else (last + 1) * CHUNK / RATE
                return Said("partial" if kind.endswith("partial") else "final", data["text"], upto, spoken)
            case "error":
                return Said("error", frame["error"]["message"])
            case "session_ended":
                return Said("over")
            case _:
                return None


class Nexa(Dialect):
    """`/v1/audio/stream`: a config frame, s16le, `{"action": "stop"}`."""

    path = "/v1/audio/stream"
    parting = True

    def opening(self) -> list[str]:
        """The configuration, the first message."""
        fields = _given(model=self.wish.model, language=self.wish.language)
        config = {"sample_rate": RATE, "enable_partial_results": True, "enable_word_timestamps": True}
        return [_text(**fields, **config)]

    def audio(self, samples: Samples) -> bytes:
        """16-bit samples."""
        return _s16le(samples)

    def ending(self) -> list[str]:
        """Answered by the last final and the end of the connection."""
        return [_text(action="stop")]

    def hear(self, frame: Mapping[str, Any]) -> Said | None:
        """Partials, finals, errors."""
        match frame.get("type"):
            case "partial" | "final" as kind:
                return Said(kind, frame["text"], spoken=_last_word(frame.get("words")))
            case "error":
                return Said("error", frame["error"])
            case _:
                return None


DIALECTS: Final[Mapping[Name, type[Dialect]]] = {
    Name.WS: Ws,
    Name.TLDW: Tldw,
    Name.CORE: Core,
    Name.STT: Stt,
    Name.NEXA: Nexa,
}


def understood(dialect: Dialect, message: str | bytes) -> Said | None:
    """What a message means. One that is not as the dialect has it is an error, not an exception."""
    odd = Said("error", f"the server sent what the dialect does not know: {message[:80]!r}")
    try:
        frame = json.loads(message)
        said = dialect.hear(frame) if isinstance(frame, dict) else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return odd
    return said if said is None or (isinstance(said.text, str) and isinstance(said.upto, float | int | None)) else odd


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _text(**fields: Any) -> str:
    return json.dumps(fields)


def _s16le(samples: Samples) -> bytes:
    return np.clip(np.rint(samples * 2**15), -(2**15), 2**15 - 1).astype("<i2").tobytes()


def _f32le(samples: Samples) -> bytes:
    return samples.astype("<f4").tobytes()


def _last_word(words: Any) -> float | None:
    return float(words[-1]["end"]) if words else None
