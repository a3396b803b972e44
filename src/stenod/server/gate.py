"""The gate of HTTP: without the key, 401 in the shape of the door, before a body is read.

WebSockets pass: they are answered in their dialect, after the upgrade, so that a browser can read why.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from stenod.server.errors import shaped
from stenod.server.guard import Guard, Unauthenticated

ALWAYS_OPEN = frozenset({"/healthz", "/readyz", "/health"})
"""Paths that answer without a key: whoever watches over the server has none."""


class Gate:
    """ASGI middleware: HTTP requests need the key."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] not in ALWAYS_OPEN:
            request = Request(scope)
            try:
                self._guard.demand(request.query_params, request.headers)
            except Unauthenticated as error:
                response = shaped(scope["path"], 401, error.message, code="invalid_api_key")
                response.headers["www-authenticate"] = "Bearer"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
