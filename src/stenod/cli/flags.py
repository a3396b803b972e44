"""Flags that stand for settings: their names and help come from the settings themselves. No command enters this file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from stenod.settings import Loaded, catalogue, load
from stenod.settings.catalogue import shown


def flag(name: str) -> Any:
    """The command-line option for the setting `name`."""
    setting = catalogue()[name]
    if setting.flag is None:
        raise ValueError(f"the setting {name} has no flag")
    text = f"{setting.meaning} [default: {shown(setting.default)}]"
    return typer.Option(setting.flag, metavar=setting.flag[2:].upper(), help=text, show_default=False)


Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="TOML file with settings. [default: stenod.toml, where there is one]",
        show_default=False,
    ),
]
Language: TypeAlias = Annotated[
    str | None, typer.Option("--language", metavar="TAG", help="What is spoken, like en or en-GB.")
]
ModelName: TypeAlias = Annotated[str | None, flag("model.name")]
ModelDirectory: TypeAlias = Annotated[str | None, flag("model.directory")]
LogLevel: TypeAlias = Annotated[str | None, flag("server.log_level")]


def loaded(flags: Mapping[str, object], config: Path | None) -> Loaded:
    """The settings in force in this process, `flags` by setting name. Raises BadSettings."""
    return load(flags, config=config, environ=os.environ, directory=Path.cwd())
