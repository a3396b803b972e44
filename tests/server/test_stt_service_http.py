"""The fourth document's HTTP: its fields are there, they are measured, and they move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from websockets.asyncio.client import connect

from support.serving import Running, fake, pcm, serving, talk, until, wav

END = '{"type":"end"}'
JSON = {"accept": "application/json"}


@pytest.fixture
def fresh() -> Iterator[Running]:
    with serving(fake("fake?cost=0.02", server={"max_connections": 7})) as running:
        yield running


def get(server: Running, path: str, **more: Any) -> Any:
    answer = httpx.get(server.http + path, **more)
    assert answer.status_code == 200
    return answer.json()


def test_root(server: Running) -> None:
    body = get(server, "/")
    assert body.keys() == {"service", "version", "endpoints", "status"}
    assert body["status"] == "ready"
    for name in ("health", "stats"):
        assert httpx.get(server.http + body["endpoints"][name]).status_code == 200


def test_health(server: Running) -> None:
    body = get(server, "/health")
    assert body.keys() == {"status", "timestamp", "uptime_seconds", "model", "system", "metrics"}
    assert (body["status"], body["model"]["loaded"], body["model"]["backend"]) == ("healthy", True, "fake")
    assert 0 < body["model"]["load_time_seconds"] < 30
    system = body["system"]
    assert 0 <= system["cpu_percent"] <= 100
    assert 0 < system["memory_percent"] < 100
    assert 0 < system["memory_available_gb"] < system["memory_total_gb"]
    assert get(server, "/health")["uptime_seconds"] > body["uptime_seconds"]
    assert body["metrics"].keys() == {
        "total_requests", "total_transcriptions", "total_errors", "avg_transcription_time_seconds",
        "total_audio_processed_seconds",
    }  # fmt: skip


def test_monitoring_routes(server: Running) -> None:
    assert get(server, "/health/ready") == {"status": "ready"}
    assert get(server, "/health/live")["status"] == "alive"
    info = get(server, "/info")
    assert info.keys() == {"service", "version", "whisper_backend", "model_name", "start_time", "endpoints"}
    assert info["model_name"] == "fake-streaming"
    assert get(server, "/metrics", headers=JSON).keys() == get(server, "/stats")["service"].keys()
    assert httpx.get(server.http + "/metrics").status_code == 406


@pytest.mark.anyio
async def test_stats_move_with_every_dialect(fresh: Running) -> None:
    before = get(fresh, "/stats")
    assert before["service"]["requests_total"] == before["service"]["transcriptions_total"] == 0
    await talk(f"{fresh.ws}/ws", [pcm([1, 2, 3]), END], pause=0.05)
    async with httpx.AsyncClient(base_url=fresh.http) as client:
        upload = await client.post("/v1/audio/transcriptions", files={"file": wav(pcm([4, 5]))})
    assert upload.status_code == 200
    await talk(f"{fresh.ws}/ws?sample_rate=7", [])
    after = get(fresh, "/stats")
    service = after["service"]
    assert (service["requests_total"], service["transcriptions_total"], service["errors_total"]) == (3, 2, 1)
    assert service["total_audio_duration"] == pytest.approx(len(pcm([1, 2, 3]) + pcm([4, 5])) / 32_000, abs=0.01)
    assert 0.02 <= service["avg_transcription_time"] < 5
    assert service["requests_per_minute"] > 0
    assert service["uptime_seconds"] > before["service"]["uptime_seconds"]
    connections = after["connections"]
    assert (connections["active_connections"], connections["total_connections"]) == (0, 3)
    assert connections["max_connections"] == 7
    errors = after["error_statistics"]
    assert (errors["total_errors"], errors["recent_errors"]) == (1, 1)
    assert errors["errors_by_category"] == {"configuration": 1}
    assert errors["errors_by_severity"] == {"medium": 1}
    assert errors["circuit_breaker_states"] == {"transcription": "closed", "gpu": None}
    assert [session["errors"] for session in errors["top_error_sessions"]] == [1]
    performance = after["performance_metrics"]
    for kind in ("partial", "final"):
        assert 20 <= performance[f"avg_{kind}_latency_ms"] < 5_000
        assert performance[f"p95_{kind}_latency_ms"] >= performance[f"avg_{kind}_latency_ms"] / 2
    assert performance["total_utterances_processed"] >= 2
    assert performance["active_utterances"] == 0
    assert performance["real_time_factor"] > 0
    whisper = after["whisper"]
    assert whisper["status"] == "ready"
    assert whisper["model_name"].startswith("fake")
    assert whisper["device"] == "cpu"


@pytest.mark.anyio
async def test_stats_of_a_connection(fresh: Running) -> None:
    async with connect(f"{fresh.ws}/ws/transcribe?legacy=true") as socket:
        session = json.loads(await socket.recv())["session_id"]
        state = get(fresh, "/stats")["connections"]
        assert state["connections_by_state"] == {"active": 1, "processing": 0, "buffering": 0, "error": 0}
        await socket.send(json.dumps({"type": "configure", "config": {"audio_format": "int16"}}))
        for kind in ("transcription_partial", "transcription", "transcription_partial", "transcription"):
            await socket.send(pcm([1, 2], before=0.2, after=0.0))
            while json.loads(await socket.recv())["type"] != kind:
                pass

        def mine() -> dict[str, Any]:
            found: dict[str, Any] = get(fresh, "/stats")["connections"]["processing_stats"][session]
            return found

        await anyio.to_thread.run_sync(until, lambda: mine()["total_chunks"] == 4, 5)
        told = mine()
        assert told["protocol"] == "SttService"
        assert told["total_audio_duration"] == pytest.approx(3.2, abs=0.04)
        assert told["partial_transcriptions"] > 0
        assert told["final_transcriptions"] > 0
        assert told["average_partial_latency"] >= 0.02
        assert told["average_final_latency"] >= 0.02
        assert told["final_response_time"] > 0
        assert told["partial_response_time"] > 0
        assert told["total_processing_time"] > told["average_latency"] > 0
        assert told["real_time_factor"] == pytest.approx(told["total_processing_time"] / 3.2, rel=0.1)
        assert told["current_utterance_id"] == 1
        assert told["current_buffer_duration"] > 0
        assert told["partial_processing_enabled"] is True
        assert told["processing_active"] is False
        assert get(fresh, "/stats")["connections"]["connections_by_state"]["buffering"] == 1
        assert get(fresh, "/stats")["performance_metrics"]["active_utterances"] == 1
    await anyio.to_thread.run_sync(until, lambda: not get(fresh, "/stats")["connections"]["processing_stats"], 5)


def test_a_model_that_cannot_be_loaded_and_a_server_that_closes_are_told() -> None:
    with serving(fake()) as closing:
        closing.service.upkeep.failure, closing.service.upkeep.ready = "the model is broken", False
        body = get(closing, "/health")
        assert (body["status"], body["errors"]) == ("unhealthy", ["the model is broken"])
        assert get(closing, "/stats")["error_statistics"]["circuit_breaker_states"]["transcription"] == "open"
        closing.service.upkeep.failure = None
        assert get(closing, "/health")["warnings"] == ["the model is being loaded"]
        assert get(closing, "/stats")["whisper"]["status"] == "loading"
        closing.service.upkeep.ready = True
        closing.drain()
        ready = httpx.get(closing.http + "/health/ready")
        assert (ready.status_code, ready.json()["reason"]) == (503, "the server is shutting down")
