"""What the dialects declare is what they say and hear: all golden conversations are held against the schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stenod.protocols.base import Handshake
from stenod.protocols.fields import Fields
from stenod.protocols.pcm import Pcm
from stenod.server.protocols import DOORS, Door, document

CONVERSATIONS = Path(__file__).parent / "conversations"
NAMES = {"ws": "pcm", "ws-legacy": "legacy"}
"""Conversations are named for the dialect, which is not always what the door is called."""


def validator(door: Door, side: str) -> Draft202012Validator:
    """Accepts exactly the messages that the door declares on one side."""
    names = [name for name in document()["channels"][door.name]["messages"] if name.startswith(f"{door.name}.{side}.")]
    payloads = [{"$ref": f"#/components/schemas/{name}"} for name in names if not name.endswith(".Audio")]
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
    """Every text of the client that nobody objected to, and that was not ignored altogether."""
    texts = [
        (where, line["in"])
        for where, line, answers in steps(door)
        if isinstance(line.get("in"), str)
        and answers
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


def ranges(door: Door, schema: str) -> dict[str, tuple[float, float]]:
    """What the schema says of the ranges of numbers."""
    fields = document()["components"]["schemas"][f"{door.name}.{schema}"]["properties"]
    return {name: (field["minimum"], field["maximum"]) for name, field in fields.items() if "minimum" in field}


class Asked(dict[str, str]):
    """A query that remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name.removesuffix("[]"))
        return super().get(name, default)


def test_the_query_is_what_is_read_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [door] = [door for door in DOORS if door.name == "ws"]
    asked, read = Asked(), {}
    number = Fields.number

    def noted(self: Fields, name: str, default: float, low: float, high: float) -> float:
        read[name] = (low, high)
        return number(self, name, default, low, high)

    monkeypatch.setattr(Fields, "number", noted)
    Pcm(Handshake("1", asked))
    properties = document()["components"]["schemas"]["ws.query.Query"]["properties"]
    assert asked.names == set(properties)
    assert read == ranges(door, "query.Query")
