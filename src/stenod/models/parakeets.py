"""The Parakeet family on the hub, in the three forms that the three engines read. Rows of the catalogue and nothing else.

Error rates are the averages of the Open ASR leaderboard, English short form. Sizes are those of the repositories' files;
memory is the weights and what ONNX Runtime, PyTorch or MLX need beside them.
"""

from __future__ import annotations

from typing import Final

from stenod.models.checkpoint import Checkpoint
from stenod.models.languages import ENGLISH, EUROPEAN

_FUSED: Final = (
    ("fp32", ("encoder-model.onnx", "encoder-model.onnx.*", "decoder_joint-model.onnx")),
    ("int8", ("encoder-model.int8.onnx", "decoder_joint-model.int8.onnx")),
)
"""onnx-asr's layout of a transducer."""

_CTC: Final = (("fp32", ("model.onnx", "model.onnx.*")), ("int8", ("model.int8.onnx",)))
"""onnx-asr's layout of a CTC model."""

_TEXT: Final = ("config.json", "vocab.txt")

ONNX: Final = (
    Checkpoint(
        name="parakeet-tdt-0.6b-v3",
        family="parakeet-onnx",
        repo="istupakov/parakeet-tdt-0.6b-v3-onnx",
        files=_TEXT,
        precisions=_FUSED,
        download_mb=2550,
        memory_mb=3000,
        languages=EUROPEAN,
        licence="CC-BY-4.0",
        quality=86,
        expect="very accurate in 25 European languages (6.3 % errors in English), with case and punctuation",
        aliases=("nvidia/parakeet-tdt-0.6b-v3", "nemo-parakeet-tdt-0.6b-v3"),
    ),
    Checkpoint(
        name="parakeet-tdt-0.6b-v2",
        family="parakeet-onnx",
        repo="istupakov/parakeet-tdt-0.6b-v2-onnx",
        files=_TEXT,
        precisions=_FUSED,
        download_mb=2515,
        memory_mb=3000,
        languages=ENGLISH,
        licence="CC-BY-4.0",
        quality=86,  # as v3: which of the two is meant depends on the language
        expect="the most accurate in English (6.1 % errors), with case and punctuation",
        aliases=("nvidia/parakeet-tdt-0.6b-v2", "nemo-parakeet-tdt-0.6b-v2"),
    ),
    Checkpoint(
        name="parakeet-rnnt-0.6b",
        family="parakeet-onnx",
        repo="istupakov/parakeet-rnnt-0.6b-onnx",
        files=_TEXT,
        precisions=_FUSED,
        download_mb=2500,
        memory_mb=3000,
        languages=ENGLISH,
        licence="CC-BY-4.0",
        quality=72,
        expect="accurate in English, in lower case without punctuation",
        aliases=("nvidia/parakeet-rnnt-0.6b", "nemo-parakeet-rnnt-0.6b"),
    ),
    Checkpoint(
        name="parakeet-ctc-0.6b",
        family="parakeet-onnx",
        repo="istupakov/parakeet-ctc-0.6b-onnx",
        files=_TEXT,
        precisions=_CTC,
        download_mb=2440,
        memory_mb=2900,
        languages=ENGLISH,
        licence="CC-BY-4.0",
        quality=71,
        expect="accurate in English (7.7 % errors) and the fastest, in lower case without punctuation",
        aliases=("nvidia/parakeet-ctc-0.6b", "nemo-parakeet-ctc-0.6b"),
    ),
    Checkpoint(
        name="parakeet-tdt-110m",
        family="parakeet-onnx",
        repo="csukuangfj/sherpa-onnx-nemo-parakeet_tdt_transducer_110m-en-36000",
        files=("encoder.onnx", "decoder.onnx", "joiner.onnx", "tokens.txt"),  # sherpa-onnx's layout; fp32
        download_mb=456,
        memory_mb=700,
        languages=ENGLISH,
        licence="CC-BY-4.0",
        quality=74,
        expect="accurate in English for its size (7.5 % errors), with case and punctuation",
        aliases=("parakeet-tdt_ctc-110m", "nvidia/parakeet-tdt_ctc-110m"),
    ),
)
"""For ONNX Runtime: what the base installation reads."""


def _nemo(name: str, *, download_mb: int, languages: tuple[str, ...], quality: int, expect: str) -> Checkpoint:
    return Checkpoint(
        name=f"{name}-nemo",
        family="parakeet-nemo",
        repo=f"nvidia/{name}",
        files=("*.nemo",),
        download_mb=download_mb,
        memory_mb=2 * download_mb + 1000,  # unpacked beside the weights while it loads, and PyTorch itself
        languages=languages,
        licence="CC-BY-4.0",
        quality=quality,
        expect=f"{expect}; as NVIDIA published it, for NVIDIA GPUs",
    )


NEMO: Final = (
    _nemo(
        "parakeet-tdt-0.6b-v3",
        download_mb=2510,
        languages=EUROPEAN,
        quality=85,
        expect="very accurate in 25 European languages, with case and punctuation",
    ),
    _nemo(
        "parakeet-tdt-0.6b-v2",
        download_mb=2470,
        languages=ENGLISH,
        quality=85,
        expect="the most accurate in English, with case and punctuation",
    ),
    _nemo(
        "parakeet-rnnt-0.6b",
        download_mb=2470,
        languages=ENGLISH,
        quality=72,
        expect="accurate in English, in lower case without punctuation",
    ),
    _nemo(
        "parakeet-ctc-0.6b",
        download_mb=2440,
        languages=ENGLISH,
        quality=71,
        expect="accurate in English and fast, in lower case without punctuation",
    ),
    _nemo(
        "parakeet-tdt_ctc-110m",
        download_mb=459,
        languages=ENGLISH,
        quality=73,
        expect="accurate in English for its size, with case and punctuation",
    ),
)
"""For NeMo (`stenod[nemo]`)."""


def _mlx(name: str, *, download_mb: int, languages: tuple[str, ...], quality: int, expect: str) -> Checkpoint:
    return Checkpoint(
        name=f"{name}-mlx",
        family="parakeet-mlx",
        repo=f"mlx-community/{name}",
        files=("config.json", "model.safetensors"),
        download_mb=download_mb,
        memory_mb=download_mb + 500,
        languages=languages,
        licence="CC-BY-4.0",
        quality=quality,
        expect=f"{expect}; for Apple silicon",
    )


MLX: Final = (
    _mlx(
        "parakeet-tdt-0.6b-v3",
        download_mb=2510,
        languages=EUROPEAN,
        quality=84,
        expect="very accurate in 25 European languages, with case and punctuation",
    ),
    _mlx(
        "parakeet-tdt-0.6b-v2",
        download_mb=2470,
        languages=ENGLISH,
        quality=84,
        expect="the most accurate in English, with case and punctuation",
    ),
    _mlx(
        "parakeet-tdt_ctc-110m",
        download_mb=459,
        languages=ENGLISH,
        quality=73,
        expect="accurate in English for its size, with case and punctuation",
    ),
)
"""For MLX (`stenod[mlx]`)."""
