"""Looks into a `.nemo` file, a tar archive, without unpacking it. Imports nothing heavy."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Final

CONFIGURATION: Final = "model_config.yaml"

_LARGE: Final = 1 << 24
"""Bytes. Beyond a member of this size a compressed archive is not read on: that would cost seconds."""

_TARGET: Final = re.compile(rb"^target:\s*['\"]?([\w.]+)", re.MULTILINE)


def archive(place: Path) -> Path | None:
    """The `.nemo` file at `place`: itself, or the only one in that folder."""
    found = [place] if place.is_file() else sorted(place.glob("*.nemo"))
    return found[0] if len(found) == 1 and found[0].suffix == ".nemo" else None


def target(file: Path) -> str:
    """The name of the class that the archive's configuration is for, without its module; empty where it says none."""
    try:
        with tarfile.open(file) as tar:
            seekable = not _compressed(file)
            for member in tar:
                if Path(member.name).name == CONFIGURATION:
                    stream = tar.extractfile(member)
                    found = _TARGET.search(stream.read()) if stream is not None else None
                    return found[1].decode().rpartition(".")[2] if found else ""
                if member.size > _LARGE and not seekable:
                    return ""
    except (OSError, EOFError, tarfile.TarError):
        return ""
    return ""


def _compressed(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"
