"""Errors of HTTP itself, in the shape of the door they happen at; and a name for every request.

Under `/v1` the shape is OpenAI's, elsewhere `{"detail": ...}`. Never a traceback, never a path of this machine.
"""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stenod.errors import ModelNotFound, Overloaded, StenodError, Unavailable
from stenod.protocols.openai_rest import error as envelope

log = logging.getLogger(__name__)


class Naming:
    """ASGI middleware: each connection gets a name, responses carry it as `x-request-id`, and a defect becomes a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        name = scope["request_id"] = f"req_{secrets.token_hex(12)}"
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] in {"http.response.start", "websocket.accept", "websocket.http.response.start"}:
                started = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception:
            log.exception("%s failed", name)
            if started or scope["type"] == "websocket":
                return
            await shaped(scope["path"], 500, "The server made a mistake; it has been logged.")(scope, receive, named)


def shaped(path: str, status: int, message: str, *, param: str | None = None, code: str | None = None) -> JSONResponse:
    """An error as the door at `path` writes it."""
    body = envelope(message, status, param=param, code=code) if path.startswith("/v1/") else {"detail": message}
    return JSONResponse(body, status)


def request_id(request: Request) -> str:
    """The name of this request."""
    return str(request.scope["request_id"])


def install(app: FastAPI) -> None:
    """Errors in the doors' shapes, names on everything."""
    app.add_middleware(Naming)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StenodError, _known)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for it
    known = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    code = HTTPStatus(error.status_code).name.lower()
    response = shaped(request.url.path, error.status_code, known, code=code)
    response.headers.update(error.headers or {})
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:]) or None
    status = 400 if request.url.path.startswith("/v1/") else 422
    return shaped(request.url.path, status, f"{param}: {first['msg']}", param=param, code="invalid_value")


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, StenodError)  # noqa: S101 registered for it
    status = 404 if isinstance(error, ModelNotFound) else 503 if isinstance(error, Overloaded | Unavailable) else 400
    return shaped(request.url.path, status, error.message, code=error.code)
