"""The checkpoints that stenod knows by name: where each is published, what it is for, under which licence.

A table and nothing more, its rows written down by family. What an engine can do with a checkpoint is said by the engine;
whether it is here, by the store. Rows hold what the model cards and the repositories say; a checksum stands in none of them,
for the hub gives those with the files.
"""

from __future__ import annotations

from typing import Final

from stenod.models.checkpoint import Checkpoint
from stenod.models.companions import CANARY, STREAMING, WHISPER
from stenod.models.parakeets import MLX, NEMO, ONNX

__all__ = ["CHECKPOINTS", "Checkpoint", "checkpoints", "find"]

CHECKPOINTS: Final[tuple[Checkpoint, ...]] = (*ONNX, *NEMO, *MLX, *CANARY, *WHISPER, *STREAMING)


def checkpoints(family: str) -> tuple[Checkpoint, ...]:
    """The checkpoints that the engine `family` reads."""
    return tuple(one for one in CHECKPOINTS if one.family == family)


def find(name: str) -> Checkpoint | None:
    """The checkpoint of that name, alias or repository."""
    return next((one for one in CHECKPOINTS if name in {one.name, one.repo, *one.aliases}), None)
