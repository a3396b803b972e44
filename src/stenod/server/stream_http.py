"""What the unified streaming endpoint says of itself over HTTP: its status, its limits, and a test that really decodes.

Nothing here is a fixed answer: features are what the models and this server can do now, limits are the server's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from stenod.errors import StenodError
from stenod.events import Audio, Configure, End, Failed, Final
from stenod.options import RATE, AudioFormat
from stenod.protocols.segments import Segments
from stenod.server.admission import Admission
from stenod.service import Service

SOCKET = "/api/v1/audio/stream/transcribe"

TEST_SECONDS = 1
"""Seconds of silence that the test has decoded."""

router = APIRouter(prefix="/api/v1/audio/stream", tags=["unified streaming endpoint"])


class StreamStatus(BaseModel):
    """Whether streams are served, by which models, with which features."""

    status: Literal["available", "unavailable"]
    available_models: list[str]
    websocket_endpoint: str
    supported_features: dict[str, bool]
    message: str | None = None
    """Why not, where it is unavailable."""


class Limits(BaseModel):
    """Null: without a limit."""

    daily_minutes: float | None
    concurrent_streams: int
    concurrent_jobs: int
    max_file_size_mb: int


class StreamLimits(BaseModel):
    """What the caller may still do. Minutes are not counted where they are not limited: then they are null."""

    user_id: str
    tier: str
    limits: Limits
    used_today_minutes: float | None
    remaining_minutes: float | None
    active_streams: int
    can_start_stream: bool


class StreamTest(BaseModel):
    """What came of a decode."""

    status: Literal["success", "error"]
    test_passed: bool
    message: str
    test_result: dict[str, Any] | None
    """The final frame of a second of silence."""


@router.get("/status")
async def status(request: Request) -> StreamStatus:
    """Which models there are, and what streams can have here."""
    service = _service(request)
    models = [model for model in service.recognizer.models() if model.installed]
    languages = {language for model in models for language in model.languages}
    return StreamStatus(
        status="available" if service.ready else "unavailable",
        available_models=[model.name for model in models],
        websocket_endpoint=SOCKET,
        supported_features={
            "partial_results": True,
            "multiple_languages": len(languages) > 1 or "*" in languages,
            "concurrent_streams": _admission(request).limit > 1,
            "segment_metadata": True,
            "live_insights": False,
            "meeting_notes": False,
            "speaker_diarization": False,
            "audio_persistence": False,
        },
        message=None if service.ready else service.failure or "The model is being loaded.",
    )


@router.get("/limits")
async def limits(request: Request) -> StreamLimits:
    """What this server lets a client do: places, and the size of a file."""
    service, admission = _service(request), _admission(request)
    return StreamLimits(
        user_id="anonymous",
        tier="unlimited",
        limits=Limits(
            daily_minutes=None,
            concurrent_streams=admission.limit,
            concurrent_jobs=admission.limit,
            max_file_size_mb=service.settings.server.max_upload_mb,
        ),
        used_today_minutes=None,
        remaining_minutes=None,
        active_streams=service.sessions.count,
        can_start_stream=admission.room > 0,
    )


@router.post("/test", responses={500: {"model": StreamTest, "description": "The recogniser does not work"}})
async def test(request: Request, response: Response) -> StreamTest:
    """Have a second of silence decoded, as a stream would."""
    try:
        frame = await _decode_silence(_service(request))
    except StenodError as error:
        response.status_code = 500
        return StreamTest(status="error", test_passed=False, message=error.message, test_result=None)
    return StreamTest(
        status="success", test_passed=True, message="Streaming transcription is working", test_result=frame
    )


async def _decode_silence(service: Service) -> dict[str, Any]:
    """The final of it, as a frame. Raises StenodError."""
    options = service.options()
    options = replace(options, format=AudioFormat(), endpointing=replace(options.endpointing, mode="manual"))
    handle, segments = service.sessions.open(options), Segments()
    frame: dict[str, Any] | None = None
    try:
        await handle.send(Configure(replace(options, piece=float(TEST_SECONDS))))
        await handle.send(Audio(bytes(2 * RATE * TEST_SECONDS)))
        await handle.send(End())
        async for event, stamp in handle.events():
            if isinstance(event, Failed):
                raise StenodError(event.message, code=event.code)
            if isinstance(event, Final):
                frame = frame or segments.final(event, stamp)
    finally:
        handle.detach()
    if frame is None:
        raise StenodError("The recogniser gave no final.")
    return frame


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _admission(request: Request) -> Admission:
    admission: Admission = request.app.state.admission
    return admission
