"""`GET /protocols` describes what is really said, the frames of sessions that can be resumed among it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from support.serving import Running, pcm, talk

pytestmark = pytest.mark.anyio


def document_of(server: Running) -> dict[str, Any]:
    described: dict[str, Any] = httpx.get(f"{server.http}/protocols").json()
    return described


@pytest.mark.parametrize(
    ("door", "query", "messages"),
    [
        ("ws", "", ['{"type":"ping"}', '{"type":"dance"}', pcm([1, 2]), '{"type":"end"}']),
        ("ws", "?resume=true", ['{"type":"ping"}', pcm([1, 2]), '{"type":"end"}']),
        ("ws", "?split=true&channels=2", [pcm([1, 2]), '{"type":"end"}']),
        ("nexa", "", ['{"enable_word_timestamps": true}', pcm([1, 2]), '{"action":"stop"}']),
        ("nexa", "?resume=true", [pcm([1, 2]), '{"action":"stop"}']),
        ("tldw", "", ['{"type":"config","protocol_version":2}', '{"type":"ping"}', '{"type":"stop"}']),
        ("tldw", "?resume=true", ['{"type":"config"}', '{"type":"commit"}', '{"type":"stop"}']),
        ("core", "", ['{"type":"config"}', '{"type":"reset"}', '{"type":"commit"}', '{"type":"stop"}']),
    ],
)
async def test_what_is_said_is_what_is_described(
    server: Running, door: str, query: str, messages: list[str | bytes]
) -> None:
    document = document_of(server)
    channel = document["channels"][door]
    names = [name for name in channel["messages"] if name.startswith(f"{door}.server.")]
    schema = Draft202012Validator(
        {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in names], "components": document["components"]}
    )
    heard = await talk(f"{server.ws}{channel['address']}{query}", messages)
    assert len(heard.frames) >= 2
    for frame in heard.frames:
        assert schema.is_valid(frame), frame
    assert ("seq" in heard.frames[-1]) == ("resume" in query)
