"""Which files of a repository make a model: the layouts that engines read, told from the names of the files alone.

For repositories that no catalogue lists. Whether an engine reads what was fetched is asked afterwards, of the engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

_MARK: Final = re.compile(r"[._-](int8|fp16|fp32)(?=[._-])")


@dataclass(frozen=True, slots=True)
class Layout:
    """Shell patterns: each of `signs` must match a file; `files` are what is taken, beside what the signs match."""

    signs: tuple[str, ...]
    files: tuple[str, ...] = ()


LAYOUTS: Final = (
    Layout(("encoder-model*.onnx", "decoder*-model*.onnx", "vocab.txt"), ("*.onnx.*", "config.*")),  # onnx-asr
    Layout(
        ("encoder*.onnx", "decoder*.onnx", "joiner*.onnx", "tokens.txt"), ("*.onnx.*", "*.weights", "*.data")
    ),  # sherpa
    Layout(("encoder*.onnx", "decoder*.onnx", "tokens.txt"), ("*.onnx.*",)),  # sherpa, attention
    Layout(("model*.onnx", "vocab.txt"), ("*.onnx.*", "config.*")),  # onnx-asr, CTC
    Layout(("model*.onnx", "tokens.txt"), ("*.onnx.*",)),  # sherpa, CTC
    Layout(("*.nemo",)),
    Layout(("model.bin", "config.json", "vocabulary.*"), ("tokenizer.json", "preprocessor_config.json")),  # CTranslate2
    Layout(("config.json", "model.safetensors")),  # MLX
)
"""The more particular first."""


def chosen(names: Iterable[str], precision: str = "auto") -> tuple[str, ...]:
    """The files to take, in order; none where no layout fits. Of a file in several precisions, the one that is wanted.

    `auto` wants fp32, which names do not say; where a file is not there as wanted, another form of it is taken.
    """
    there = sorted(name for name in names if "/" not in name)
    for layout in LAYOUTS:
        if all(any(fnmatchcase(name, sign) for name in there) for sign in layout.signs):
            taken = [name for name in there if any(fnmatchcase(name, one) for one in (*layout.signs, *layout.files))]
            return _of_precision(taken, "" if precision in {"auto", "fp32"} else precision)
    return ()


def _of_precision(names: Sequence[str], wanted: str) -> tuple[str, ...]:
    """One form of each graph, and what lies beside that graph."""
    graphs: dict[str, dict[str, str]] = {}
    for name in names:
        if name.endswith(".onnx"):
            mark = _MARK.search(name)
            graphs.setdefault(_MARK.sub("", name), {})[mark[1].replace("fp32", "") if mark else ""] = name
    best = {forms.get(wanted) or forms.get("") or min(forms.values()) for forms in graphs.values()}
    every = {name for forms in graphs.values() for name in forms.values()}
    return tuple(
        name
        for name in names
        if name in best
        or (name not in every and (".onnx" not in name or any(name.startswith(f"{one}.") for one in best)))
    )
