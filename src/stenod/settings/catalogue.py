"""Each setting as a line: its names, what it may be, what it means; and the table of them all for the docs.

Reads the tree, and nothing else: no file, no environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stenod.settings.tree import Also, Settings

PREFIX = Settings.model_config["env_prefix"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One leaf of the tree."""

    name: str
    """`group.field`, as in the TOML file."""
    env: str
    alias: str | None
    flag: str | None
    default: Any
    allowed: str
    meaning: str


@cache
def catalogue() -> Mapping[str, Setting]:
    """All settings by name, in the order of the tree."""
    return {
        setting.name: setting
        for group, of_group in Settings.model_fields.items()
        for setting in _leaves(group, of_group.annotation)
    }


def markdown() -> str:
    """The table of all settings, for the docs."""
    rows = [
        "| setting | environment | flag | default | allowed | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for setting in catalogue().values():
        env = f"`{setting.env}`" + (f" or `{setting.alias}`" if setting.alias else "")
        flag = f"`{setting.flag}`" if setting.flag else ""
        default = "not set" if setting.default is None else f"`{shown(setting.default)}`"
        rows.append(f"| `{setting.name}` | {env} | {flag} | {default} | {setting.allowed} | {setting.meaning} |")
    return "\n".join(rows) + "\n"


def shown(value: object) -> str:
    """A value as one writes it in the TOML file."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "[" + ", ".join(shown(item) for item in value) + "]"
        case _:
            return json.dumps(str(value), ensure_ascii=False)


def _leaves(group: str, annotation: object) -> list[Setting]:
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        raise TypeError(f"settings.{group} is no group")
    return [_leaf(group, name, info) for name, info in annotation.model_fields.items()]


def _leaf(group: str, name: str, info: FieldInfo) -> Setting:
    also = next((item for item in info.metadata if isinstance(item, Also)), Also())
    return Setting(
        name=f"{group}.{name}",
        env=f"{PREFIX}{group}_{name}".upper(),
        alias=also.alias,
        flag=also.flag,
        default=info.default,
        allowed=also.allowed or _allowed(info),
        meaning=" ".join((info.description or "").split()),
    )


def _allowed(info: FieldInfo) -> str:
    kind = info.annotation
    if get_origin(kind) is Literal:
        *others, last = map(str, get_args(kind))
        return f"{', '.join(others)} or {last}"
    if kind is bool:
        return "true or false"
    least = next((item for item in info.metadata if isinstance(item, Ge | Gt)), None)
    most = next((item.le for item in info.metadata if isinstance(item, Le)), None)
    words = ["a whole number" if kind is int else "a number"]
    if isinstance(least, Ge):
        words.append(f"from {least.ge}")
    if isinstance(least, Gt):
        words.append(f"above {least.gt}")
    if most is not None:
        words.append(f"up to {most}" if least is None or isinstance(least, Gt) else f"to {most}")
    return " ".join(words) + (" up" if isinstance(least, Ge) and most is None else "")
