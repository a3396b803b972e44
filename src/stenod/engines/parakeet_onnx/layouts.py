"""Which files of a folder are a model: onnx-asr's layout and sherpa-onnx's. Looks at names and small texts, loads nothing.

| | encoder | decoder | vocabulary |
|---|---|---|---|
| onnx-asr | encoder-model.onnx | decoder_joint-model.onnx | vocab.txt |
| onnx-asr, CTC | model.onnx | | vocab.txt |
| sherpa-onnx | encoder.onnx | decoder.onnx, joiner.onnx | tokens.txt |
| sherpa-onnx, CTC | model.onnx | | tokens.txt |

Other precisions have their name before the ending: encoder-model.int8.onnx. Where a precision lacks one of the decoder's
files, another precision's takes its place, as publishers do who quantize the encoder alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stenod.errors import Unavailable
from stenod.models import onnx_file

PRECISIONS: Final = ("fp32", "fp16", "int8")
BLANK: Final = "<blk>"

_STEMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("encoder-model", ("decoder_joint-model",)),
    ("encoder", ("decoder", "joiner")),
    ("model", ()),
)
_VOCABULARIES: Final = ("vocab.txt", "tokens.txt")


@dataclass(frozen=True, slots=True)
class Form:
    """The graphs of one precision."""

    encoder: Path
    decoder: tuple[Path, ...]
    """A fused one, or decoder and joiner; empty for CTC."""

    @property
    def megabytes(self) -> int:
        """Size of the graphs and their data."""
        files = [file for path in (self.encoder, *self.decoder) for file in path.parent.glob(f"{path.stem}.*")]
        return round(sum(file.stat().st_size for file in files) / 1e6)


@dataclass(frozen=True, slots=True)
class Layout:
    """A model's files."""

    folder: Path
    vocabulary: Path
    forms: Mapping[str, Form]
    """By precision; at least one."""
    config: Mapping[str, Any]
    """What `config.json` says, if it is there: features_size, subsampling_factor, max_tokens_per_step; ours: window_size."""

    @property
    def transduces(self) -> bool:
        """Whether it is a transducer, not CTC."""
        return bool(next(iter(self.forms.values())).decoder)


def layout(folder: Path) -> Layout | None:
    """The model in a folder, or None where there is none. Never raises for what a folder may hold."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    vocabulary = next((name for name in _VOCABULARIES if name in names), None)
    if vocabulary is None:
        return None
    for encoder, decoders in _STEMS:
        forms: dict[str, Form] = {}
        for precision in PRECISIONS:
            found = _file(names, encoder, (precision,))
            others = [_file(names, stem, (precision, *PRECISIONS)) for stem in decoders]
            if found is not None and all(others):
                forms[precision] = Form(folder / found, tuple(folder / name for name in others if name is not None))
        if forms and not any(_streams(form.encoder) for form in forms.values()):
            return Layout(folder, folder / vocabulary, forms, _config(folder))
    return None


def vocabulary(path: Path) -> list[str]:
    """The text of each token by its id, the blank last. Raises Unavailable."""
    try:
        lines = [line.rsplit(" ", 1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        known = {int(number): token for token, number in lines}
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path.name} is no vocabulary: each line must be a token and its number") from error
    tokens = [known[number] for number in sorted(known)]
    if sorted(known) != list(range(len(known))) or not tokens or tokens[-1] != BLANK:
        raise Unavailable(f"{path.name} is not whole: numbers must run from 0 to that of {BLANK}, the last")
    return tokens


def _streams(encoder: Path) -> bool:
    """Whether the graph hears a stretch piece by piece: another engine's."""
    try:
        return onnx_file.read(encoder).streams
    except (OSError, ValueError):
        return False


def _file(names: set[str], stem: str, precisions: Sequence[str]) -> str | None:
    """The first file that is there."""
    for precision in precisions:
        ways = [f"{stem}{sign}{precision}.onnx" for sign in "._-"] + [f"{stem}.onnx"] * (precision == "fp32")
        for name in ways:
            if name in names:
                return name
    return None


def _config(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
