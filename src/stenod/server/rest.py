"""File uploads as message transports: a form comes in, its file's audio goes down the same road as anyone's.

The upload is spooled to disk and decoded piece by piece, so memory does not grow with its length. Nothing of any dialect
enters this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from typing import BinaryIO, TypeAlias

import anyio
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive

from stenod.audio.files import open_audio
from stenod.errors import BadRequest, StenodError
from stenod.protocols.base import Close, Handshake
from stenod.protocols.files import Renderer
from stenod.server.admission import Admission
from stenod.server.connection import Connection
from stenod.server.transport import Closed
from stenod.server.websocket import joined
from stenod.service import Service

MakeRenderer: TypeAlias = Callable[[Handshake], Renderer]

MAX_FIELDS = 100
MAX_FIELD = 65_536
"""Bytes of one text field of a form."""

FORM_ROOM = 1_000_000
"""Bytes that a form may have beyond its file."""

LISTEN_ON = 5.0
"""Seconds that the rest of an upload too large is still read, so that its sender gets the answer and not a reset."""

NOBODY = Response(status_code=400)
"""The answer to a client that is gone."""


class FileTransport:
    """The audio of a file, in messages; what is sent is kept as the body of the response."""

    whole = True

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.body: list[str | bytes] = []
        self.status = 500
        self._chunks = chunks

    async def receive(self) -> bytes:
        """The next stretch of audio, decoded in a thread. Raises BadAudio."""
        chunk = await anyio.to_thread.run_sync(next, self._chunks, None)
        if chunk is None:
            raise Closed(clean=True)
        return chunk

    async def send(self, message: str | bytes) -> None:
        """Keep it."""
        self.body.append(message)

    async def close(self, close: Close) -> None:
        """The response is complete."""
        self.status = close.status or 500


async def answer(
    request: Request, make: MakeRenderer, service: Service, admission: Admission, *, name: str
) -> Response:
    """One upload, from its form to the response. A client that hangs up stops the work."""
    handshake = Handshake(id=name, headers=dict(request.headers.items()), defaults=service.options())
    async with AsyncExitStack() as resources:
        try:
            resources.enter_context(admission.enter())
            form = await _read_form(request, service.settings.server.max_upload_mb * 1_000_000)
            resources.push_async_callback(form.close)
            handshake = replace(handshake, query=joined(form.multi_items()))
            upload = _upload(form)
        except StenodError as error:
            return await _refuse(error, handshake, make, service)
        except ClientDisconnect:
            return NOBODY
        response = NOBODY
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_watch, request, tasks.cancel_scope)
            response = await _transcribe(upload, handshake, make, service)
            tasks.cancel_scope.cancel()
        return response


async def _transcribe(upload: BinaryIO, handshake: Handshake, make: MakeRenderer, service: Service) -> Response:
    with ExitStack() as resources:
        try:
            reader = await anyio.to_thread.run_sync(lambda: resources.enter_context(open_audio(upload)))
        except StenodError as error:
            return await _refuse(error, handshake, make, service)
        defaults = replace(handshake.defaults, format=reader.format)
        transport, renderer = FileTransport(reader.chunks()), make(replace(handshake, defaults=defaults))
        connection = Connection(transport, renderer, service)
        await connection.run()
        return _response(transport, renderer, connection)


async def _refuse(error: StenodError, handshake: Handshake, make: MakeRenderer, service: Service) -> Response:
    transport, renderer = FileTransport(iter(())), make(handshake)
    connection = Connection(transport, renderer, service)
    await connection.refuse(error)
    return _response(transport, renderer, connection)


def _response(transport: FileTransport, renderer: Renderer, connection: Connection) -> Response:
    body = b"".join(part.encode() if isinstance(part, str) else part for part in transport.body)
    response = Response(body, transport.status, media_type=renderer.media_type)
    if connection.failed is not None and connection.failed.retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(connection.failed.retry_after)))
    return response


async def _watch(request: Request, scope: anyio.CancelScope) -> None:
    """Stop the work when the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _read_form(request: Request, most: int) -> FormData:
    """The form, its file spooled to disk. Raises BadRequest, and ClientDisconnect."""
    body = Request(request.scope, _bounded(request, most))
    try:
        return await body.form(max_files=4, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD)
    except HTTPException as error:
        raise BadRequest(f"The form cannot be read: {error.detail}", code="invalid_form") from None


def _bounded(request: Request, most: int) -> Receive:
    """The request's messages; raises BadRequest as soon as the body is, or says that it will be, larger than `most`."""
    declared = request.headers.get("content-length", "")
    taken = int(declared) if declared.isdecimal() and int(declared) > most + FORM_ROOM else 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken <= most + FORM_ROOM:
            return message
        with anyio.move_on_after(LISTEN_ON):
            while message.get("more_body"):
                message = await request.receive()
        raise BadRequest(f"The file is larger than {most // 1_000_000} MB, which is all this takes.", code="too_large")

    return receive


def _upload(form: FormData) -> BinaryIO:
    upload = form.get("file")
    if isinstance(upload, UploadFile):
        return upload.file
    raise BadRequest("The form has no file in its field `file`.", code="missing_field")
