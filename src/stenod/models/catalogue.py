"""The checkpoints that stenod knows by name: where each is published, what it is for, under which licence.

A table and nothing more. What an engine can do with a checkpoint is said by the engine; whether it is here, by the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stenod.models.languages import EUROPEAN


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
    """The files it takes, as shell patterns."""
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


CHECKPOINTS: Final[tuple[Checkpoint, ...]] = (
    Checkpoint(
        name="parakeet-tdt-0.6b-v3",
        family="parakeet-onnx",
        repo="istupakov/parakeet-tdt-0.6b-v3-onnx",
        files=("config.json", "vocab.txt"),
        precisions=(
            ("fp32", ("encoder-model.onnx", "encoder-model.onnx.data", "decoder_joint-model.onnx")),
            ("int8", ("encoder-model.int8.onnx", "decoder_joint-model.int8.onnx")),
        ),
        download_mb=2550,
        memory_mb=3000,
        languages=EUROPEAN,
        licence="CC-BY-4.0",
        quality=85,
        expect="very accurate in 25 European languages, with case and punctuation",
        aliases=("nvidia/parakeet-tdt-0.6b-v3", "nemo-parakeet-tdt-0.6b-v3"),
    ),
)


def checkpoints(family: str) -> tuple[Checkpoint, ...]:
    """The checkpoints that the engine `family` reads."""
    return tuple(one for one in CHECKPOINTS if one.family == family)
