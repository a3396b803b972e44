"""A real server on a real socket, in a thread of the test's process, and clients for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import numpy as np
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from stenod.engines.tones import speak
from stenod.server.app import create_app
from stenod.service import Service
from stenod.settings import Settings


@dataclass(frozen=True)
class Running:
    """Where it answers, and its inside."""

    app: FastAPI
    port: int
    portal: BlockingPortal
    """Calls into the server's event loop."""

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def drain(self) -> None:
        """What the command line does at the first Ctrl-C."""
        self.portal.call(self.app.state.drain)

    @property
    def service(self) -> Service:
        service: Service = self.app.state.service
        return service


def fake(model: str = "fake-streaming", **groups: dict[str, Any]) -> Settings:
    """Settings with the tone reader and the energy detector."""
    return Settings.model_validate(
        {"model": {"name": model}, "endpointing": {"vad": "energy", "min_silence": 0.4}} | groups
    )


@contextmanager
def serving(
    settings: Settings, prepare: Callable[[FastAPI], None] | None = None, *, patience: float = 30
) -> Iterator[Running]:
    """Serve until the block is left; the default model is loaded when it begins, within `patience` seconds."""
    app = create_app(settings)
    if prepare is not None:
        prepare(app)
    config = uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio", lifespan="on")
    server = uvicorn.Server(config)
    with start_blocking_portal() as portal:
        serve = portal.start_task_soon(server.serve)
        try:
            until(lambda: server.started or serve.done(), 20)
            running = Running(app, server.servers[0].sockets[0].getsockname()[1], portal)
            until(lambda: httpx.get(f"{running.http}/readyz").status_code == 200, patience)
            yield running
        finally:
            server.should_exit = True
            serve.result(20)


def until(true: Callable[[], bool], seconds: float) -> float:
    """Wait until it is; answers how long that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not become true in time"
        time.sleep(0.02)
    return time.monotonic() - began


def pcm(words: Sequence[int], *, before: float = 0.5, after: float = 0.8, rate: int = 16_000) -> bytes:
    """Tones that say `words` as s16le, with `before` and `after` seconds of silence around them."""
    quiet = np.zeros(round(before * rate), np.float32), np.zeros(round(after * rate), np.float32)
    samples = np.concatenate([quiet[0], speak(words, rate=rate), quiet[1]])
    return (samples * 32767).astype("<i2").tobytes()


def wav(data: bytes, *, rate: int = 16_000, channels: int = 1) -> bytes:
    """s16le as a wav file."""
    block = 2 * channels
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"".join(
        number.to_bytes(size, "little")
        for number, size in ((1, 2), (channels, 2), (rate, 4), (rate * block, 4), (block, 2), (16, 2))
    )
    return head + b"data" + len(data).to_bytes(4, "little") + data


def said(words: Sequence[int]) -> str:
    """What the tone reader writes for `words`."""
    return " ".join(f"w{word}" for word in words)


@dataclass(frozen=True)
class Talk:
    """What came of a WebSocket: the frames, and how it was closed."""

    frames: list[dict[str, Any]]
    code: int
    reason: str

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The frames of one type."""
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(frame["text"] for frame in self.of("final") if frame["text"])


async def talk(
    url: str, messages: Sequence[str | bytes], *, chunk: int = 3_200, seconds: float = 20, pause: float = 0.0
) -> Talk:
    """Send everything, audio in chunks `pause` seconds apart, and read until the server closes."""
    frames: list[dict[str, Any]] = []
    with anyio.fail_after(seconds):
        async with connect(url) as socket, anyio.create_task_group() as tasks:
            tasks.start_soon(_send, socket, messages, chunk, pause)
            try:
                async for message in socket:
                    frames.append(json.loads(message))  # noqa: PERF401 - kept when the connection breaks
            except ConnectionClosed:
                pass
            tasks.cancel_scope.cancel()
    return Talk(frames, socket.close_code or 0, socket.close_reason or "")


async def _send(socket: ClientConnection, messages: Sequence[str | bytes], chunk: int, pause: float) -> None:
    try:
        for message in messages:
            parts = (
                [message]
                if isinstance(message, str)
                else [message[at : at + chunk] for at in range(0, len(message), chunk)]
            )
            for part in parts:
                await socket.send(part)
                await anyio.sleep(pause)
    except ConnectionClosed:
        pass
