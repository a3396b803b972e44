"""Ctrl-C while somebody speaks: the first is the end of the audio, the second of the program."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskStatus


@asynccontextmanager
async def stopping(stop: anyio.Event) -> AsyncIterator[None]:
    """Inside, the first SIGINT or SIGTERM sets `stop`; the second does what it always does."""
    async with anyio.create_task_group() as tasks:
        await tasks.start(_obey, stop)
        yield
        tasks.cancel_scope.cancel()


async def _obey(stop: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            stop.set()
            return
