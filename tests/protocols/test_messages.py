"""What the dialects declare is what they say and hear: all golden conversations are held against the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stenod.options import Options
from stenod.protocols import stt_service_config, tldw_config
from stenod.protocols.base import Handshake
from stenod.protocols.fields import Fields
from stenod.protocols.nexa import Nexa
from stenod.protocols.pcm import Pcm
from stenod.server.app import OPEN_SOCKETS, SOCKETS
from stenod.server.protocols import DOORS, Door, document

CONVERSATIONS = Path(__file__).parent / "conversations"
NAMES = {"ws": "pcm", "ws-legacy": "legacy"}
"""Conversations are named for the dialect, which is not always what the door is called."""


def validator(door: Door, side: str) -> Draft202012Validator:
    """Accepts exactly the messages that the door declares on one side."""
    names = [name for name in document()["channels"][door.name]["messages"] if name.startswith(f"{door.name}.{side}.")]
    payloads = [{"$ref": f"#/components/schemas/{name}"} for name in names if not name.endswith(".Binary")]
    return Draft202012Validator({"anyOf": payloads} | {"components": document()["components"]})


def steps(door: Door) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Each line of the door's conversations: where it is, what it holds, and the lines that answer it."""
    for path in sorted(CONVERSATIONS.glob(f"{NAMES.get(door.name, door.name)}_*.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        for number, line in enumerate(lines[1:], start=2):
            answers = []
            for answer in lines[number:]:
                if answer.keys() & {"in", "audio", "event"}:
                    break
                answers.append(answer)
            yield f"{path.name} line {number}", line, answers


def said(door: Door) -> list[tuple[str, Any]]:
    """Everything that the server says."""
    return [(where, line["out"]) for where, line, _ in steps(door) if "out" in line]


def understood(door: Door) -> list[tuple[str, Any]]:
    """Every text of the client that nobody objected to."""
    texts = [
        (where, line["in"])
        for where, line, answers in steps(door)
        if isinstance(line.get("in"), str)
        and door.messages.client
        and not any(str(answer.get("command", "")).startswith("Fail") for answer in answers)
        and not line.get("loose")
    ]
    return [(where, json.loads(text)) for where, text in texts]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_the_server_says_what_is_declared(door: Door) -> None:
    schema = validator(door, "server")
    for where, message in said(door):
        assert schema.is_valid(message), f"{where}: {message}"
    assert said(door)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_what_is_understood_is_declared(door: Door) -> None:
    schema = validator(door, "client")
    for where, message in understood(door):
        assert schema.is_valid(message), f"{where}: {message}"
    assert understood(door) or not door.messages.client


@pytest.mark.parametrize(
    ("door", "side", "kind"),
    [(door, side, kind) for door in DOORS for side in ("client", "server") for kind in getattr(door.messages, side)],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", value)),
)
def test_every_message_is_in_a_conversation(door: Door, side: str, kind: type) -> None:
    schema = {
        "$ref": f"#/components/schemas/{door.name}.{side}.{kind.__name__}",
        "components": document()["components"],
    }
    messages = [message for _, message in (said if side == "server" else understood)(door)]
    assert any(Draft202012Validator(schema).is_valid(message) for message in messages)


def test_every_door_is_described() -> None:
    assert {door.path for door in DOORS} == {path for path, _ in (*SOCKETS, *OPEN_SOCKETS)}


def test_the_document_is_whole() -> None:
    """Every reference leads somewhere, every schema is one, and no field is without a type."""
    text = json.dumps(document())
    assert document()["asyncapi"] == "3.0.0"
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        found = document()
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_schemas_refuse_what_is_wrong() -> None:
    """They would notice a missing field, another type, a field too many, and a range that is left."""
    [door] = [door for door in DOORS if door.name == "ws"]
    server, client = validator(door, "server"), validator(door, "client")
    assert server.is_valid({"type": "pong", "text": "a"})
    assert not server.is_valid({"type": "pong", "text": 1})
    assert not server.is_valid({"type": "pong", "more": 1})
    assert not server.is_valid({"type": "error", "code": "a"})
    assert client.is_valid({"type": "commit", "unknown": 1})
    assert not client.is_valid({"type": "dance"})


class Asked(dict[str, Any]):
    """Fields that remember which of them were asked for."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(fields)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name.removesuffix("[]"))
        return super().get(name, default)


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, float]]:
    """The ranges in which numbers were read, by name."""
    read: dict[str, tuple[float, float]] = {}
    number = Fields.number

    def noted(self: Fields, name: str, default: float, low: float, high: float) -> float:
        read[name] = (low, high)
        return number(self, name, default, low, high)

    monkeypatch.setattr(Fields, "number", noted)
    return read


def declared(schema: str) -> dict[str, Any]:
    """The fields that a schema has."""
    fields: dict[str, Any] = document()["components"]["schemas"][schema]["properties"]
    return fields


def within(fields: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (field["minimum"], field["maximum"]) for name, field in fields.items() if "minimum" in field}


def test_the_query_is_what_is_read_of_it(ranges: dict[str, tuple[float, float]]) -> None:
    asked = Asked()
    Pcm(Handshake("1", asked))
    assert asked.names == set(declared("ws.query.Query"))
    assert ranges == within(declared("ws.query.Query"))


def test_the_fifth_documents_configuration_is_what_is_read_of_it(ranges: dict[str, tuple[float, float]]) -> None:
    Nexa(Handshake("1")).receive("{}")
    assert ranges == within(declared("nexa.client.Config"))


def test_the_fourth_documents_configuration_is_what_is_read_of_it(ranges: dict[str, tuple[float, float]]) -> None:
    asked = Asked()
    stt_service_config.Config.of(Fields(asked), None)
    assert asked.names == set(declared("stt.client.SessionConfig")) == set(declared("stt.server.ConfigInForce"))
    assert ranges == within(declared("stt.client.SessionConfig"))
    talk = Asked()
    stt_service_config.Context().heed(Fields(talk))
    assert talk.names | {"language_context"} == set(declared("stt.client.Talk"))


def test_the_unified_configuration_is_what_is_read_of_it() -> None:
    assert set(declared("core.client.Config")["audio_format"]["enum"]) == set(tldw_config.FORMATS)
    asked = Asked(enable_vad=True)
    tldw_config.understand(asked, Options())
    framing = {"type", "protocol_version", "mode", "channels"}
    assert asked.names - framing == set(declared("core.client.Config")) - {"type"}
    assert asked.names - framing == set(declared("tldw.client.Config")) - framing
