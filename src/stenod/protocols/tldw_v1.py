"""What strict protocol v1 of the unified endpoint demands beyond the documents, and nothing else.

A client that names a `protocol_version` (but 2) or `pcm16` in its first config is held to it: s16le at 16 kHz, in
base64 inside JSON. A violation ends the session with code `bad_request`; each has its own message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stenod.protocols.wire_json import shown

MODES = ("dictate", "captions")
LENIENT = (None, "float32", "opus", "webm", "ogg")
"""Values of `audio_format` that the strict generation does not know: whoever says them is none of it."""


def is_strict(told: Mapping[str, Any]) -> bool:
    """Whether this config is of the strict generation."""
    version, audio_format = told.get("protocol_version"), told.get("audio_format")
    return version != 2 and (version is not None or audio_format not in LENIENT)


def violation(told: Mapping[str, Any]) -> str | None:
    """The first thing that a strict config says wrongly, or None."""
    if told.get("protocol_version") != 1 or isinstance(told.get("protocol_version"), bool):
        return "protocol_version must be 1"
    mode = told.get("mode", MODES[0])
    if mode not in MODES:
        return f"Mode {shown(mode)[1:-1]} is not allowed for audio.stream.transcribe"
    for name, wanted in (("audio_format", "pcm16"), ("sample_rate", 16_000), ("channels", 1)):
        if told.get(name, wanted) != wanted:
            return f"{name} must be {wanted}"
    return None
