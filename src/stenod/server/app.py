"""The composition root: the service, and a table of doors. `create_app` is what an ASGI server runs.

Adding a dialect is a row in `SOCKETS` or `UPLOADS`; nothing else in this folder knows which there are.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from stenod.protocols.base import Handshake, WireProtocol
from stenod.protocols.core_parakeet import CoreParakeet
from stenod.protocols.files import Renderer
from stenod.protocols.nexa import Nexa
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.protocols.parakeet_fastapi import ParakeetFastAPI
from stenod.protocols.parakeet_fastapi_ws import ParakeetFastAPISocket
from stenod.protocols.pcm import Pcm
from stenod.protocols.stt_service import SttService
from stenod.protocols.tldw import Tldw
from stenod.server import errors, health, protocols, rest, schemas, stream_http, stt_service_http, websocket
from stenod.server.admission import Admission
from stenod.server.core_parakeet import PATH as CORE_PATH
from stenod.server.gate import Gate
from stenod.server.guard import Guard
from stenod.server.measured import Measured, MeasuredRenderer
from stenod.server.measures import Measures
from stenod.server.parking import Parking
from stenod.service import Service
from stenod.settings import Settings, load_settings

LAST_WORDS = 2.0
"""Seconds that connections have, once their sessions are over, to write what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A door for files."""

    path: str
    make: rest.MakeRenderer
    summary: str
    form: dict[str, Any]
    answer: Any
    """Models of the JSON body, as a type."""
    texts: tuple[str, ...] = ()
    """Media types beside JSON."""
    problem: type[BaseModel]
    problems: tuple[int, ...]


SHAPES: dict[str, websocket.MakeProtocol] = {"legacy": ParakeetFastAPISocket}
"""What `/ws?shape=` asks for; without it, `Pcm`."""


def shaped(handshake: Handshake) -> WireProtocol:
    """The dialect of one client of `/ws`."""
    return SHAPES.get(handshake.query.get("shape", ""), Pcm)(handshake)


SOCKETS: tuple[tuple[str, websocket.MakeProtocol], ...] = (
    ("/ws", shaped),
    ("/ws/transcribe", SttService),
    ("/v1/audio/stream", Nexa),
    ("/api/v1/audio/stream/transcribe", Tldw),
)

OPEN_SOCKETS: tuple[tuple[str, websocket.MakeProtocol], ...] = ((CORE_PATH, CoreParakeet),)
"""Doors that ask nobody for a key: only where the server has none."""

_OPENAI = Upload(
    path="/v1/audio/transcriptions",
    make=OpenAITranscription,
    summary="Transcribe a file, as OpenAI's API does",
    form=schemas.OPENAI_FORM,
    answer=schemas.OpenAITranscription | schemas.OpenAIVerboseTranscription,
    texts=("text/plain", "text/vtt"),
    problem=schemas.OpenAIError,
    problems=(400, 404, 413, 500, 503),
)

UPLOADS = (
    _OPENAI,
    replace(_OPENAI, path="/audio/transcriptions", summary="The same, at the first document's other path"),
    Upload(
        path="/transcribe",
        make=ParakeetFastAPI,
        summary="Transcribe a file",
        form=schemas.PARAKEET_FORM,
        answer=schemas.Transcription,
        problem=schemas.Detail,
        problems=(400, 404, 413, 415, 422, 500, 503),
    ),
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Without `settings` they are read from the environment and the working directory.

    While it runs, `app.state.service` is the service, and `await app.state.drain()` ends it gently: nobody new comes in,
    open utterances get their finals within `server.grace` seconds.
    """
    chosen = settings or load_settings(environ=os.environ, directory=Path.cwd())
    admission = Admission(chosen.server.max_connections)
    guard = Guard(chosen.server.api_key)
    secret = chosen.server.resume_secret
    parking = Parking(
        chosen.stream.resume_window,
        chosen.stream.max_unread,
        chosen.server.max_connections,
        secret.get_secret_value() if secret is not None else None,
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Service(chosen, lasting=True) as service, parking.open():
            app.state.service = service
            yield

    async def drain() -> None:
        admission.closed = True
        await app.state.service.sessions.drain(chosen.server.grace)
        with anyio.move_on_after(LAST_WORDS):
            await admission.empty()

    app = FastAPI(title="stenod", version=version("stenod"), description="Speech to text.", lifespan=lifespan)
    app.state.admission = admission
    app.state.measures = Measures(time.time())
    app.state.parking = parking
    app.state.drain = drain
    app.state.guard = guard
    for path, make in (*SOCKETS, *(OPEN_SOCKETS if guard.open else ())):
        _add_socket(app, path, make, admission)
    for upload in UPLOADS:
        _add_upload(app, upload, admission)
    app.include_router(health.router)
    app.include_router(protocols.router)
    app.include_router(stream_http.router)
    app.include_router(stt_service_http.router)
    if not guard.open:
        app.add_middleware(Gate, guard=guard)
    if chosen.server.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=chosen.server.cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    if chosen.server.monitor_port:
        app.add_middleware(stt_service_http.MonitorPort, port=chosen.server.monitor_port, main=app)
    errors.install(app)
    return app


def _add_socket(app: FastAPI, path: str, make: websocket.MakeProtocol, admission: Admission) -> None:
    async def serve(socket: WebSocket) -> None:
        name = str(socket.scope["request_id"])
        state = app.state
        with app.state.measures.connection(name) as tally:

            def measured(handshake: Handshake) -> WireProtocol:
                return Measured(make(handshake), tally)

            await websocket.serve(
                socket, measured, state.service, admission, state.parking, guard=state.guard, name=name
            )

    app.add_api_websocket_route(path, serve)


def _add_upload(app: FastAPI, upload: Upload, admission: Admission) -> None:
    async def transcribe(request: Request) -> Response:
        name = errors.request_id(request)
        with app.state.measures.connection(name) as tally:

            def measured(handshake: Handshake) -> Renderer:
                return MeasuredRenderer(upload.make(handshake), tally)

            return await rest.answer(request, measured, app.state.service, admission, name=name)

    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": upload.problem, "description": _PROBLEMS[status]} for status in upload.problems
    }
    texts = {kind: {"schema": {"type": "string"}} for kind in upload.texts}
    responses[200] = {"model": upload.answer, "description": "What was said", "content": texts}
    app.add_api_route(
        upload.path,
        transcribe,
        methods=["POST"],
        summary=upload.summary,
        tags=["transcription"],
        response_class=Response,
        responses=responses,
        openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": upload.form}}}},
    )


_PROBLEMS = {
    400: "The request cannot be understood or honoured",
    404: "No such model here",
    413: "The file is too large",
    415: "The file is not audio that can be decoded",
    422: "A field is missing or impossible",
    500: "A part of the file could not be transcribed, or the server made a mistake",
    503: "The server is full or shutting down; `Retry-After` says when to come back",
}
