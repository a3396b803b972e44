"""The fourth document's HTTP: `/`, `/health`, `/stats`, and what its program answered on a monitoring port of its own.

The port is the setting `server.monitor_port`: the server listens there too, and `MonitorPort` sees to it that nothing but
these routes is to be had at it.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import psutil
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from stenod.server.figures import Figures, iso

ENDPOINTS: Final = {"websocket": "/ws/transcribe", "health": "/health", "stats": "/stats"}

MONITORING: Final = {
    path.strip("/").replace("/", "_"): path for path in ("/health/ready", "/health/live", "/metrics", "/info")
}

psutil.cpu_percent()  # begins to measure: each later call tells of the time since the one before

router = APIRouter(tags=["about the server"])


def figures(request: Request) -> Figures:
    """The server as it is now."""
    state = request.app.state
    return Figures(state.service, state.measures, state.admission)


@router.get("/")
async def root(request: Request) -> dict[str, Any]:
    """What this is, and where to go on."""
    status = "ready" if figures(request).service.ready else "loading"
    return {"service": "stenod", "version": version("stenod"), "endpoints": ENDPOINTS, "status": status}


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """How the server is. Always 200, as documented; `/readyz`, `/health/ready` and the monitoring port answer 503."""
    return figures(request).health()


@router.get("/stats")
async def stats(request: Request) -> dict[str, Any]:
    """Figures since the start, and about everyone who is connected."""
    return figures(request).stats()


@router.get("/health/ready", responses={503: {"description": "Not ready; `reason` says why"}})
async def ready(request: Request) -> Response:
    """Whether transcription requests are taken and the model is loaded."""
    missing = figures(request).missing
    if missing:
        return JSONResponse({"status": "not ready", "reason": "; ".join(missing)}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/health/live")
async def live(request: Request) -> dict[str, Any]:
    """The process is alive."""
    return {"status": "alive", "timestamp": iso(figures(request).now)}


@router.get("/info")
async def info(request: Request) -> dict[str, Any]:
    """Version, model, start, and where to go on."""
    now = figures(request)
    return {
        "service": "stenod",
        "version": version("stenod"),
        "whisper_backend": now.model.family,
        "model_name": now.model.name,
        "start_time": iso(now.measures.born),
        "endpoints": ENDPOINTS | MONITORING,
    }


@router.get("/metrics", responses={406: {"description": "There are no figures in another format"}})
async def metrics(request: Request) -> Response:
    """The sums of `/stats` as JSON, for those whose `Accept` names `application/json`: the path is Prometheus' else."""
    if "application/json" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": "ask with `Accept: application/json`"}, 406)
    return JSONResponse(figures(request).totals())


class MonitorPort:
    """ASGI middleware: what comes in at the monitoring port gets these routes alone, with the document's answers."""

    def __init__(self, app: ASGIApp, port: int, main: FastAPI) -> None:
        self._app = app
        self._port = port
        self._monitor = FastAPI(title="stenod", version=version("stenod"), docs_url=None, redoc_url=None)
        self._monitor.state = main.state
        self._monitor.add_api_route("/health", _strict_health)
        self._monitor.add_api_route("/metrics", _plain_metrics)
        self._monitor.include_router(router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        address = scope.get("server")
        monitored = address is not None and address[1] == self._port
        await (self._monitor if monitored else self._app)(scope, receive, send)


async def _strict_health(request: Request) -> Response:
    """How the server is: 503 where it is not well."""
    body = figures(request).health()
    return JSONResponse(body, 200 if body["status"] == "healthy" else 503)


async def _plain_metrics(request: Request) -> Response:
    """The sums of `/stats`."""
    return JSONResponse(figures(request).totals())
