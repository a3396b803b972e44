"""WebSockets as message transports. Nothing of any dialect enters this file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from stenod.errors import StenodError
from stenod.protocols.base import Close, Handshake, WireProtocol
from stenod.server.admission import Admission
from stenod.server.connection import Connection
from stenod.server.guard import Guard
from stenod.server.parking import Parking
from stenod.server.resumable import ResumableConnection, Return, asks_to_resume
from stenod.server.transport import Closed
from stenod.service import Service

MakeProtocol: TypeAlias = Callable[[Handshake], WireProtocol]


class WebSocketTransport:
    """An accepted WebSocket. The largest message, and pings below the dialects, are the HTTP server's business."""

    whole = False

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        """The next message."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            # A close frame without a code is reported as 1005 with a reason, a lost connection as 1005 without.
            clean = message["code"] in {1000, 1001} or (message["code"] == 1005 and "reason" in message)
            raise Closed(clean=clean)
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    async def send(self, message: str | bytes) -> None:
        """Write one message."""
        try:
            await (self._socket.send_text(message) if isinstance(message, str) else self._socket.send_bytes(message))
        except (WebSocketDisconnect, WebSocketDisconnected):
            raise Closed(clean=False) from None

    async def close(self, close: Close) -> None:
        """Close with a code and as much of the reason as a close frame takes (123 bytes)."""
        reason = close.reason.encode()[:123].decode(errors="ignore")
        with suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._socket.close(close.code, reason)


async def serve(  # noqa: PLR0913 - the places that a client may have
    socket: WebSocket,
    make: MakeProtocol,
    service: Service,
    admission: Admission,
    parking: Parking,
    *,
    guard: Guard,
    name: str,
) -> None:
    """One WebSocket, from its handshake to its end. Those for whom there is no place are told so in their dialect."""
    await socket.accept()
    handshake = Handshake(
        id=name,
        query=joined(socket.query_params.multi_items()),
        headers=dict(socket.headers.items()),
        subprotocols=tuple(socket.scope.get("subprotocols", ())),
        defaults=service.options(),
    )
    transport, protocol = WebSocketTransport(socket), make(handshake)
    try:
        resumes = parking.window > 0 and (protocol.patience.resume or asks_to_resume(handshake.query))
        if resumes or protocol.patience.identify is None:
            guard.demand(handshake.query, handshake.headers)
        known = guard.check(handshake.query, handshake.headers)
        with admission.enter():
            if resumes:
                back = Return.of(handshake.query)
                await ResumableConnection(transport, protocol, service, parking, back).run()
            else:
                await Connection(transport, protocol, service, guard=None if known else guard).run()
    except StenodError as refused:
        await Connection(transport, protocol, service).refuse(refused)


def joined(fields: Iterable[tuple[str, object]]) -> dict[str, str]:
    """The text among `fields`, each name once; repeated ones joined with commas."""
    found: dict[str, list[str]] = {}
    for name, value in fields:
        if isinstance(value, str):
            found.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in found.items()}
