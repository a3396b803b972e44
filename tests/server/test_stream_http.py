"""What the unified endpoint says of itself over HTTP, while things change and when the engine is broken."""

from __future__ import annotations

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect

from support.serving import Running, fake, serving, until

pytestmark = pytest.mark.anyio
DOOR = "/api/v1/audio/stream"


async def test_status(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.http) as client:
        told = (await client.get(f"{DOOR}/status")).json()
        listed = (await client.get("/v1/models")).json()
    assert told["status"] == "available"
    assert told["available_models"] == [model["id"] for model in listed["data"]]
    assert told["websocket_endpoint"] == f"{DOOR}/transcribe"
    assert told["supported_features"] == {
        "partial_results": True, "multiple_languages": True, "concurrent_streams": True, "segment_metadata": True,
        "live_insights": False, "meeting_notes": False, "speaker_diarization": False, "audio_persistence": False,
    }  # fmt: skip
    assert told["message"] is None


async def test_limits_move_with_the_streams() -> None:
    with serving(fake(server={"max_connections": 1, "max_upload_mb": 7})) as small:
        async with httpx.AsyncClient(base_url=small.http) as client:
            free = (await client.get(f"{DOOR}/limits")).json()
            async with connect(f"{small.ws}/ws"):
                await anyio.to_thread.run_sync(until, lambda: small.service.sessions.count == 1, 5)
                full = (await client.get(f"{DOOR}/limits")).json()
    assert free == {
        "user_id": "anonymous", "tier": "unlimited",
        "limits": {"daily_minutes": None, "concurrent_streams": 1, "concurrent_jobs": 1, "max_file_size_mb": 7},
        "used_today_minutes": None, "remaining_minutes": None, "active_streams": 0, "can_start_stream": True,
    }  # fmt: skip
    assert (full["active_streams"], full["can_start_stream"]) == (1, False)


async def test_the_test_decodes(server: Running) -> None:
    async with httpx.AsyncClient(base_url=server.http) as client:
        answer = await client.post(f"{DOOR}/test")
    told = answer.json()
    assert (answer.status_code, told["status"], told["test_passed"]) == (200, "success", True)
    frame = told["test_result"]
    assert (frame["type"], frame["is_final"], frame["segment_start"], frame["segment_end"]) == ("final", True, 0.0, 1.0)


@pytest.mark.parametrize("model", ["fake?raise_every=1", "fake?crash_every=1", "fake-streaming?raise_every=1"])
async def test_the_test_fails_where_the_engine_is_broken(model: str) -> None:
    with serving(fake(model)) as broken:
        async with httpx.AsyncClient(base_url=broken.http, timeout=20) as client:
            answer = await client.post(f"{DOOR}/test")
    told = answer.json()
    assert answer.status_code == 500
    assert (told["status"], told["test_passed"], told["test_result"]) == ("error", False, None)
    assert told["message"]
