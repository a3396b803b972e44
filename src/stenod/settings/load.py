"""From four places to one `Settings`: flags, the environment, `.env`, and the TOML file, in that order of precedence.

Each place is read into `name -> Given(value, origin)`; the first that has a name wins. Whatever is wrong becomes one
line that names the setting, its value, what it may be, and where it stands.
"""

from __future__ import annotations

import difflib
import io
import tomllib
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from dotenv.parser import parse_stream
from pydantic import ValidationError

from stenod.errors import BadSettings
from stenod.settings.catalogue import PREFIX, catalogue, shown
from stenod.settings.tree import Settings

CONFIG = f"{PREFIX}CONFIG"
RESERVED = (f"{PREFIX}TEST_",)
"""Names in the environment that begin like settings and are none."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it stands somewhere, and where."""

    value: Any
    origin: str


Place: TypeAlias = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each came from that is not at its default."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str],
    directory: Path,
) -> Settings:
    """Settings in force. `flags` by setting name (`server.port`; None: not given); see `load` for the rest."""
    return load(flags, config=config, environ=environ, directory=directory).settings


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str],
    directory: Path,
) -> Loaded:
    """Settings in force and their origins. Raises BadSettings with one line.

    `directory` is where `.env` and `stenod.toml` are looked for; `config`, or `STENOD_CONFIG`, names another TOML file,
    which must then exist.
    """
    dotenv = _dotenv(directory / ".env")
    file, origin = _toml_path(config, environ, dotenv, directory)
    places = (
        _from_flags(flags or {}),
        _from_names(environ, "environment: {}"),
        _from_names(dotenv, ".env: {}"),
        _from_toml(file, origin),
    )
    given = ChainMap(*map(dict, places))
    try:
        settings = Settings.model_validate(_nested(given))
    except ValidationError as wrong:
        raise BadSettings(_line(wrong, given)) from None
    return Loaded(settings, {name: given[name].origin for name in catalogue() if name in given})


def _from_flags(flags: Mapping[str, object]) -> Place:
    known = catalogue()
    return {
        name: Given(value, f"flag {known[name].flag or name}") for name, value in flags.items() if value is not None
    }


def _from_names(variables: Mapping[str, str], origin: str) -> Place:
    """What an environment says. Empty counts as not said. A setting's own name goes before its alias."""
    known = catalogue()
    names = {setting.env: setting.name for setting in known.values()}
    for variable, value in variables.items():
        name = variable.upper()
        if name.startswith(PREFIX) and name not in names and name != CONFIG and not name.startswith(RESERVED):
            raise BadSettings(f"{origin.format(variable)} = {shown(value)}: no such setting{_meant(name, names)}")
    spelled = {variable.upper() if variable.upper() in names else variable: variable for variable in variables}
    return {
        setting.name: Given(variables[spelled[name]], origin.format(spelled[name]))
        for setting in known.values()
        for name in (setting.alias, setting.env)  # the later one wins
        if name in spelled and variables[spelled[name]] != ""
    }


def _dotenv(path: Path) -> Mapping[str, str]:
    """The variables of a `.env` file, `$` taken as it stands."""
    if not path.is_file():
        return {}
    lines = list(parse_stream(io.StringIO(_text(path))))
    for line in lines:
        if line.error:
            raise BadSettings(
                f".env: line {line.original.line} is not NAME=value: {shown(line.original.string.strip())}"
            )
    return {line.key: line.value or "" for line in lines if line.key}


def _toml_path(
    config: Path | None, environ: Mapping[str, str], dotenv: Mapping[str, str], directory: Path
) -> tuple[Path | None, str]:
    """The TOML file to read, if any, and how to speak of it."""
    named = str(config) if config is not None else environ.get(CONFIG) or dotenv.get(CONFIG)
    if not named:
        usual = directory / "stenod.toml"
        return (usual if usual.is_file() else None), usual.name
    if not (directory / named).is_file():
        raise BadSettings(f"{named}: there is no such file to read settings from (--config, {CONFIG})")
    return directory / named, named


def _from_toml(path: Path | None, origin: str) -> Place:
    if path is None:
        return {}
    try:
        document = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as wrong:
        raise BadSettings(f"{origin} is not valid TOML: {wrong}") from None
    place = dict(_flat(document, origin))
    known = catalogue()
    for name, given in place.items():
        if name not in known:
            raise BadSettings(f"{origin}: {name} = {shown(given.value)}: no such setting{_meant(name, known)}")
    return place


def _flat(document: Mapping[str, Any], origin: str) -> Iterator[tuple[str, Given]]:
    for group, content in document.items():
        if group in Settings.model_fields and not isinstance(content, dict):
            raise BadSettings(f"{origin}: {group} = {shown(content)}: this is a group of settings, written [{group}]")
        if isinstance(content, dict):
            for key, value in content.items():
                yield f"{group}.{key}", Given(value, f"{origin}: {group}.{key}")
        else:
            yield group, Given(content, f"{origin}: {group}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else "not UTF-8"
        raise BadSettings(f"{path.name} cannot be read: {reason}") from None


def _nested(given: Mapping[str, Given]) -> dict[str, dict[str, Any]]:
    tree: dict[str, dict[str, Any]] = {}
    for name, item in given.items():
        group, _, field = name.partition(".")
        tree.setdefault(group, {})[field] = item.value
    return tree


def _line(wrong: ValidationError, given: Mapping[str, Given]) -> str:
    """The first thing that is wrong, as one line. Secret values are never here: only plain fields can be wrong."""
    first = wrong.errors(include_url=False, include_context=False)[0]
    name = ".".join(str(part) for part in first["loc"][:2])
    setting, item = catalogue()[name], given[name]
    return f"{item.origin} = {shown(item.value)}: {name} must be {setting.allowed}"


def _meant(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = [each for each in names if each.endswith(f".{name}")] or difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""
