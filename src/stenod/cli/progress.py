"""A progress bar on standard error, for people who wait: none where it is no terminal, none for what is soon done."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

PATIENCE: Final = 1.0
"""Seconds of silence before a bar appears."""


class Showing:
    """Something that may have a bar, which is taken down when its context is left."""

    _bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


class Progress(Showing):
    """How far one file is. Use it as a context manager, and call it with seconds done and seconds in all."""

    def __init__(self, name: str) -> None:
        if sys.stderr.isatty():
            console = Console(stderr=True)
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
            self._bar = Bar(*columns, console=console, transient=True)
            self._task = self._bar.add_task(name, total=None)
        self._begin = time.monotonic() + PATIENCE

    def __call__(self, done: float, total: float | None) -> None:
        """Show that `done` seconds of audio are transcribed, of `total` (None: nobody knows)."""
        if self._bar is None:
            return
        self._bar.update(self._task, completed=done, total=total)
        if not self._bar.live.is_started and time.monotonic() >= self._begin:
            self._bar.start()
