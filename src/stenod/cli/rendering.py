"""A transcription as a document: what the file door answers over HTTP, made by that door's own renderer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stenod.events import Account, Ended, Final, Stamp
from stenod.options import Options
from stenod.protocols.base import Handshake
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.refine.words import Spoken, segments


class Format(StrEnum):
    """How a transcription is written."""

    TEXT = "text"
    JSON = "json"
    VERBOSE_JSON = "verbose_json"
    SRT = "srt"
    VTT = "vtt"

    @property
    def suffix(self) -> str:
        """Of a file in this format."""
        return {"text": ".txt", "verbose_json": ".json"}.get(self, f".{self}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of the document."""

    format: Format = Format.TEXT
    timestamps: bool = False
    """Text: a line for each sentence with its times; JSON: `timestamps` (json) or `words` (verbose_json) as well."""


def render(heard: Sequence[Spoken], *, seconds: float, language: str | None, wish: Wish) -> str:
    """The document for `heard`, the finals of a file of `seconds` seconds; it ends with a newline."""
    if wish.format is Format.TEXT and wish.timestamps:
        return "".join(f"{line}\n" for line in stamped(heard))
    form = {"response_format": str(wish.format)}
    if language:
        form["language"] = language
    if wish.timestamps and wish.format is Format.JSON:
        form["include_timestamps"] = "true"
    if wish.timestamps and wish.format is Format.VERBOSE_JSON:
        form["timestamp_granularities"] = "segment,word"
    renderer = OpenAITranscription(Handshake(id="file", query=form, defaults=Options()))
    stamp = Stamp(seq=1, now=0.0)
    for number, one in enumerate(heard, start=1):
        renderer.send(_final(number, one), stamp)
    body = str(renderer.send(Ended(seconds, Account()), stamp)[0])
    return body if body.endswith("\n") else body + "\n"


def stamped(heard: Sequence[Spoken]) -> list[str]:
    """A line for each sentence, with its times."""
    return [f"[{_clock(one.start)} - {_clock(one.end)}] {one.transcript.text}" for one in segments(heard)]


def _final(number: int, one: Spoken) -> Final:
    return Final(number, 1, one.transcript, one.start, one.end, "silence", 0, 0.0, Account())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 100), 6000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest / 100:05.2f}"
