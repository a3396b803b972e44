"""`POST /transcribe`: the first document's file upload, and its errors, which are FastAPI's.

`should_chunk=false` leaves the file whole: it is not split on silence, only where it is longer than the longest utterance.
"""

from __future__ import annotations

from dataclasses import replace

from stenod.events import Ended, Event, Failed, Final, Stamp
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.fields import Fields
from stenod.protocols.files import FileDialect, timestamps
from stenod.protocols.wire_json import write

STATUS = {
    "bad_audio": 415,
    "too_large": 413,
    "missing_field": 422,
    "invalid_value": 422,
    "model_not_found": 404,
    "overloaded": 503,
    "shutting_down": 503,
    "unavailable": 503,
    "engine_failed": 500,
    "internal_error": 500,
}
"""HTTP status by error code; any other is 400."""


class ParakeetFastAPI(FileDialect):
    """One upload."""

    patience = Patience()
    media_type = "application/json"

    def __init__(self, handshake: Handshake) -> None:
        fields = Fields(handshake.query)
        self._timed = fields.flag("include_timestamps", default=False)
        chunked = fields.flag("should_chunk", default=True)
        defaults = handshake.defaults
        turns = defaults.endpointing if chunked else replace(defaults.endpointing, mode="manual")
        super().__init__(replace(defaults, endpointing=turns, live=False, partials=False), fields.problem)

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:  # noqa: ARG002 a file has one channel and no clock
        """Nothing until everything is said; an utterance that failed fails the file, since its text has a hole."""
        match event:
            case Final():
                self._gathered.add(event)
            case Failed(code, message, fatal, utterance=utterance) if fatal or utterance is not None:
                return [write({"detail": message}), Close(1011, message, status=STATUS.get(code, 400))]
            case Ended():
                stamps = timestamps(self._gathered) if self._timed else None
                body = {"text": self._gathered.transcript.text, "timestamps": stamps}
                return [write(body), Close(1000, status=200)]
            case _:
                pass
        return []
