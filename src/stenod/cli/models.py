"""`stenod models`: which recognisers there are, and getting and removing them. Loads none of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from stenod.cli.fetching import Fetching
from stenod.cli.flags import Config, ModelDirectory, loaded
from stenod.engines.base import Model
from stenod.engines.registry import Registry
from stenod.errors import ModelNotFound, Unavailable
from stenod.models.catalogue import find
from stenod.models.hub import Hub
from stenod.models.pull import pull as fetch
from stenod.models.removal import remove as delete
from stenod.models.store import Store
from stenod.settings import Settings

HEADINGS = ("name", "engine", "installed", "download", "memory", "languages", "licence", "expect")

app = typer.Typer(help="List the models; pull, remove, or find one.", invoke_without_command=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name from `stenod models`.", show_default=False)]
Repository = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name from `stenod models`, or owner/name on the hub.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class Row:
    """A model as the list tells it; sizes in millions of bytes, `download_mb` None where there is nothing to fetch."""

    name: str
    engine: str
    installed: bool
    download_mb: int | None
    memory_mb: int
    languages: tuple[str, ...]
    licence: str
    expect: str
    aliases: tuple[str, ...]


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    directory: ModelDirectory = None,
    config: Config = None,
) -> None:
    """List the models, the best first, and what keeps an engine from being used."""
    settings = loaded({"model.directory": directory}, config).settings
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    registry = Registry.installed(settings.store())
    rows = [_row(model) for model in registry.models()]
    if as_json:
        typer.echo(json.dumps({"models": [asdict(row) for row in rows], "broken": registry.broken}, indent=1))
        return
    typer.echo(_table([HEADINGS, *map(_cells, rows)]))
    for family, reason in sorted(registry.broken.items()):
        typer.echo(f"{family}: cannot be used here: {reason}")


@app.command("pull")
def pull(
    context: typer.Context,
    name: Repository,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="fp32|fp16|int8", help="Which form of it.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Leave the network alone, as HF_HUB_OFFLINE=1 does.")
    ] = False,
) -> None:
    """Fetch a model from the hub (HF_ENDPOINT), or what is missing of it; an interrupted pull is continued."""
    settings: Settings = context.obj
    hub = Hub.of(os.environ)
    store = settings.store()
    registry = Registry.installed(store)

    def readable(place: Path) -> bool:
        return registry.adopt(place) is not None

    with Fetching() as watch:
        pulled = fetch(
            name,
            store,
            replace(hub, offline=hub.offline or offline),
            watch,
            precision=precision or settings.model.precision,
            accept=readable,
        )
    if pulled.fresh:
        typer.echo(f"{pulled.name} is here, after {pulled.seconds:.0f} s")
    else:
        typer.echo(f"{pulled.name} is here already")


@app.command("remove")
def remove(context: typer.Context, name: Name) -> None:
    """Delete a model that was fetched."""
    settings: Settings = context.obj
    registry = Registry.installed(settings.store())
    if _embedded(name, registry, settings.store()):
        raise Unavailable(f"the model {name!r} is part of its engine and cannot be removed")
    freed = delete(name, settings.store())
    typer.echo(f"{name} is removed: {freed / 1e6:,.0f} MB")


@app.command("path")
def path(context: typer.Context, name: Name) -> None:
    """Print the folder of a model that is here."""
    settings: Settings = context.obj
    store = settings.store()
    known = find(name)
    folder = known.name if known is not None else name
    place = store.find(folder) if folder in store.names() else None
    if place is None:
        if _embedded(name, Registry.installed(store), store):
            raise Unavailable(f"the model {name!r} is part of its engine and has no folder of its own")
        raise ModelNotFound(f"the model {folder!r} is not here; `stenod models pull {folder}` gets what the hub has")
    typer.echo(place)


def _embedded(name: str, registry: Registry, store: Store) -> bool:
    return any(
        model.installed and name in {model.name, *model.aliases} and model.name not in store.names()
        for model in registry.models()
    )


def _row(model: Model) -> Row:
    known = find(model.name)
    return Row(
        name=model.name,
        engine=model.family,
        installed=model.installed,
        download_mb=known.download_mb if known is not None else None,
        memory_mb=model.size_mb,
        languages=model.languages,
        licence=model.licence,
        expect=model.expect,
        aliases=model.aliases,
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.engine,
        "yes" if row.installed else "no",
        f"{row.download_mb} MB" if row.download_mb is not None else "-",
        f"{row.memory_mb} MB",
        "any" if "*" in row.languages else _few(row.languages),
        row.licence,
        row.expect,
    )


def _few(languages: Sequence[str]) -> str:
    return ", ".join(languages) if len(languages) <= 4 else f"{', '.join(languages[:3])} and {len(languages) - 3} more"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
