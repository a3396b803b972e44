"""What stands beside Parakeet on the hub: Canary, Whisper, streaming checkpoints. Rows of the catalogue and nothing else.

Error rates are the averages of the Open ASR leaderboard, English short form. Sizes are those of the repositories' files.
Left out, since no export in a layout read here could be verified: parakeet_realtime_eou_120m-v1 for sherpa-onnx.
"""

from __future__ import annotations

from typing import Final

from stenod.models.checkpoint import Checkpoint
from stenod.models.languages import CANARY_1, ENGLISH, EUROPEAN, NEMOTRON
from stenod.models.languages import WHISPER as EVERY

_ATTENTION: Final = (
    ("int8", ("encoder-model.int8.onnx", "decoder-model.int8.onnx")),  # twice as fast on CPUs, a quarter of the size
    ("fp32", ("encoder-model.onnx", "encoder-model.onnx.*", "decoder-model.onnx", "decoder-model.onnx.*")),
)
"""onnx-asr's layout of an attention encoder and decoder."""


def _canary(  # noqa: PLR0913 each a column, by name
    name: str, *, download_mb: int, memory_mb: int, languages: tuple[str, ...], quality: int, expect: str
) -> Checkpoint:
    return Checkpoint(
        name=name,
        family="canary",
        repo=f"istupakov/{name}-onnx",
        files=("config.json", "vocab.txt"),
        precisions=_ATTENTION,
        download_mb=download_mb,
        memory_mb=memory_mb,
        languages=languages,
        licence="CC-BY-4.0",
        quality=quality,
        expect=expect,
        aliases=(f"nvidia/{name}", f"nemo-{name}"),
    )


CANARY: Final = (
    _canary(
        "canary-1b-v2",
        download_mb=1030,
        memory_mb=1700,
        languages=EUROPEAN,
        quality=75,
        expect="very accurate in 25 European languages (7.2 % errors in English), translates from and into English",
    ),
    _canary(
        "canary-1b-flash",
        download_mb=940,
        memory_mb=1500,
        languages=CANARY_1,
        quality=76,
        expect="very accurate in English (6.4 % errors), German, French and Spanish, translates from and into English",
    ),
    _canary(
        "canary-180m-flash",
        download_mb=213,
        memory_mb=500,
        languages=CANARY_1,
        quality=65,
        expect="accurate for its size in English, German, French and Spanish, translates from and into English",
    ),
)


def _whisper(  # noqa: PLR0913 each a column, by name
    size: str,
    *,
    download_mb: int,
    quality: int,
    expect: str,
    repo: str = "",
    aliases: tuple[str, ...] = (),
    english: bool = False,
) -> Checkpoint:
    return Checkpoint(
        name=f"whisper-{size}",
        family="whisper",
        repo=repo or f"Systran/faster-whisper-{size}",
        files=("config.json", "model.bin", "tokenizer.json", "vocabulary.*", "preprocessor_config.*"),
        download_mb=download_mb,
        memory_mb=download_mb + 400,  # published as fp16, computed as int8 or fp16
        languages=ENGLISH if english else EVERY,
        licence="MIT",
        quality=quality,
        expect=expect,
        aliases=(size, *aliases),
    )


