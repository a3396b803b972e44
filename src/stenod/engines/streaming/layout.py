"""Which folders hold a streaming transducer in sherpa-onnx's layout, and what can be said of it without loading it.

`encoder.onnx`, `decoder.onnx`, `joiner.onnx` (each perhaps as `.int8.onnx`, too) and `tokens.txt`. The same names are used
for transducers that do not stream: only the encoder's inputs and metadata tell. Reads headers; imports nothing heavy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stenod.engines.base import Capabilities, Model
from stenod.errors import Unavailable
from stenod.models import onnx_file

PARTS: Final = ("encoder", "decoder", "joiner")
PRECISIONS: Final = ("int8", "fp32")
"""The first that is there is taken: it is what sherpa-onnx publishes and recommends."""

STATES_MB: Final = 512
"""Memory, in millions of bytes, that open streams may take."""

_CACHES: Final = ("cache_last_channel_dim", "cache_last_time_dim")
_NUMBERS: Final = ("vocab_size", "subsampling_factor", "pred_rnn_layers", "pred_hidden")
_CACHE_AWARE: Final = ("window_size", "chunk_shift", *(f"{cache}{axis}" for cache in _CACHES for axis in (1, 2, 3)))
_BUFFERED: Final = ("left_feature_frames", "chunk_feature_frames", "right_feature_frames")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one model, and the numbers in the encoder's metadata."""

    files: Mapping[str, Path]
    """By part, and `tokens`."""
    numbers: Mapping[str, int]
    languages: tuple[str, ...]
    """Of a model that is told the language; empty where there is nothing to tell."""
    vocabulary: tuple[str, ...]
    """The tokens, blank last."""

    @property
    def lead(self) -> int:
        """Feature frames (10 ms) at the head of a cache-aware chunk that are context only: nobody decodes the first ones."""
        return self.numbers["window_size"] - self.numbers["chunk_shift"] if "window_size" in self.numbers else 0

    @property
    def chunk(self) -> int:
        """Feature frames that the encoder wants to see for one step."""
        if "window_size" in self.numbers:
            return self.numbers["window_size"]
        return self.numbers["chunk_feature_frames"] + self.numbers["right_feature_frames"]

    @property
    def state_mb(self) -> float:
        """What one open stream takes, in millions of bytes: the encoder's caches, float32."""
        sizes = [1] * len(_CACHES)
        for index, cache in enumerate(_CACHES):
            for axis in (1, 2, 3):
                sizes[index] *= self.numbers.get(f"{cache}{axis}", 1)
        return sum(sizes) * 4 / 1e6


def capabilities(languages: Sequence[str], *, states: int = 64, precisions: Sequence[str] = PRECISIONS) -> Capabilities:
    """What a streaming transducer can do; its greedy search never takes a token back, but the last word may still grow."""
    return Capabilities(
        languages=tuple(languages),
        max_batch=32,
        max_seconds=600.0,
        words=True,
        confidence=True,
        streams=True,
        append_only=True,
        holds=1,
        max_states=states,
        precisions=tuple(precisions),
    )


def adopt(place: Path) -> Model | None:
    """See Family."""
    found = [precision for precision in PRECISIONS if files(place, precision) is not None]
    if not found:
        return None
    try:
        layout = read(place, found[0])
    except (Unavailable, ValueError, OSError):
        return None
    languages = layout.languages or ("en",)
    states = int(min(256, max(8, STATES_MB / max(layout.state_mb, 0.1))))
    size = sum(file.stat().st_size for file in place.iterdir() if file.is_file()) / 1e6
    return Model(
        name=place.name,
        family="streaming",
        installed=True,
        languages=languages,
        capabilities=capabilities(languages, states=states, precisions=found),
        licence="as its publisher says",
        size_mb=max(1, round(size)),
        quality=50,
        expect="a streaming model: less accurate than Parakeet, but its partials cost little and never change",
        params=(("directory", str(place)),),
    )


def files(place: Path, precision: str) -> dict[str, Path] | None:
    """The model's files in `place`, or None where one is missing; of a part without that precision, the other one."""
    endings = (".int8.onnx", ".onnx") if precision == "int8" else (".onnx", ".int8.onnx")
    if not (place / f"encoder{endings[0]}").is_file() or not (place / "tokens.txt").is_file():
        return None
    found = {"tokens": place / "tokens.txt"}
    for part in PARTS:
        named = (place / f"{part}{ending}" for ending in endings)
        file = next((file for file in named if file.is_file()), None)
        if file is None:
            return None
        found[part] = file
    return found


def read(place: Path, precision: str) -> Layout:
    """The model in `place`. Raises Unavailable where it is none or damaged, ValueError, OSError.

    The runtime ends its process over a file that it does not like, so everything it wants is looked for here.
    """
    found = files(place, precision)
    if found is None:
        raise Unavailable("the folder of the model lacks some of encoder, decoder, joiner and tokens.txt")
    encoder = onnx_file.read(found["encoder"])
    if not encoder.streams:
        raise Unavailable("the encoder in the folder of the model does not stream")
    wanted = (*_NUMBERS, *(_BUFFERED if "streaming_model_type" in encoder.metadata else _CACHE_AWARE))
    try:
        numbers = {name: int(encoder.metadata[name]) for name in wanted}
    except (KeyError, ValueError) as error:
        raise Unavailable(f"the encoder's metadata do not say {error}") from None
    tokens = found["tokens"].read_text(encoding="utf-8").splitlines()
    vocabulary = tuple(line.rpartition(" ")[0] for line in tokens if line.strip())
    if len(vocabulary) != numbers["vocab_size"] + 1 or vocabulary[-1] != "<blk>":
        raise Unavailable(f"tokens.txt must list {numbers['vocab_size']} tokens and then <blk>")
    told = _languages(encoder.metadata) if "prompt_index" in encoder.inputs else ()
    return Layout(found, numbers, told, vocabulary)


def _languages(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The primary subtags of the languages that a prompted encoder knows: `en` of `en-US`."""
    try:
        prompts = json.loads(metadata.get("prompt_dictionary", "{}"))
    except ValueError:
        prompts = {}
    tags = (str(tag).replace("_", "-").partition("-")[0].lower() for tag in prompts)
    return tuple(sorted({tag for tag in tags if 2 <= len(tag) <= 3})) or ("*",)
