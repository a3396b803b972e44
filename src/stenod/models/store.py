"""The folder that holds models: one folder a model, named as clients ask for it. Looks, and changes nothing.

A folder is complete when it is there: what is still being fetched lies under a name that ends in `.part`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PART: Final = ".part"
"""Ending of a folder that is not complete yet."""


@dataclass(frozen=True, slots=True)
class Store:
    """The models under `directory`, which need not exist."""

    directory: Path

    def path(self, name: str) -> Path:
        """Where the model `name` lies or would lie. Raises ValueError for what cannot be a folder's name."""
        if not name or name != Path(name).name or name.startswith(".") or name.endswith(PART):
            raise ValueError(f"{name!r} is no model's name")
        return self.directory / name

    def find(self, name: str) -> Path | None:
        """The folder of the model `name`, or None where it is not installed."""
        place = self.path(name)
        return place if place.is_dir() else None

    def names(self) -> tuple[str, ...]:
        """Every folder here that may be a model, in order."""
        if not self.directory.is_dir():
            return ()
        folders = (place for place in self.directory.iterdir() if place.is_dir())
        return tuple(sorted(place.name for place in folders if place.suffix != PART and not place.name.startswith(".")))

    def changed(self) -> int | None:
        """When a model came or went last: a number that differs then. None where the folder is not there."""
        try:
            return self.directory.stat().st_mtime_ns
        except OSError:
            return None
