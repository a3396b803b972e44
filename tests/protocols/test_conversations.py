"""Golden conversations of every dialect: what a client sends, what it means, what the session says, what the client gets.

One JSON object a line. The first is the handshake: `{"protocol", "query"?, "format"?}`. Then, in order:

* `{"in": text}` or `{"audio": hex}`: a message; `{"in": null}` is the opening of the connection. With `"loose": true` beside
  it the message is not as the dialect declares it, and is understood all the same.
* `{"command": "Commit(channel=None)"}`: what the message means, as its repr; `{"configure": {"format.rate": 8000}}`: a
  Configure with these values in its options. Every command of a message must be listed.
* `{"event": [name, {fields}]}`: what the session says, with `"channel"` beside it where it is not the first; words are
  `[text, start, end, confidence, speaker]`, and what a `Configured` says of its options is named as in `configure`.
* `{"out": object or text}`, `{"close": [code, status]}`: what the client gets. Everything it gets must be listed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stenod import events
from stenod.events import Account, Audio, Configure, Event, Stamp
from stenod.options import AudioFormat, Encoding, Options
from stenod.protocols.base import Close, Handshake, WireProtocol
from stenod.protocols.core_parakeet import CoreParakeet
from stenod.protocols.nexa import Nexa
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.protocols.parakeet_fastapi import ParakeetFastAPI
from stenod.protocols.parakeet_fastapi_ws import ParakeetFastAPISocket
from stenod.protocols.pcm import Pcm
from stenod.protocols.stt_service import SttService
from stenod.protocols.tldw import Tldw
from stenod.transcript import Transcript, Word, of_words

PROTOCOLS: Mapping[str, Callable[[Handshake], WireProtocol]] = {
    "pcm": Pcm,
    "legacy": ParakeetFastAPISocket,
    "core": CoreParakeet,
    "nexa": Nexa,
    "openai": OpenAITranscription,
    "parakeet": ParakeetFastAPI,
    "stt": SttService,
    "tldw": Tldw,
}

SLICINGS: Mapping[str, Callable[[bytes], Iterator[bytes]]] = {
    "whole": lambda data: iter([data]),
    "byte by byte": lambda data: (data[at : at + 1] for at in range(len(data))),
    "unevenly": lambda data: (data[max(0, at - 3) : at] for at in range(len(data) % 3 or 3, len(data) + 3, 3)),
}

CONVERSATIONS = sorted((Path(__file__).parent / "conversations").glob("*.jsonl"))


@pytest.mark.parametrize("slicing", SLICINGS)
@pytest.mark.parametrize("path", CONVERSATIONS, ids=lambda path: path.stem)
def test_conversation(path: Path, slicing: str) -> None:
    assert replay(path, slicing) >= 1


def test_every_dialect_has_a_conversation() -> None:
    assert {path.stem.partition("_")[0] for path in CONVERSATIONS} == set(PROTOCOLS)


def replay(path: Path, slicing: str) -> int:
    """Check one conversation; answers how many lines were checked."""
    first, *steps = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    audio_format = AudioFormat(encoding=Encoding(first.get("encoding", "s16le")), rate=first.get("rate", 16_000))
    handshake = Handshake("req_1", first.get("query", {}), defaults=Options(format=audio_format))
    protocol = PROTOCOLS[first["protocol"]](handshake)
    pending: list[Any] = []
    for number, step in enumerate(steps, start=2):
        if step.keys() & {"in", "audio", "event"}:
            assert not pending, f"line {number}: not yet said: {pending}"
            pending = _act(protocol, step, slicing)
            continue
        assert pending, f"line {number}: nothing more was said"
        _compare(pending.pop(0), step, f"{path.name} line {number}")
    assert not pending, f"at the end: {pending}"
    return len(steps)


def _act(protocol: WireProtocol, step: dict[str, Any], slicing: str) -> list[Any]:
    if "event" in step:
        name, fields = step["event"]
        stamp = Stamp(1, 1_700_000_000.0, channel=step.get("channel", 0))
        return list(protocol.send(_event(name, fields), stamp))
    if "audio" in step:
        commands = [c for part in SLICINGS[slicing](bytes.fromhex(step["audio"])) for c in protocol.receive(part)]
        assert all(isinstance(command, Audio) for command in commands)
        return [Audio(b"".join(command.data for command in commands if isinstance(command, Audio)))]
    return list(protocol.open() if step["in"] is None else protocol.receive(step["in"]))


def _compare(said: Any, step: dict[str, Any], where: str) -> None:
    match step:
        case {"out": expected}:
            assert isinstance(said, str), where
            assert (said if isinstance(expected, str) else json.loads(said)) == expected, where
        case {"close": [code, status]}:
            assert isinstance(said, Close), where
            assert (said.code, said.status) == (code, status), where
        case {"command": expected}:
            assert repr(said) == expected, where
        case {"configure": expected}:
            assert isinstance(said, Configure), where
            assert {name: _dotted(said.options, name) for name in expected} == expected, where
        case _:
            raise ValueError(f"{where}: {step}")


def _dotted(value: Any, name: str) -> Any:
    for part in name.split("."):
        value = getattr(value, part)
    return list(value) if isinstance(value, tuple) else value


def _changed(value: Any, changes: Mapping[str, Any]) -> Any:
    """The options `value` with these in it, by dotted name."""
    for name, change in changes.items():
        first, _, rest = name.partition(".")
        value = replace(value, **{first: _changed(getattr(value, first), {rest: change}) if rest else change})
    return value


def _event(name: str, fields: dict[str, Any]) -> Event:
    made = dict(fields)
    if "words" in made:
        made["transcript"] = of_words([Word(*word) for word in made.pop("words")], language=made.pop("language", None))
    if "text" in made and name in {"Partial", "Final"}:
        made["transcript"] = Transcript(made.pop("text"))
    if name == "Configured":
        made = {"ignored": tuple(made.pop("ignored", ())), "options": _changed(Options(), made)}
    if "account" in made:
        made["account"] = Account(**made["account"])
    if name == "Final":
        made = {"part": 1, "closes": "silence", "agrees": 0, "took": 0.1, "account": Account()} | made
    event: Event = getattr(events, name)(**made)
    return event
