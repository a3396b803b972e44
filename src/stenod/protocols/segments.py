"""Segments as the second and third document count them: the arithmetic of partial and final frames, and the whole text.

Pure bookkeeping for the dialects that speak of segments: what a frame says of its place in the audio, and what a
`full_transcript` repeats. No message is read or closed here. Times are seconds; within, of the session; in frames, since the
connection or its last reset, in milliseconds' precision, so that sums of what a client reads come out even.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from stenod.events import Detail, Final, Partial, Stamp
from stenod.transcript import Transcript


@dataclass(slots=True)
class Segments:
    """The segments of one connection. They tile its audio: each begins where the one before it ended.

    An empty flush makes no segment; its audio then belongs to the next one.
    """

    overlap: float = 0.5
    """Seconds before a segment that are reported as its context, where the utterance reaches so far back."""
    number: int = 0
    """How many were given since the last reset."""
    _placed: bool = False
    """Whether it is known where the audio begins: not at 0 where the session goes on another's time line."""
    _origin: float = 0.0
    _upto: float = 0.0
    """Where the last one ended."""
    _begun: float = 0.0
    """Where the utterance that goes on began: decoding remembers nothing from before."""
    _said: dict[int, str] = field(default_factory=dict)
    """The text of each utterance."""
    _spans: list[tuple[float, float]] = field(default_factory=list)
    """Where each segment lies in the session."""

    @property
    def text(self) -> str:
        """Everything said since the last reset."""
        return " ".join(text for text in self._said.values() if text)

    def partial(self, event: Partial, stamp: Stamp) -> dict[str, Any]:
        """The frame of what is being said after the last segment; it belongs to the segment that comes next."""
        start, end = self._span(event)
        return _head("partial", event.transcript, stamp) | {
            "segment_id": self.number + 1,
            "segment_start": start,
            "segment_end": end,
            "buffer_duration": _round(end - start),
            "cumulative_audio": start,
        }

    def final(self, event: Final, stamp: Stamp) -> dict[str, Any] | None:
        """The frame of the next segment; None for a flush that had nothing to say."""
        frame = None
        start, end = self._span(event)
        if event.transcript.text or event.closes is None:
            overlap = _round(max(0.0, min(self.overlap, self._upto - self._begun)))
            frame = _head("final", event.transcript, stamp) | {
                "segment_id": self.number + 1,
                "segment_start": start,
                "segment_end": end,
                "chunk_duration": _round(end - start + overlap),
                "overlap": overlap,
                "chunk_start": _round(start - overlap),
                "chunk_end": end,
                "new_audio_duration": _round(end - start),
                "cumulative_audio": end,
            }
            self.number += 1
            self._spans.append((self._upto, event.end))
            self._upto = event.end
            self._note(event.utterance, event.transcript)
        if event.closes is not None:
            self._begun = event.end
        return frame

    def revise(self, utterance: int, text: str) -> None:
        """Better text for an utterance that was given."""
        if utterance in self._said:
            self._said[utterance] = text

    def reset(self, at: float) -> None:
        """Forget everything; segments count anew from the second `at` of the session."""
        self._origin = self._upto = self._begun = at
        self._placed = True
        self.number = 0
        self._said.clear()
        self._spans.clear()

    def at(self, moment: float) -> int | None:
        """Which segment holds the second `moment` of the session."""
        number = bisect_right(self._spans, moment, key=lambda span: span[0])
        return number if number and moment < self._spans[number - 1][1] else None

    def _span(self, event: Partial | Final) -> tuple[float, float]:
        """Where the next segment begins, and ends when it reaches as far as `event`."""
        if not self._placed:
            self._upto = self._begun = event.start
            self._placed = True
        return _round(self._upto - self._origin), _round(max(event.end, self._upto) - self._origin)

    def _note(self, utterance: int, transcript: Transcript) -> None:
        before = self._said.get(utterance, "")
        glued = not before or (bool(transcript.words) and transcript.words[0].glued)
        self._said[utterance] = f"{before}{'' if glued or not transcript.text else ' '}{transcript.text}"


@dataclass(slots=True)
class Speakers:
    """Who spoke in which segment, for `diarization_summary`; speakers count from 0 in the order in which they are heard."""

    _ids: dict[str, int] = field(default_factory=dict)
    _seconds: dict[int, dict[str, float]] = field(default_factory=dict)
    """By segment, how long each spoke."""

    def hear(self, transcript: Transcript, segments: Segments) -> None:
        """An utterance again, with speakers on its words."""
        for word in transcript.words:
            segment = segments.at(word.middle)
            if word.speaker is None or segment is None:
                continue
            self._ids.setdefault(word.speaker, len(self._ids))
            spoken = self._seconds.setdefault(segment, {})
            spoken[word.speaker] = spoken.get(word.speaker, 0.0) + word.end - word.start

    def summary(self, known: Iterable[Detail] = ()) -> dict[str, Any]:
        """The frame, each label under both the names it goes by; `known` says more of single speakers."""
        more = {detail.get("label", detail.get("speaker_label")): detail for detail in known}
        most = {
            number: max(spoken, key=lambda label: spoken[label]) for number, spoken in sorted(self._seconds.items())
        }
        return {
            "type": "diarization_summary",
            "speaker_map": [
                {"segment_id": number, "speaker_id": self._ids[label], "speaker_label": label}
                for number, label in most.items()
            ],
            "audio_path": None,
            "speakers": [
                dict(more.get(label, {})) | {"speaker_id": number, "label": label, "speaker_label": label}
                for label, number in self._ids.items()
            ],
        }


def full_transcript(text: str, stamp: Stamp) -> dict[str, Any]:
    """The frame that answers a commit."""
    return {"type": "full_transcript", "text": text, "timestamp": stamp.now}


def _head(kind: str, transcript: Transcript, stamp: Stamp) -> dict[str, Any]:
    return {"type": kind, "text": transcript.text, "timestamp": stamp.now, "is_final": kind == "final"}


def _round(seconds: float) -> float:
    return round(seconds, 3)