WHISPER: Final = (
    _whisper("tiny", download_mb=78, quality=22, expect="rough, in 99 languages"),
    _whisper("tiny.en", download_mb=78, quality=23, expect="rough, in English", english=True),
    _whisper("base", download_mb=148, quality=32, expect="fair, in 99 languages"),
    _whisper("base.en", download_mb=148, quality=33, expect="fair, in English", english=True),
    _whisper("small", download_mb=487, quality=45, expect="good, in 99 languages"),
    _whisper("small.en", download_mb=487, quality=46, expect="good, in English", english=True),
    _whisper("medium", download_mb=1530, quality=55, expect="accurate, in 99 languages"),
    _whisper("medium.en", download_mb=1530, quality=56, expect="accurate, in English", english=True),
    _whisper("large-v1", download_mb=3090, quality=57, expect="accurate, in 99 languages; the later ones are better"),
    _whisper("large-v2", download_mb=3090, quality=58, expect="accurate, in 99 languages"),
    _whisper(
        "large-v3",
        download_mb=3090,
        quality=61,
        expect="accurate (7.4 % errors in English), in 99 languages; slow",
        aliases=("large", "openai/whisper-large-v3"),
    ),
    _whisper(
        "large-v3-turbo",
        download_mb=1620,
        quality=60,
        expect="accurate (7.8 % errors in English), in 99 languages",
        repo="mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        aliases=("turbo", "whisper-turbo", "openai/whisper-large-v3-turbo"),
    ),
    _whisper(
        "distil-small.en",
        download_mb=335,
        quality=47,
        expect="good, in English",
        repo="Systran/faster-distil-whisper-small.en",
        english=True,
    ),
    _whisper(
        "distil-medium.en",
        download_mb=790,
        quality=57,
        expect="accurate, in English",
        repo="Systran/faster-distil-whisper-medium.en",
        english=True,
    ),
    _whisper(
        "distil-large-v3",
        download_mb=1515,
        quality=62,
        expect="accurate, in English",
        repo="Systran/faster-distil-whisper-large-v3",
        english=True,
    ),
    _whisper(
        "distil-large-v3.5",
        download_mb=1515,
        quality=63,
        expect="accurate, in English (7.2 % errors)",
        repo="distil-whisper/distil-large-v3.5-ct2",
        english=True,
    ),
)


def _streaming(  # noqa: PLR0913 each a column, by name
    name: str,
    export: str,
    *,
    download_mb: int,
    languages: tuple[str, ...],
    licence: str,
    quality: int,
    expect: str,
    aliases: tuple[str, ...] = (),
) -> Checkpoint:
    return Checkpoint(
        name=name,
        family="streaming",
        repo=f"csukuangfj2/sherpa-onnx-{export}",
        files=("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx", "tokens.txt"),
        download_mb=download_mb,
        memory_mb=download_mb + 400,
        languages=languages,
        licence=licence,
        quality=quality,
        expect=expect,
        aliases=aliases,
    )


STREAMING: Final = (
    _streaming(
        "nemotron-speech-streaming-en-0.6b",
        "nemotron-speech-streaming-en-0.6b-560ms-int8-2026-04-25",
        download_mb=662,
        languages=ENGLISH,
        licence="NVIDIA Open Model License",
        quality=70,
        expect="accurate in English (7.1 % errors) while it is spoken, every 0.56 s, with case and punctuation",
        aliases=("nvidia/nemotron-speech-streaming-en-0.6b",),
    ),
    _streaming(
        "nemotron-speech-streaming-en-0.6b-160ms",
        "nemotron-speech-streaming-en-0.6b-160ms-int8-2026-04-25",
        download_mb=662,
        languages=ENGLISH,
        licence="NVIDIA Open Model License",
        quality=69,
        expect="accurate in English (7.8 % errors) while it is spoken, every 0.16 s, at three times the work",
    ),
    _streaming(
        "nemotron-3.5-asr-streaming-0.6b",
        "nemotron-3.5-asr-streaming-0.6b-560ms-int8-2026-06-11",
        download_mb=682,
        languages=NEMOTRON,
        licence="OpenMDW-1.1",
        quality=67,
        expect="accurate in many languages while it is spoken, every 0.56 s; where it is English, take the English one",
        aliases=("nvidia/nemotron-3.5-asr-streaming-0.6b",),
    ),
    _streaming(
        "parakeet-unified-en-0.6b",
        "nemo-parakeet-unified-en-0.6b-int8-streaming-560ms",
        download_mb=663,
        languages=ENGLISH,
        licence="NVIDIA Open Model License",
        quality=73,
        expect="very accurate in English (6.5 % errors) while it is spoken, every 0.56 s, but heavy on a CPU",
        aliases=("nvidia/parakeet-unified-en-0.6b",),
    ),
)
"""In sherpa-onnx's layout, int8."""
