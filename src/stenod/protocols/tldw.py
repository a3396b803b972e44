"""`WS /api/v1/audio/stream/transcribe`: the unified endpoint of the second and third document, in both its generations.

JSON texts in both directions; audio is base64 of float32, or of s16le where strict protocol v1 holds (`tldw_v1`). What a
config says is read by `tldw_config`, what the client gets is written by `tldw_frames`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

from stenod.events import (
    Audio,
    Clear,
    Command,
    Commit,
    Configure,
    Continue,
    End,
    Event,
    Fail,
    Identify,
    Pause,
    Ping,
    Stamp,
)
from stenod.protocols.base import Handshake, Outgoing, Patience
from stenod.protocols.tldw_config import understand
from stenod.protocols.tldw_frames import Frames
from stenod.protocols.tldw_v1 import is_strict, violation
from stenod.protocols.wire_json import read, shown

LARGEST: Final = 16 * 2**20
"""Characters of a message; ten minutes of audio at once have less."""

LARGEST_CONTROL: Final = 65_536
"""Characters of a message that is no audio."""

_PLAIN: dict[str, Command] = {"commit": Commit(), "reset": Clear(), "stop": End()}
_ACTIONS: dict[str, Command] = {"pause": Pause(), "resume": Continue(), "commit": Commit(), "stop": End()}


class Tldw:
    """One client of the unified endpoint."""

    patience = Patience(identify=5.0, heartbeat=10.0)

    def __init__(self, handshake: Handshake) -> None:
        request = handshake.query.get("request_id") or handshake.headers.get("x-request-id") or handshake.id
        self._defaults = handshake.defaults
        self._told: dict[str, Any] | None = None
        """What was understood of config frames; None before the first."""
        self._strict = False
        self._frames = Frames(request[:100])

    def open(self) -> list[Command]:
        """Nothing: a config may come, or audio, or who is calling."""
        return []

    def receive(self, message: str | bytes) -> list[Command]:
        """Texts are frames by `type`; bytes are audio without its wrapping, but not in strict protocol v1."""
        if isinstance(message, bytes):
            if self._strict:
                return self._bad("Audio frame must be type=audio")
            return [*self._defaulted(), Audio(message)] if message else []
        told = read(message, limit=LARGEST)
        if isinstance(told, Fail):
            return self._bad("Invalid JSON message" if told.code == "invalid_json" else told.message)
        kind = str(told.get("type") or "").lower()
        if kind != "audio" and len(message) > LARGEST_CONTROL:
            return self._bad(f"a message of {len(message)} characters; the limit is {LARGEST_CONTROL}")
        return self._obey(kind, told)

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """As `tldw_frames` writes it."""
        return self._frames.write(event, stamp)

    def _obey(self, kind: str, told: dict[str, Any]) -> list[Command]:
        match kind:
            case "config":
                return self._configure(told)
            case "audio":
                return self._audio(told.get("data"))
            case "control":
                return self._control(told.get("action"))
            case "commit" | "reset" | "stop":
                return [*self._defaulted(), _PLAIN[kind]]
            case "auth":
                token = told.get("token")
                return [Identify(token if isinstance(token, str) else None)]
            case "ping":
                return [Ping()]
            case "pong":
                return []
            case _:
                return self._bad("Audio frame must be type=audio" if self._strict else f"Unknown type {shown(kind)}")

    def _bad(self, message: str) -> list[Command]:
        """A frame that says nothing: the end of a strict session, an error by the way in any other."""
        return [Fail("bad_request" if self._strict else "validation_error", message, fatal=self._strict)]

    def _defaulted(self) -> list[Command]:
        """What goes ahead of everything else of a client that sent no config: the defaults."""
        return self._configure({}) if self._told is None else []

    def _configure(self, told: dict[str, Any]) -> list[Command]:
        self._strict = self._strict or (self._told is None and is_strict(told))
        merged = (self._told or {}) | told
        wrong = violation(merged) if self._strict else None
        if wrong is not None:
            return self._bad(wrong)
        if self._strict:
            merged = {name: value for name, value in merged.items() if name != "channels"} | {"audio_format": "pcm16"}
        config = understand(merged, self._defaults)
        self._told = {**config.told}
        self._frames.configure(config)
        return [Configure(config.options, config.ignored), *([config.problem] if config.problem else [])]

    def _audio(self, data: object) -> list[Command]:
        if not isinstance(data, str):
            return self._bad("Audio frame data must be base64 PCM16" if self._strict else "Missing audio payload")
        text = "".join(data.split())
        try:
            sound = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            return self._bad("Invalid base64 audio frame")
        if self._strict and len(sound) % 2:
            return self._bad("PCM16 audio frame has an odd byte count")
        return [*self._defaulted(), Audio(sound)]

    def _control(self, action: object) -> list[Command]:
        command = _ACTIONS.get(action) if isinstance(action, str) else None
        if command is None:
            return [Fail("invalid_control", f"action must be pause, resume, commit or stop, not {shown(action)}")]
        return [*self._defaulted(), command]
