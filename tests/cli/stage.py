"""A small app served by the real server in a process of its own: what `listening` does, seen from outside.

It writes a line for each thing that happens. Its `/ws` session gets one last message while draining, so that a client can
tell whether it was drained or cut off.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from fastapi import FastAPI, WebSocket

from stenod.cli.listening import run
from stenod.cli.logs import set_up
from stenod.errors import StenodError, Unavailable
from stenod.settings import Settings
from stenod.settings.tree import Server


def say(line: str) -> None:
    """A line for the test to read."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Everything lives in here, as in the real app."""
    if app.state.broken:
        raise Unavailable("the recogniser is not installed")
    say("up")
    try:
        yield
    finally:
        say("down")


def stage(drain_takes: float, broken: bool) -> FastAPI:
    """The app; its drain takes `drain_takes` seconds."""
    app = FastAPI(lifespan=lifespan)
    app.state.broken = broken
    draining, drained = anyio.Event(), anyio.Event()

    async def drain() -> None:
        say("drain")
        draining.set()
        await anyio.sleep(drain_takes)
        say("drained")
        drained.set()
        await anyio.sleep(0.1)  # the last message is on its way

    app.state.drain = drain

    @app.get("/")
    async def root() -> str:
        return "here"

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")
        await draining.wait()
        await drained.wait()
        await socket.send_text("final")
        await socket.close(1000)

    return app


def main(port: str, grace: str, drain_takes: str, broken: str) -> int:
    """Serve until stopped."""
    set_up("WARNING")
    settings = Settings(server=Server(port=int(port), grace=float(grace)))
    try:
        return run(stage(float(drain_takes), broken == "broken"), settings, say)
    except StenodError as error:
        sys.stderr.write(f"stenod: {error.message}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
