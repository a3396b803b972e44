"""`WS /v1/audio/stream`: the fifth document's dialect. A JSON configuration, then s16le mono; texts come back.

Every frame but an error has `text`, since clients of this dialect print it of whatever arrives. The configuration may be
left out: audio that comes first is heard with the documented defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stenod.events import Audio, Command, Configure, End, Ended, Event, Fail, Failed, Final, Partial, Stamp
from stenod.options import RATE, AudioFormat, Options
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.closing import close_code
from stenod.protocols.fields import Fields, texts_of
from stenod.protocols.nexa_messages import Config
from stenod.protocols.wire_json import read, shown, write
from stenod.transcript import Transcript, Word

LARGEST_TEXT = 16_384
"""Characters of a text message; the whole documented configuration has under three hundred."""

HOSTED = "NexaAI/parakeet-npu"
"""The documented default, which programs written for that service ask for: the server's own default serves them."""

UNGATED_PIECE = 4.0
"""Seconds from one final to the next where no voice activity detector finds pauses (`vad_enabled` false), at the least."""

FIELDS = frozenset(Config.__annotations__)
"""The documented configuration. Other names are ignored."""

_UNSET = frozenset({"sample_rate", "chunk_duration", "beam_size"})
"""Numbers of which 0 means the default, as the program has it."""


class Nexa:
    """One client of `/v1/audio/stream`."""

    patience = Patience()

    def __init__(self, handshake: Handshake) -> None:
        self._defaults = handshake.defaults
        self._configured = False
        self._timed = False
        self._shown = False  # a partial is on the client's screen, and no final after it

    def open(self) -> list[Command]:
        """Nothing: the client speaks first."""
        return []

    def receive(self, message: str | bytes) -> list[Command]:
        """The configuration, in a text or a binary message; then bytes are audio and text is `{"action": "stop"}`."""
        if not isinstance(message, bytes):
            return self._control(message)
        if self._configured or not message:
            return [Audio(message)] if message else []
        told = read(message, limit=LARGEST_TEXT) if message.startswith(b"{") else {}
        if isinstance(told, dict) and told:
            return [self._configure(told)]
        return [self._configure({}), Audio(message)]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """A partial or a final; an empty final only where it takes a partial back."""
        match event:
            case Partial(transcript=transcript):
                self._shown = True
                return [self._result("partial", transcript, stamp)]
            case Final(transcript=transcript):
                shown, self._shown = self._shown, False
                return [self._result("final", transcript, stamp)] if transcript.text or shown else []
            case Failed(code, message, fatal):
                error = write({"type": "error", "error": message})
                return [error, Close(close_code(code), message)] if fatal else [error]
            case Ended():
                return [Close(1000)]
            case _:
                return []

    def _control(self, message: str) -> list[Command]:
        told = read(message, limit=LARGEST_TEXT)
        if isinstance(told, Fail):
            return [told if self._configured else replace(told, message=_WRONG + told.message, fatal=True)]
        if told.get("action") == "stop":
            return [End()]
        if "action" in told:
            return [Fail("unknown_action", f"action must be stop, not {shown(told['action'])}")]
        if self._configured:
            return [Fail("late_configuration", "the configuration comes once, before the audio")]
        return [self._configure(told)]

    def _configure(self, told: Mapping[str, Any]) -> Command:
        self._configured = True
        values = {name: value for name, value in told.items() if value != 0 or name not in _UNSET}
        fields = Fields(texts_of(values))
        self._timed = fields.flag("enable_word_timestamps", default=False)
        options = _options(fields, self._defaults)
        if fields.problem is not None:
            return replace(fields.problem, message=_WRONG + fields.problem.message)
        return Configure(options, ignored=tuple(sorted(told.keys() - FIELDS)))

    def _result(self, kind: str, transcript: Transcript, stamp: Stamp) -> str:
        frame: dict[str, Any] = {"type": kind, "text": transcript.text}
        if transcript.confidence is not None:
            frame["confidence"] = round(transcript.confidence, 4)
        frame |= {"timestamp": round(stamp.now * 1000), "is_final": kind == "final"}
        if self._timed:
            frame["words"] = [_word(word) for word in transcript.words]
        return write(frame)


_WRONG = "Invalid configuration format: "


def _word(word: Word) -> dict[str, Any]:
    timed = {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
    return timed if word.confidence is None else timed | {"confidence": round(word.confidence, 4)}


def _options(fields: Fields, defaults: Options) -> Options:
    gated = fields.flag("vad_enabled", default=True)
    chunk = fields.number("chunk_duration", 0.5, 0.1, 30.0)
    model = fields.text("model") or HOSTED
    return replace(
        defaults,
        format=AudioFormat(rate=fields.whole("sample_rate", RATE, 8_000, 48_000)),
        endpointing=replace(defaults.endpointing, mode="auto" if gated else "manual"),
        decode=replace(
            defaults.decode,
            model=defaults.decode.model if model == HOSTED else model,
            language=fields.language("language", defaults.decode.language or "en-US"),
            beam_size=fields.whole("beam_size", 5, 1, 100),
        ),
        partials=fields.flag("enable_partial_results", default=True),
        partial_interval=chunk,
        piece=None if gated else max(UNGATED_PIECE, chunk),
        context=max(defaults.context, fields.number("overlap_duration", 0.0, 0.0, 30.0)),
    )
