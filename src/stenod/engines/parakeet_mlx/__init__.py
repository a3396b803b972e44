"""The family `parakeet-mlx`: Parakeet on Apple silicon, by the networks of parakeet-mlx (the extra `stenod[mlx]`).

TDT, RNN-T and CTC models and hybrids of the first and the last. On Linux it runs on the processor, for tests. This file says
what there is and loads it; MLX is imported only then. A model is a folder with `config.json` and `model.safetensors`.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model
from stenod.engines.shelf import shelf
from stenod.errors import Unavailable
from stenod.models.catalogue import Checkpoint

CONFIGURATION: Final = "config.json"
WEIGHTS: Final = "model.safetensors"

CLASSES: Final = frozenset({"EncDecRNNTBPEModel", "EncDecHybridRNNTCTCBPEModel", "EncDecCTCModelBPE"})
"""NeMo's model classes that parakeet-mlx has networks for."""


def _can(languages: tuple[str, ...]) -> Capabilities:
    return Capabilities(
        languages=languages,
        max_batch=32,
        max_seconds=60.0,
        words=True,
        confidence=True,
        vocabulary=True,
        precisions=("fp32", "fp16", "bf16"),
        devices=("cpu", "mps"),
    )


def _describe(one: Checkpoint) -> Capabilities:
    return _can(one.languages)


def _adopt(place: Path) -> Model | None:
    """A folder whose configuration names one of `CLASSES`."""
    try:
        told = json.loads((place / CONFIGURATION).read_text(encoding="utf-8"))
        size = (place / WEIGHTS).stat().st_size
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or str(told.get("target")).rpartition(".")[2] not in CLASSES:
        return None
    return Model(
        name=place.name,
        family="parakeet-mlx",
        installed=True,
        languages=("*",),  # the configuration does not say
        capabilities=_can(("*",)),
        licence="unknown",
        size_mb=round(size / 1e6) + 200,
        quality=50,
        expect="a Parakeet of your own for MLX",
        params=(("directory", str(place)),),
    )


def _load(model: Model, options: LoadOptions) -> Engine:
    """Load a folder of the store. The parameter `decoder=ctc` takes the second head of a hybrid model."""
    if find_spec("mlx") is None or find_spec("parakeet_mlx") is None:
        raise Unavailable("models for MLX need the package parakeet-mlx; `pip install 'stenod[mlx]'` gets it")
    from stenod.engines.parakeet_mlx.engine import load  # noqa: PLC0415 heavy

    params: dict[str, Any] = dict(model.params)
    return load(model, options, Path(params["directory"]), str(params.get("decoder", "")))


FAMILY = Family("parakeet-mlx", shelf("parakeet-mlx", _describe), _load, _adopt)
