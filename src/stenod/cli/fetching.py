"""How a pull shows itself: a bar on a terminal, elsewhere a line now and then. On standard error."""

from __future__ import annotations

import sys
import time
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as Bar

from stenod.cli.progress import Showing
from stenod.models.pull import Plan

PERIOD: Final = 10.0
"""Seconds between two lines where there is no terminal."""


class Fetching(Showing):
    """Looks on at one pull; see `stenod.models.pull.Watch`. Use it as a context manager."""

    def __init__(self) -> None:
        if sys.stderr.isatty():
            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Bar(TextColumn("{task.description}", markup=False), *columns, console=Console(stderr=True))
        self._done = self._total = 0
        self._next = 0.0

    def waits(self) -> None:
        """Another process pulls this model."""
        typer.echo("another pull of this model is running; waiting for it", err=True)

    def begins(self, plan: Plan) -> None:
        """What is to come."""
        form = f", {plan.precision}" if plan.precision else ""
        size = f"{plan.bytes / 1e6:,.0f} MB in {len(plan.files)} files"
        typer.echo(f"{plan.name} from {plan.repo} ({plan.licence}{form}): {size}", err=True)
        self._total = plan.bytes
        self._next = time.monotonic() + PERIOD
        if self._bar is not None:
            self._task = self._bar.add_task(plan.name, total=plan.bytes)
            self._bar.start()

    def moved(self, count: int) -> None:
        """So many bytes more."""
        self._done += count
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + PERIOD
            typer.echo(f"{self._done / 1e6:,.0f} of {self._total / 1e6:,.0f} MB", err=True)
