"""`stenod models`: which recognisers there are. Loads none of them."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from stenod.engines.base import Model
from stenod.engines.registry import Registry

HEADINGS = ("name", "engine", "installed", "languages", "licence", "memory", "expect")


def models() -> None:
    """List the models, the best first, and what keeps an engine from being used."""
    registry = Registry.installed()
    typer.echo(_table([HEADINGS, *map(_row, registry.models())]))
    for family, reason in sorted(registry.broken.items()):
        typer.echo(f"{family}: cannot be used here: {reason}")


def _row(model: Model) -> tuple[str, ...]:
    installed = "yes" if model.installed else "no"
    languages = "any" if "*" in model.languages else _few(model.languages)
    return model.name, model.family, installed, languages, model.licence, f"{model.size_mb} MB", model.expect


def _few(languages: Sequence[str]) -> str:
    return ", ".join(languages) if len(languages) <= 4 else f"{', '.join(languages[:3])} and {len(languages) - 3} more"


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
