"""What a client of the unified endpoint gets: each event as frames of the second and third document, in their order.

A commit is answered by the final of what is left, where that has text, and then by `full_transcript`. Reading is not done
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stenod.events import (
    Analyzed,
    Cause,
    Cleared,
    Committed,
    Configured,
    Continued,
    Diarized,
    Ended,
    Event,
    Failed,
    Final,
    Partial,
    Paused,
    Ponged,
    Revised,
    SpeechStopped,
    Stamp,
    Summarized,
    Ticked,
    Warned,
)
from stenod.options import Options
from stenod.protocols.base import Close, Outgoing
from stenod.protocols.segments import Segments, Speakers, full_transcript
from stenod.protocols.tldw_codes import BARE, CODES, ENDINGS, TOO_LATE
from stenod.protocols.tldw_config import Config
from stenod.protocols.wire_json import write


class Frames:
    """The server's side of one conversation."""

    def __init__(self, request: str) -> None:
        self._request = request
        self._config: Config | None = None
        self._options = Options()
        self._model: str | None = None
        """As results name it."""
        self._begun = False
        self._segments = Segments()
        self._speakers = Speakers()
        self._committed: dict[int, Cause] = {}
        """Utterances whose closing final is to come."""
        self._failed = 0
        """The last utterance that failed: no final closes it."""
        self._silent_since = 0.0
        """Unix time at which speech last ended."""
        self._insights = 0

    def configure(self, config: Config) -> None:
        """What the next `Configured` will be about."""
        self._config = config

    def write(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """No, one or several messages, in order."""
        match event:
            case Partial() | Final() | Committed() | SpeechStopped() | Revised() | Cleared():
                return self._heard(event, stamp)
            case Diarized() | Summarized() | Analyzed():
                return [write(self._learned(event))]
            case Configured():
                return self._configured(event)
            case Paused():
                return [self._status("paused", protocol_version=2)]
            case Continued():
                return [self._status("resumed", protocol_version=2)]
            case Ponged():
                return [write({"type": "pong"})]
            case Ticked():
                return [write({"type": "ping"})]
            case Warned(code, message, detail):
                return [self._warning(code, message, detail)]
            case Failed():
                return self._failure(event, stamp)
            case Ended(because=because):
                return self._end(because)
            case _:
                return []

    # ---------------------------------------------------------------------------------------------------------- results

    def _heard(
        self, event: Partial | Final | Committed | SpeechStopped | Revised | Cleared, stamp: Stamp
    ) -> list[Outgoing]:
        match event:
            case Partial():
                return [write(self._named(self._segments.partial(event, stamp)))]
            case Final():
                return self._final(event, stamp)
            case Committed(utterance, cause):
                return self._commit(utterance, cause, stamp)
            case SpeechStopped():
                self._silent_since = stamp.now
            case Revised(utterance, transcript):
                self._segments.revise(utterance, transcript.text)
            case Cleared(upto):
                self._segments.reset(upto)
                self._speakers = Speakers()
                return [self._status("reset")]
        return []

    def _learned(self, event: Diarized | Summarized | Analyzed) -> dict[str, Any]:
        match event:
            case Diarized(transcript=transcript):
                self._speakers.hear(transcript, self._segments)
                return self._speakers.summary()
            case Summarized(speakers):
                return self._speakers.summary(speakers)
            case Analyzed(kind, data):
                self._insights += 1
                return dict(data) | {"type": "insight", "insight_id": self._insights, "stage": kind}

    def _named(self, frame: dict[str, Any]) -> dict[str, Any]:
        return frame | {"model": self._model}

    def _final(self, event: Final, stamp: Stamp) -> list[Outgoing]:
        frame = self._segments.final(event, stamp)
        said: list[Outgoing] = [] if frame is None else [write(self._named(frame))]
        if event.closes is None:
            return said
        self._committed.pop(event.utterance, None)
        return said if event.closes == "length" else [*said, self._whole(event.closes, stamp)]

    def _commit(self, utterance: int, cause: Cause, stamp: Stamp) -> list[Outgoing]:
        closing: list[Outgoing] = []
        if cause == "end" and self._version == 2:
            closing.append(self._status("closing", protocol_version=2))
        if utterance == self._failed:
            return [*closing, self._whole(cause, stamp)]
        self._committed[utterance] = cause
        return closing

    def _whole(self, cause: Cause, stamp: Stamp) -> str:
        wanted = self._config is not None and self._config.options.diarize
        unavailable = "unavailable" if wanted else "disabled"
        return write(
            full_transcript(self._segments.text, stamp)
            | {
                "voice_to_voice_start": self._silent_since or stamp.now,
                "auto_commit": cause in {"silence", "turn"},
                "vad_status": "enabled" if self._options.endpointing.mode == "auto" else "disabled",
                "diarization_status": "enabled" if self._options.diarize else unavailable,
            }
        )

    # ----------------------------------------------------------------------------------------------------------- status

    @property
    def _version(self) -> object:
        version = None if self._config is None else self._config.told.get("protocol_version")
        return version if version in (1, 2) else None

    def _status(self, state: str, **more: Any) -> str:
        return write({"type": "status", "state": state} | more)

    def _configured(self, event: Configured) -> list[Outgoing]:
        self._options = event.options
        given = event.options.decode.model
        named, more = given, dict[str, Any]()
        self._model = given
        if self._config is not None:
            named, self._model = self._config.model or given, self._config.label or given
            self._segments.overlap = self._config.overlap
            more = {"adjusted": dict(self._config.adjusted)} if self._config.adjusted else {}
        more |= {"ignored": list(event.ignored)} if event.ignored else {}
        more |= {"protocol_version": self._version} if self._version else {}
        state = "configured" if self._begun or self._version else "ready"
        self._begun = True
        enabled = [name for name in ("diarize", "analyze") if getattr(event.options, name)]
        names = {"diarize": "diarization_enabled", "analyze": "insights_enabled"}
        return [self._status(state, model=named, **more), *(self._status(names[name]) for name in enabled)]

    def _warning(self, code: str, message: str, detail: Mapping[str, Any]) -> str:
        if code in {"diarization_unavailable", "insights_unavailable"}:
            return self._status(code, message=message)
        if code == "model_fallback":
            asked, self._model = detail["asked"], detail["given"]
            message = f"{asked} model unavailable, using {self._model} instead"
            detail = {"fallback": True, "original_model": asked, "active_model": self._model}
        return write(dict(detail) | {"type": "warning", "warning_type": code, "message": message})

    # -------------------------------------------------------------------------------------------------------------- end

    def _failure(self, event: Failed, stamp: Stamp) -> list[Outgoing]:
        if event.code in BARE:
            message = TOO_LATE if event.code == "unidentified" else event.message
            return [write({"type": "error", "message": message}), Close(BARE[event.code], message)]
        name, code = CODES.get(event.code, (event.code, 1000))
        detail = dict(event.detail) | ({} if event.retry_after is None else {"retry_after": event.retry_after})
        said: list[Outgoing] = [self._error(name, event.message, detail)]
        if event.fatal:
            return [*said, Close(code, name)]
        if event.utterance is not None:
            self._failed = event.utterance
            cause = self._committed.pop(event.utterance, None)
            said += [] if cause is None else [self._whole(cause, stamp)]
        return said

    def _error(self, code: str, message: str, detail: Mapping[str, Any]) -> str:
        frame: dict[str, Any] = {"type": "error", "code": code, "message": message, "error_type": code}
        frame["request_id"] = self._request
        return write(
            frame | ({"data": detail} if detail else {}) | ({"quota": detail["quota"]} if "quota" in detail else {})
        )

    def _end(self, because: str) -> list[Outgoing]:
        if because == "client":
            return [write({"type": "done"}), Close(1000)]
        if because not in ENDINGS:
            return [Close(1000)]
        ours, message, detail = ENDINGS[because]
        name, code = CODES[ours]
        return [self._error(name, message, detail), Close(code, "shutdown_draining" if because == "shutdown" else name)]
