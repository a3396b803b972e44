"""`WS /ws?shape=legacy`: what the program behind the first document really says on its WebSocket.

Binary s16le, 16 kHz mono in; `{"status": "queued"}` for each utterance that ended, then its `{"text": ...}`. No partials,
no fields beside these. Text messages are not understood and change nothing.
"""

from __future__ import annotations

from dataclasses import replace

from stenod.events import Audio, Command, Committed, Configure, Ended, Event, Failed, Final, SpeechStarted, Stamp
from stenod.options import AudioFormat
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.closing import close_code
from stenod.protocols.wire_json import write
from stenod.transcript import Transcript, join


class ParakeetFastAPISocket:
    """One client of the program's shape of `/ws`."""

    patience = Patience()

    def __init__(self, handshake: Handshake) -> None:
        defaults = handshake.defaults
        self._options = replace(
            defaults, format=AudioFormat(), endpointing=replace(defaults.endpointing, mode="auto"), partials=False
        )
        self._spoken = 0  # the newest utterance in which somebody spoke
        self._pieces: list[Transcript] = []

    def open(self) -> list[Command]:
        """Nothing can be asked for."""
        return [Configure(self._options)]

    def receive(self, message: str | bytes) -> list[Command]:
        """Bytes, cut anywhere, are audio."""
        return [Audio(message)] if isinstance(message, bytes) and message else []

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:  # noqa: ARG002 nothing here has a time
        """Each `queued` is followed by one text, in order; what failed says so in place of its text."""
        match event:
            case SpeechStarted(utterance):
                self._spoken = utterance
            case Committed(utterance) if utterance == self._spoken:
                return [write({"status": "queued"})]
            case Final(utterance, transcript=transcript, closes=closes) if utterance <= self._spoken:
                self._pieces.append(transcript)
                if closes is not None:
                    said, self._pieces = join(self._pieces), []
                    return [write({"text": said.text})]
            case Failed(code, message, fatal):
                self._pieces = []
                error = write({"status": "error", "detail": message})
                return [error, Close(close_code(code), message)] if fatal else [error]
            case Ended():
                return [Close(1000)]
            case _:
                pass
        return []
