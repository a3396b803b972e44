"""The generated parts of docs/protocols: every message from the types that declare it, and a conversation from the tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stenod.server.protocols import DOORS, document

CONVERSATIONS = Path(__file__).resolve().parent.parent / "tests" / "protocols" / "conversations"

KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def conversation(name: str) -> None:
    """Print one golden conversation as its client sees it."""
    first, *steps = [json.loads(line) for line in (CONVERSATIONS / f"{name}.jsonl").read_text().splitlines() if line]
    query = "&".join(f"{field}={value}" for field, value in first.get("query", {}).items())
    print("\n```text")
    if query:
        print(f"→ {query}")
    for step in steps:
        match step:
            case {"in": str(text)}:
                print(f"→ {text}")
            case {"audio": str(audio)}:
                print(f"→ {len(audio) // 2} bytes of audio")
            case {"out": str(text)}:
                print(f"← {text.rstrip()}")
            case {"out": frame}:
                print(f"← {json.dumps(frame)}")
            case {"close": [code, status]}:
                print(f"← closes: {code}" if status is None else f"← status {status}")
            case _:
                pass
    print("```\n")


def messages(name: str) -> None:
    """Print what goes over one door: the query, what the client sends, what the server sends."""
    [door] = [door for door in DOORS if door.name == name]
    print("\nMade of the types in the code; the same as JSON Schema is at `GET /protocols`.")
    for side, title in (("query", "In the query"), ("client", "From the client"), ("server", "From the server")):
        kinds = (
            ([door.messages.query] if door.messages.query else []) if side == "query" else getattr(door.messages, side)
        )
        binary = door.messages.audio if side == "client" else None
        if not kinds and binary is None:
            continue
        print(f"\n### {title}\n\n| | |\n|---|---|")
        if binary is not None:
            print(f"| **binary** | {binary} |")
        told: set[str] = set()
        for kind in kinds:
            for row in _rows(f"{name}.{side}.{kind.__name__}", told):
                print(row)
    print()


def _rows(schema: str, told: set[str]) -> Iterator[str]:
    """A heading for the message, a row for each of its fields, and then the parts that were not yet told."""
    if schema in told:
        return
    told.add(schema)
    shape = _schema(schema)
    heading = schema.rpartition(".")[2]
    fixed = {name: field["const"] for name, field in _fields(shape) if "const" in field}
    yield f"| **{f'`{json.dumps(fixed)}`' if fixed else heading}** | {_line(shape.get('description', ''))} |"
    required = shape.get("required", [])
    for name, field in _fields(shape):
        if name not in fixed:
            optional = "" if name in required or not required else ", if any"
            yield f"| `{name}`: {_kind(field)}{optional} | {_line(field.get('description', ''))} |"
    for _, field in _fields(shape):
        for part in _parts(field):
            yield from _rows(part, told)


def _fields(shape: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Without those that every resumable session adds."""
    return [
        (name, field)
        for name, field in shape.get("properties", {}).items()
        if not field.get("description", "").startswith("Of resumable sessions")
    ]


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


def _parts(field: dict[str, Any]) -> Iterator[str]:
    """The objects that a field holds."""
    for inner in (field, field.get("items", {}), *field.get("anyOf", [])):
        name = inner.get("$ref", "").rpartition("/")[2]
        if name and "properties" in _schema(name):
            yield name


def _kind(field: dict[str, Any]) -> str:
    """The type of a field, in words."""
    match field:
        case {"$ref": reference}:
            shape = _schema(reference.rpartition("/")[2])
            return _kind(shape) if "enum" in shape else reference.rpartition(".")[2]
        case {"anyOf": kinds}:
            return " or ".join(_kind(kind) for kind in kinds)
        case {"const": value}:
            return f"`{json.dumps(value)}`"
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_kind(items)}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"{_kind(values)} by name"
        case {"minimum": low, "maximum": high, "type": kind}:
            return f"{KINDS[kind]}, {low:g} to {high:g}" if high < 1e6 else KINDS[kind]
        case {"type": kind}:
            return KINDS.get(str(kind), str(kind))
        case _:
            return "anything"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
