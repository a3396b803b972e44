"""The third document's portable router: its core endpoint in any FastAPI application that runs a `Service`.

No accounts, keys or quotas, as the document has it: whoever mounts it says who may come in.
"""

from __future__ import annotations

import secrets

from fastapi import APIRouter
from starlette.websockets import WebSocket

from stenod.protocols.core_parakeet import CoreParakeet
from stenod.server import websocket
from stenod.server.admission import Admission
from stenod.server.guard import Guard
from stenod.server.parking import Parking
from stenod.service import Service

PATH = "/core/parakeet/stream"


def router_for(service: Service, *, max_connections: int = 100) -> APIRouter:
    """A router with the endpoint. `service` must be entered (`async with service`) while the application runs.

    >>> app.include_router(router_for(service), prefix="/speech")
    """
    router = APIRouter()
    admission, parking, guard = Admission(max_connections), Parking(0.0, 0, 0), Guard(None)

    @router.websocket(PATH)
    async def stream(socket: WebSocket) -> None:
        name = f"req_{secrets.token_hex(12)}"
        await websocket.serve(socket, CoreParakeet, service, admission, parking, guard=guard, name=name)

    return router
