"""What a fetched model consists of, kept beside its files as `stenod.json`. A folder without one was put there by hand."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

NAME: Final = "stenod.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a model."""

    path: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Where a model came from, and its files."""

    repo: str
    revision: str
    """The commit, so that what is added later fits."""
    licence: str
    precisions: tuple[str, ...]
    """Those that are here; empty where there is but one form."""
    files: tuple[Kept, ...]

    @classmethod
    def read(cls, place: Path) -> Self | None:
        """The manifest of the model in `place`; None where there is none that makes sense."""
        try:
            told = json.loads((place / NAME).read_text("utf-8"))
            return cls(
                repo=str(told["repo"]),
                revision=str(told["revision"]),
                licence=str(told["licence"]),
                precisions=tuple(map(str, told["precisions"])),
                files=tuple(Kept(**file) for file in told["files"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, place: Path) -> None:
        """Put it into the folder `place`, in one step."""
        fresh = place / f"{NAME}.fresh"
        fresh.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")
        fresh.replace(place / NAME)

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(file.size for file in self.files)
