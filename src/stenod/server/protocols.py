"""`GET /protocols`: an AsyncAPI 3.0 document of every WebSocket door, made of the types that the dialects declare.

The spec: https://www.asyncapi.com/docs/reference/specification/v3.0.0. Payloads are JSON Schema (draft 2020-12).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, TypeAlias

from fastapi import APIRouter
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import TypedDict

from stenod.protocols import (
    core_parakeet_messages,
    nexa_messages,
    parakeet_fastapi_ws_messages,
    pcm_messages,
    stt_service_messages,
    tldw_messages,
)
from stenod.protocols.messages import Messages

router = APIRouter(tags=["about the server"])

Schema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Door:
    """A dialect and where it is spoken."""

    name: str
    path: str
    title: str
    messages: Messages


DOORS = (
    Door("ws", "/ws", "stenod's own dialect", pcm_messages.MESSAGES),
    Door("ws-legacy", "/ws", "parakeet-fastapi's program", parakeet_fastapi_ws_messages.MESSAGES),
    Door(
        "tldw", "/api/v1/audio/stream/transcribe", "tldw's unified endpoint, both generations", tldw_messages.MESSAGES
    ),
    Door(
        "core", "/core/parakeet/stream", "tldw's portable core (where no key is set)", core_parakeet_messages.MESSAGES
    ),
    Door("stt", "/ws/transcribe", "stt-service, with barge-in", stt_service_messages.MESSAGES),
    Door("nexa", "/v1/audio/stream", "Nexa's streaming API", nexa_messages.MESSAGES),
)


class Common(TypedDict, total=False):
    """Parameters that every door takes."""

    token: str
    """The server's key, where one is set; the headers `Authorization: Bearer` and `X-API-KEY` do as well."""
    resume: str
    """`true`, or the token of the session to take up."""
    seq: int
    """Coming back: the number of the last frame that was read."""
    offset: int
    """Coming back: the first sample that will be sent (the first byte, of compressed audio)."""


class Session(TypedDict):
    """The first frame of every connection whose session can be resumed."""

    type: Literal["session"]
    token: str
    """To be shown as `resume` when coming back."""
    known: bool
    """Whether the session that was asked for is taken up; otherwise a new one begins."""
    offset: int
    """The first sample to send (the first byte, of compressed audio)."""
    window: float
    """Seconds within which a lost connection may come back."""


_RESUMABLE: Schema = {
    "seq": {"type": "integer", "description": "Of resumable sessions: rises by one with every frame."},
    "acked": {
        "type": "integer",
        "description": "Of resumable sessions: samples before this one need not be sent again.",
    },
    "token": {"type": "string", "description": "Of resumable sessions: the newest token, where it has changed."},
}


@router.get("/protocols")
async def protocols() -> dict[str, Any]:
    """Every WebSocket door and its messages, as an AsyncAPI 3.0 document."""
    return document()


@cache
def document() -> Schema:
    """The whole document; not to be changed."""
    channels: Schema = {}
    operations: Schema = {}
    messages: Schema = {}
    schemas: Schema = {}
    for door in DOORS:
        told, heard = door.messages.client, (*door.messages.server, Session)
        for side, kinds in (("query", _queries(door)), ("client", told), ("server", heard)):
            schemas |= _schemas(door, side, kinds)
        for kind in heard:
            schemas[_name(door, "server", kind)]["properties"] |= {} if kind is Session else _RESUMABLE
        said = {_name(door, "client", kind): _message(door, "client", kind) for kind in told}
        if door.messages.audio is not None:
            said[f"{door.name}.client.Binary"] = _audio(door.messages.audio)
        answered = {_name(door, "server", kind): _message(door, "server", kind) for kind in heard}
        messages |= said | answered
        channels[door.name] = _channel(door, [*said, *answered])
        operations[f"{door.name}.receive"] = _operation(door, "receive", said)
        operations[f"{door.name}.send"] = _operation(door, "send", answered)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "stenod", "version": version("stenod"), "description": "Speech to text, live."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def _queries(door: Door) -> tuple[type, ...]:
    return (Common,) if door.messages.query is None else (door.messages.query, Common)


def _name(door: Door, side: str, kind: type) -> str:
    return f"{door.name}.{side}.{kind.__name__}"


def _schemas(door: Door, side: str, kinds: tuple[type, ...]) -> Schema:
    """The schemas of these types, and of the types in them. What a server sends has no other fields."""
    if not kinds:
        return {}
    config = ConfigDict(use_attribute_docstrings=True, extra="forbid" if side == "server" else "ignore")
    adapter: TypeAdapter[Any] = TypeAdapter(tuple[kinds], config=config)  # type: ignore[valid-type]  # made at run time
    prefix = f"{door.name}.{side}."
    _, made = TypeAdapter.json_schemas(
        [("all", "validation", adapter)], ref_template=f"#/components/schemas/{prefix}{{model}}"
    )
    schemas = {prefix + name: _plain(schema) for name, schema in made["$defs"].items()}
    for kind in kinds:
        _inherit(schemas[prefix + kind.__name__], kind, config)
    for kind in door.messages.open if side == "server" else ():
        schemas[prefix + kind.__name__]["additionalProperties"] = True
    return schemas


def _inherit(schema: Schema, kind: type, config: ConfigDict) -> None:
    """Say of the fields of its bases what the bases say of them, which a TypedDict does not keep."""
    for base in getattr(kind, "__orig_bases__", ()):
        if base is TypedDict:
            continue
        adapter: TypeAdapter[Any] = TypeAdapter(tuple[base], config=config)  # type: ignore[valid-type]  # made at run time
        for name, field in adapter.json_schema()["$defs"][base.__name__]["properties"].items():
            if "description" in field:
                schema["properties"][name].setdefault("description", field["description"])
        _inherit(schema, base, config)


def _plain(schema: Any) -> Any:
    """A schema without the titles that repeat its names."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _plain(part) for name, part in schema.items() if name != "title" or not isinstance(part, str)}


def _message(door: Door, side: str, kind: type) -> Schema:
    return {
        "name": kind.__name__,
        "summary": " ".join((kind.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{_name(door, side, kind)}"},
    }


def _audio(holds: str) -> Schema:
    return {
        "name": "Binary",
        "summary": holds,
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }


def _channel(door: Door, names: list[str]) -> Schema:
    asked = [{"$ref": f"#/components/schemas/{_name(door, 'query', kind)}"} for kind in _queries(door)]
    return {
        "address": door.path,
        "title": door.title,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "allOf": asked}}},
    }


def _operation(door: Door, action: Literal["receive", "send"], names: Schema) -> Schema:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{door.name}"},
        "messages": [{"$ref": f"#/channels/{door.name}/messages/{name}"} for name in names],
    }
