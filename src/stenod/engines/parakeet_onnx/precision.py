"""Which precision to load where a model has several: what was asked for, or what this machine is fastest with.

8-bit weights are faster than 32-bit ones on some processors and slower on others, so they are tried, once: the answer is
remembered in the model's folder, where that can be written.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Final

from stenod.engines.parakeet_onnx.layouts import PRECISIONS, Layout
from stenod.errors import Unavailable

MEMORY: Final = "stenod-precision.json"
"""Where the answer is remembered, by machine."""

_log = logging.getLogger(__name__)


def choose(layout: Layout, wanted: str, device: str, trial: Callable[[str], float]) -> str:
    """The precision to load. `trial` loads one and gives the seconds that it takes. Raises Unavailable."""
    there = [precision for precision in PRECISIONS if precision in layout.forms]
    if wanted != "auto":
        if wanted not in there:
            raise Unavailable(f"the model is not here in {wanted}, only in {', '.join(there)}")
        return wanted
    if device != "cpu":
        return next(precision for precision in ("fp16", "fp32", "int8") if precision in there)
    candidates = [precision for precision in there if precision != "fp16"] or there
    if len(candidates) == 1:
        return candidates[0]
    known = _remembered(layout.folder)
    machine = _machine()
    if known.get(machine) in candidates:
        return known[machine]
    seconds = {precision: trial(precision) for precision in candidates}
    best = min(candidates, key=lambda precision: seconds[precision])
    figures = ", ".join(f"{precision} {took:.3f} s" for precision, took in seconds.items())
    _log.info("%s is the fastest precision of this model here: %s", best, figures)
    try:
        (layout.folder / MEMORY).write_text(json.dumps(known | {machine: best}, indent=2) + "\n", encoding="utf-8")
    except OSError:
        _log.info("the model's folder cannot be written, so the next start will measure again")
    return best


def _remembered(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / MEMORY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _machine() -> str:
    """What the answer depends on: the processor, how many cores, and the version of ONNX Runtime."""
    import onnxruntime as rt  # noqa: PLC0415 heavy

    return f"{_processor()}, {os.cpu_count()} cores, onnxruntime {rt.__version__}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
