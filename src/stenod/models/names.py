"""Names that mean a kind of model rather than one: those of the five documents, and those of hosted services.

Each stands for engine families, the preferred first; the best installed model of the first family that has one is meant.
Where none is installed, whatever is best takes its place, and clients are told so in their own dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ONNX: Final = ("parakeet-onnx",)
_NEMO: Final = ("parakeet-nemo",)
_MLX: Final = ("parakeet-mlx",)
_ANY: Final = (*_ONNX, *_NEMO, *_MLX)

GENERIC: Final[Mapping[str, tuple[str, ...]]] = {
    "parakeet": _ANY,
    "standard": (*_NEMO, *_ONNX, *_MLX),
    "parakeet-standard": (*_NEMO, *_ONNX, *_MLX),
    "onnx": _ONNX,
    "parakeet-onnx": _ONNX,
    "mlx": _MLX,
    "parakeet-mlx": _MLX,
    "nemo": _NEMO,
    "parakeet-nemo": _NEMO,
    "NexaAI/parakeet-npu": _ANY,
    "canary": ("canary",),
    "whisper": ("whisper",),
    "whisper-1": ("whisper",),
    "streaming": ("streaming",),
}
"""Families that a generic name stands for."""
