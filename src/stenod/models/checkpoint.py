"""What is known of one published checkpoint. A value and two questions to it; the values themselves are in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stenod.errors import BadRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One published set of weights in the form that one engine reads."""

    name: str
    """What clients and operators ask for."""
    family: str
    """The engine that reads it: its name in the entry-point group `stenod.engines`."""
    repo: str
    """Where the hub has it: `owner/name`."""
    files: tuple[str, ...]
    """The files it takes: names, which must be there, and shell patterns, which need not match anything."""
    precisions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Further files that one precision takes: `(("int8", ("*.int8.onnx",)),)`; the first is the usual one."""
    download_mb: int
    """What the usual form takes to fetch, in millions of bytes."""
    memory_mb: int
    """What it takes when loaded, roughly, in millions of bytes."""
    languages: tuple[str, ...]
    licence: str
    quality: int
    """Rank for `auto` among what is installed."""
    expect: str
    """One line for people: how accurate to expect it to be."""
    aliases: tuple[str, ...] = ()
    params: tuple[tuple[str, Any], ...] = ()
    """What the engine's loader must be told of it."""

    def precision(self, wanted: str) -> str:
        """The precision that `wanted` (`auto`: the usual one) means; empty where there is one form only.

        Raises BadRequest for one that is not published.
        """
        published = tuple(name for name, _ in self.precisions)
        if wanted == "auto":
            return published[0] if published else ""
        if wanted not in published:
            there = f"only in {', '.join(published)}" if published else "in one precision only"
            raise BadRequest(f"the model {self.name!r} is published {there}, not in {wanted}")
        return wanted

    def patterns(self, wanted: str) -> tuple[str, ...]:
        """Shell patterns of the files that the precision `wanted` takes. Raises BadRequest as `precision` does."""
        return self.files + dict(self.precisions).get(self.precision(wanted), ())
