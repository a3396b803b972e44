"""`WS /ws`: binary audio in, JSON texts out. stenod's own dialect, and the first document's.

Everything a client may say beside audio is in the query of the URL or one of four control messages. Nothing is sent
unasked but partials, finals and errors: clients of the first document print `text` of whatever arrives.
"""

from __future__ import annotations

from dataclasses import replace

from stenod.events import (
    Audio,
    Clear,
    Cleared,
    Command,
    Commit,
    Configure,
    End,
    Ended,
    Event,
    Fail,
    Failed,
    Final,
    Partial,
    Ping,
    Ponged,
    Revised,
    Stamp,
)
from stenod.options import MIN_SILENCE_FLOOR, AudioFormat, Encoding, Options
from stenod.protocols import pcm_messages as say
from stenod.protocols.base import Close, Handshake, Outgoing, Patience
from stenod.protocols.closing import close_code
from stenod.protocols.fields import Fields
from stenod.protocols.wire_json import read, shown, write
from stenod.transcript import Transcript

TASKS = ("transcribe", "translate")

LARGEST_TEXT = 16_384
"""Characters of a control message; the longest sensible one has under a hundred."""


class Pcm:
    """One client of `/ws`."""

    def __init__(self, handshake: Handshake) -> None:
        self.patience = Patience(resume=handshake.query.get("shape") == "stenod")
        fields = Fields(handshake.query)
        self._options = _options(fields, handshake.defaults)
        self._problem = fields.problem
        self._channels = self._options.format.channels if self._options.format.split else 1
        self._ended = 0

    def open(self) -> list[Command]:
        """The query says how to work; one bad value in it and there is no session."""
        return [self._problem or Configure(self._options)]

    def receive(self, message: str | bytes) -> list[Command]:
        """Bytes are audio; text is `{"type": "commit" | "reset" | "end" | "ping"}`."""
        if isinstance(message, bytes):
            return [Audio(message)] if message else []
        told = read(message, limit=LARGEST_TEXT)
        if isinstance(told, Fail):
            return [told]
        match told.get("type"):
            case "commit":
                return [Commit()]
            case "reset":
                return [Clear()]
            case "end":
                return [End()]
            case "ping":
                text = told.get("text")
                return [Ping(text if isinstance(text, str) else None)]
            case other:
                return [Fail("unknown_type", f"type must be commit, reset, end or ping, not {shown(other)}")]

    def send(self, event: Event, stamp: Stamp) -> list[Outgoing]:
        """One JSON object for each event that a client sees."""
        match event:
            case Partial():
                return [self._write(_partial(event), stamp)]
            case Final():
                return [self._write(_final(event), stamp)]
            case Revised(utterance, transcript):
                better = say.Revised(
                    type="revised", utterance=utterance, text=transcript.text, words=_words(transcript)
                )
                return [self._write(better, stamp)]
            case Failed(utterance=None) if stamp.channel > 0:
                return []  # of the connection: told once, for the first channel
            case Failed(code, message, fatal):
                error = self._write(say.Error(type="error", code=code, message=message), stamp)
                return [error, Close(close_code(code), message)] if fatal else [error]
            case Cleared():
                return [self._write(say.WasReset(type="reset"), stamp)]
            case Ponged(told):
                return [write(say.Pong(type="pong") if told is None else say.Pong(type="pong", text=told))]
            case Ended(seconds, account):
                self._ended += 1
                sums = say.Account(received=account.received, final=account.final, dropped=dict(account.dropped))
                ended = self._write(say.Ended(type="ended", seconds=round(seconds, 3), account=sums), stamp)
                return [ended] if self._ended < self._channels else [ended, Close(1000)]
            case _:
                return []

    def _write(self, frame: say.Frame, stamp: Stamp) -> str:
        if self._channels > 1:
            frame["channel"] = stamp.channel
        return write(frame)


def _partial(event: Partial) -> say.Partial:
    return say.Partial(
        type="partial",
        utterance=event.utterance,
        text=event.transcript.text,
        stable_text=event.transcript.text[: event.stable],
        start=round(event.start, 3),
        end=round(event.end, 3),
        is_final=False,
        words=_words(event.transcript),
    )


def _final(event: Final) -> say.Final:
    return say.Final(
        type="final",
        utterance=event.utterance,
        text=event.transcript.text,
        stable_text=event.transcript.text,
        start=round(event.start, 3),
        end=round(event.end, 3),
        is_final=True,
        words=_words(event.transcript),
        cause=event.closes,
    )


def _words(transcript: Transcript) -> list[say.Word]:
    return [
        say.Word(
            word=word.text,
            start=round(word.start, 3),
            end=round(word.end, 3),
            confidence=None if word.confidence is None else round(word.confidence, 4),
        )
        for word in transcript.words
    ]


def _options(fields: Fields, defaults: Options) -> Options:
    turns, decode = defaults.endpointing, defaults.decode
    second = fields.text("revise")
    target = fields.language("target_language", decode.target_language)
    task = fields.choice("task", "translate" if fields.text("target_language") else decode.task, TASKS)
    asked = replace(
        decode,
        model=fields.text("model") or decode.model,
        language=fields.language("language", decode.language),
        task="translate" if task == "translate" else "transcribe",
        target_language=target,
        punctuation=fields.flag("punctuation", default=decode.punctuation),
        beam_size=fields.whole("beam_size", decode.beam_size or 0, 1, 100) or None,
        prompt=fields.text("prompt") or decode.prompt,
        hotwords=fields.items("hotwords") or decode.hotwords,
    )
    threshold = fields.number("threshold", turns.threshold, 0.05, 0.95)
    return replace(
        defaults,
        format=AudioFormat(
            encoding=Encoding(fields.choice("encoding", Encoding.S16LE, list(Encoding))),
            rate=fields.whole("sample_rate", 16_000, 8_000, 48_000),
            channels=fields.whole("channels", 1, 1, 8),
            split=fields.flag("split", default=False),
        ),
        endpointing=replace(
            turns,
            mode="manual" if fields.choice("endpointing", turns.mode, ("auto", "manual")) == "manual" else "auto",
            threshold=threshold,
            hysteresis=min(turns.hysteresis, 0.3 * threshold),  # speech must be able to end at all
            min_speech=fields.number("min_speech", turns.min_speech, 0.0, 5.0),
            min_silence=fields.number("min_silence", turns.min_silence, MIN_SILENCE_FLOOR, 30.0),
            padding=fields.number("padding", turns.padding, 0.0, 5.0),
            turn_threshold=fields.number("turn_threshold", turns.turn_threshold or 0.0, 0.0, 1.0) or None,
        ),
        decode=asked,
        revision=replace(asked, model=second) if second else None,
        partials=fields.flag("partials", default=defaults.partials),
        partial_interval=fields.number("partial_interval", defaults.partial_interval, 0.1, 60.0),
        max_utterance=fields.number("max_utterance", defaults.max_utterance, 1.0, 600.0),
    )
