"""`stenod config`: the settings in force, secrets masked, and where each came from."""

from __future__ import annotations

from typing import Annotated

import typer

from stenod.cli.flags import Config, loaded
from stenod.settings.catalogue import markdown, shown


def config(
    show: Annotated[bool, typer.Option("--show", help="Print the settings in force, as TOML.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Print a table of all settings, as Markdown.")] = False,
    path: Config = None,
) -> None:
    """Check the settings, and print them. Without an option only what is not at its default is printed."""
    found = loaded({}, path)
    if table:
        typer.echo(markdown(), nl=False)
        return
    for group, fields in found.settings.masked().items():
        rows = [(_line(name, value), found.origins.get(f"{group}.{name}")) for name, value in fields.items()]
        told = [(line, origin) for line, origin in rows if show or origin]
        if told:
            width = max(len(line) for line, _ in told)
            typer.echo(f"[{group}]")
            for line, origin in told:
                typer.echo(f"{line:{width}}  # {origin}" if origin else line)
            typer.echo()


def _line(name: str, value: object) -> str:
    """TOML has no word for what is not set."""
    return f"# {name} is not set" if value is None else f"{name} = {shown(value)}"
