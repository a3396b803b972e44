"""`stenod serve`: the settings, what is in force, and the server. The server itself is in `listening`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from stenod import __version__
from stenod.cli.flags import Config, LogLevel, ModelDirectory, ModelName, flag, loaded
from stenod.cli.logs import set_up
from stenod.engines.base import Model
from stenod.engines.registry import AUTO, Registry
from stenod.models.hub import Hub
from stenod.settings import Settings
from stenod.upkeep import BEST

SWITCH = 0.0005
"""Seconds after which a busy event loop lets the detector's thread have its turn. Python's own 5 ms make two hundred streams
wait for each other (docs/performance.md)."""


def serve(  # noqa: PLR0913, PLR0917 - a parameter for each flag
    host: Annotated[str | None, flag("server.host")] = None,
    port: Annotated[int | None, flag("server.port")] = None,
    monitor_port: Annotated[int | None, flag("server.monitor_port")] = None,
    max_connections: Annotated[int | None, flag("server.max_connections")] = None,
    grace: Annotated[float | None, flag("server.grace")] = None,
    model: ModelName = None,
    model_directory: ModelDirectory = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Serve every door until interrupted. The first Ctrl-C drains, the second exits at once."""
    flags = {
        "server.host": host,
        "server.port": port,
        "server.monitor_port": monitor_port,
        "server.max_connections": max_connections,
        "server.grace": grace,
        "server.log_level": log_level,
        "model.name": model,
        "model.directory": model_directory,
    }
    sys.setswitchinterval(SWITCH)
    settings = loaded(flags, config).settings
    set_up(settings.server.log_level)
    registry = Registry.installed(settings.store())
    chosen = registry.configure(settings.model.name)

    from stenod.cli.listening import run  # noqa: PLC0415 - the web server is heavy, and `--help` has no need of it
    from stenod.server.app import create_app  # noqa: PLC0415 - likewise

    def announce(address: str) -> None:
        for line in banner(settings, chosen, registry.models(), address, offline=Hub.of(os.environ).offline):
            typer.echo(line)

    code = run(create_app(settings), settings, announce)
    if code:
        raise typer.Exit(code)


def banner(
    settings: Settings, chosen: Model, models: tuple[Model, ...], address: str, *, offline: bool = False
) -> Iterator[str]:
    """What is said at the start: where, with which model, how good it is, and what would be better."""
    yield f"stenod {__version__} answers at {address} (its doors: {address}/docs)"
    yield f"model: {chosen.name} ({chosen.family}). Expect {chosen.expect}"
    for line in settings.without_effect(chosen):
        yield f"note: {line}"
    better = next((model for model in models if model.quality > chosen.quality), None)
    if better is None:
        yield "better: nothing that is known here; engines of other packages are found"
    elif better.installed:
        yield f"better: {better.name} is installed (--model {better.name}). Expect {better.expect}"
    elif settings.model.fetch == "auto" and settings.model.name == AUTO and better.name == BEST and not offline:
        yield f"better: {better.name}, which the hub is asked for in the background. Expect {better.expect}"
    else:
        yield f"better: {better.name}, which `stenod models pull {better.name}` gets. Expect {better.expect}"
