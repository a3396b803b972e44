"""`WS /core/parakeet/stream`: the third document's portable core. JSON both ways, audio as base64 float32 mono.

Nothing is gated by a voice activity detector: a final is due every `chunk_duration` seconds, and at each commit, which
answers with the `full_transcript` and begins anew. Errors leave the socket open. Nobody is asked who they are: the server
mounts it where no key is set.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import Any

from stenod.events import (
    Analyzed,
    Audio,
    Clear,
    Cleared,
    Command,
    Commit,
    Committed,
    Configure,
    Configured,
    Diarized,
    End,
    Ended,
    Event,
    Fail,
    Failed,
    Final,
    Heard,
    Partial,
    Ping,
    Ponged,
    Stamp,
    Warned,
)
from stenod.options import Options
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.closing import close_code
from stenod.protocols.segments import Segments, Speakers, full_transcript
from stenod.protocols.tldw_config import understand
from stenod.protocols.wire_json import read, shown, write
from stenod.transcript import Transcript

LARGEST = 2**24
"""Characters of a message: audio comes in them, and a WebSocket message may be no larger."""


class CoreParakeet:
    """One client of `/core/parakeet/stream`."""

    patience = Patience()

    def __init__(self, handshake: Handshake) -> None:
        self._defaults = handshake.defaults
        self._config = understand({}, handshake.defaults)
        self._segments, self._speakers = Segments(), Speakers()
        self._before = self._segments, self._speakers  # of what the last commit closed: speakers come late
        self._opened = False  # the first Configured answers `open`, not the client
        self._heard = 0.0
        self._committed = (0, 0.0)  # the newest utterance that the client has committed, and where it ends

    def open(self) -> list[Command]:
        """A config may come, and come again; audio may come without."""
        return self._configure({})

    def receive(self, message: str | bytes) -> list[Command]:
        """JSON with a `type`. Bytes are what `audio` carries in base64."""
        if isinstance(message, bytes):
            return [Audio(message)] if message else []
        told = read(message, limit=LARGEST)
        if isinstance(told, Fail):
            return [replace(told, message="Invalid JSON: " + told.message)]
        kind = told.get("type")
        match kind.lower() if isinstance(kind, str) else kind:
            case "config":
                return self._configure(told)
            case "audio":
                return _audio(told.get("data"))
            case "commit":
                return [Commit()]
            case "reset":
                return [Clear()]
            case "stop":
                return [End()]
            case "ping":
                return [Ping()]
            case _:
                return [Fail("unknown_type", f"Unknown message type: {shown(kind)}")]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """Frames as the document has them; its `status`, `warning` and `error` where something else is to be said."""
        match event:
            case Partial():
                return [write(self._segments.partial(event, stamp))]
            case Final():
                frame = self._segments.final(event, stamp)
                frames: list[Outgoing] = [] if frame is None else [write(frame)]
                return [*frames, *(self._whole(event.end, stamp) if event.closes == "client" else [])]
            case Heard(upto):
                self._heard = upto
            case Committed(utterance, "client"):
                self._committed = (utterance, self._heard)
            case Failed():
                return self._error(event, stamp)
            case Configured(options, ignored):
                return self._configured(options, ignored)
            case Cleared(upto):
                self._begin(upto)
                return [_status("reset")]
            case Diarized(transcript=transcript):
                return [write(self._spoken(transcript))]
            case Warned() | Analyzed():
                return [_aside(event)]
            case Ponged():
                return [write({"type": "pong"})]
            case Ended():
                return [Close(1000)]
            case _:
                pass
        return []

    def _configure(self, told: dict[str, Any]) -> list[Command]:
        """What is said again changes, the rest stays as it was."""
        self._config = understand({**self._config.told, **told}, self._defaults)
        problem = self._config.problem
        return [Configure(self._config.options, self._config.ignored), *([problem] if problem else [])]

    def _configured(self, options: Options, ignored: tuple[str, ...]) -> list[Outgoing]:
        if not self._opened:
            self._opened = True
            return []
        self._segments.overlap = self._config.overlap
        adjusted = dict(self._config.adjusted)
        enabled = [("diarization_enabled", options.diarize), ("insights_enabled", options.analyze)]
        states = [_status(state) for state, given in enabled if given]
        return [*states, _status("configured", model=options.decode.model, ignored=list(ignored), adjusted=adjusted)]

    def _whole(self, at: float, stamp: Stamp) -> list[Outgoing]:
        """The answer to a commit that reaches the second `at`; whatever comes next is a new recording."""
        text = self._segments.text
        self._begin(at)
        return [write(full_transcript(text, stamp))]

    def _begin(self, at: float) -> None:
        """Segments count anew from the second `at` of the session."""
        self._before = self._segments, self._speakers
        self._segments, self._speakers = Segments(self._segments.overlap), Speakers()
        self._segments.reset(at)

    def _spoken(self, transcript: Transcript) -> dict[str, Any]:
        """Who spoke, in the recording that `transcript` belongs to."""
        segments, speakers = self._segments, self._speakers
        if transcript.words and segments.at(transcript.words[0].middle) is None:
            segments, speakers = self._before
        speakers.hear(transcript, segments)
        return speakers.summary()

    def _error(self, failed: Failed, stamp: Stamp) -> list[Outgoing]:
        """Where the end of what was committed failed, the rest of it is still the answer."""
        frames: list[Outgoing] = [write({"type": "error", "message": failed.message, "error_type": failed.code})]
        utterance, at = self._committed
        if failed.utterance is not None and failed.utterance <= utterance:
            frames += self._whole(at, stamp)
        return [*frames, Close(close_code(failed.code), failed.message)] if failed.fatal else frames


def _audio(data: object) -> list[Command]:
    """Base64 as it comes: with line breaks, without padding; a last sample that is incomplete is left out."""
    if data is None:
        return [Fail("missing_audio", "Missing audio payload")]
    if not isinstance(data, str):
        return [Fail("bad_audio", f"Audio payload must be base64, not {shown(data)}")]
    text = "".join(data.split())
    try:
        samples = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return [Fail("bad_audio", "Audio payload is not base64")]
    whole = samples[: len(samples) // 4 * 4]
    return [Audio(whole)] if whole else []


def _status(state: str, **more: Any) -> str:
    return write({"type": "status", "state": state} | more)


def _aside(event: Warned | Analyzed) -> str:
    """What comes beside the text. What is missing is a status here; a model in another's place says which."""
    match event:
        case Analyzed(kind, data):
            return write(dict(data) | {"type": "insight", "stage": kind})
        case Warned(code, message) if code in {"diarization_unavailable", "insights_unavailable"}:
            return _status(code, message=message)
        case Warned("model_fallback" as code, message, detail):
            models = {"original_model": detail.get("asked"), "active_model": detail.get("given")}
            return write({"type": "warning", "warning_type": code, "message": message, "fallback": True} | models)
        case Warned(code, message):
            return write({"type": "warning", "warning_type": code, "message": message})
