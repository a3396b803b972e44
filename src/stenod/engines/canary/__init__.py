"""The family `canary`: NVIDIA's Canary as ONNX graphs, for more languages, and for translation from and into English.

canary-1b-v2, canary-1b-flash and canary-180m-flash in onnx-asr's layout, and the first canary-1b where it has been exported
so, on a processor or a CUDA GPU. Needs nothing beyond what stenod needs anyway. This file says what there is and loads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model
from stenod.engines.canary.prompt import END
from stenod.engines.shelf import shelf
from stenod.errors import Unavailable
from stenod.models.languages import CANARY_1, EUROPEAN

KIND: Final = "nemo-conformer-aed"
"""What `config.json` calls the layout."""

FORMS: Final = {
    "cpu": {"auto": ("int8", "fp32", "fp16"), "fp32": ("fp32", "int8", "fp16"), "fp16": ("fp16", "fp32", "int8")},
    "cuda": {"auto": ("fp16", "fp32", "int8"), "fp32": ("fp32", "fp16", "int8"), "fp16": ("fp16", "fp32", "int8")},
}
"""The form of the graphs that is taken, the first that is here."""

_SMALL: Final = 10_000
"""Tokens in the vocabulary of a model of four languages at the most: theirs has 5 248, that of 25 languages 16 384."""


def _can(languages: Sequence[str]) -> Capabilities:
    return Capabilities(
        languages=tuple(languages),
        max_batch=16,
        max_seconds=40.0,
        confidence=True,
        targets=tuple(languages),
        precisions=("fp32", "fp16", "int8"),
        devices=("cpu", "cuda"),
    )


def _graph(place: Path, part: str, form: str) -> Path | None:
    """The file of one graph in one form: `encoder-model.int8.onnx`, without a mark for fp32."""
    mark = "" if form == "fp32" else rf"[._-]{form}"
    name = re.compile(rf"{part}-model{mark}\.onnx")
    return next((file for file in sorted(place.glob(f"{part}-model*.onnx")) if name.fullmatch(file.name)), None)


def _graphs(place: Path, forms: Sequence[str]) -> tuple[Path, Path] | None:
    for form in forms:
        encoder, decoder = _graph(place, "encoder", form), _graph(place, "decoder", form)
        if encoder is not None and decoder is not None:
            return encoder, decoder
    return None


def _config(place: Path) -> Mapping[str, Any]:
    try:
        told = json.loads((place / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _adopt(place: Path) -> Model | None:
    """Two graphs and a vocabulary that has Canary's end of text."""
    graphs = _graphs(place, FORMS["cpu"]["auto"])
    if graphs is None or _config(place).get("model_type", KIND) != KIND:
        return None
    try:
        lines = (place / "vocab.txt").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    if not any(line.startswith(f"{END} ") for line in lines):
        return None
    languages = CANARY_1 if len(lines) < _SMALL else EUROPEAN
    return Model(
        name=place.name,
        family="canary",
        installed=True,
        languages=languages,
        capabilities=_can(languages),
        licence="unknown",
        size_mb=round(sum(graph.stat().st_size for graph in graphs) / 1e6),
        quality=40,
        expect="a Canary of your own",
        params=(("directory", str(place)),),
    )


def _load(model: Model, options: LoadOptions) -> Engine:
    """Load a folder. With the capability `words` the model is asked for times, as the flash models were trained to be."""
    import onnxruntime  # noqa: PLC0415 heavy

    from stenod.engines.canary.engine import Canary  # noqa: PLC0415
    from stenod.engines.canary.prompt import Vocabulary  # noqa: PLC0415

    place = Path(dict(model.params)["directory"])
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    wanted, _, number = options.device.partition(":")
    if wanted == "cuda" and not cuda:
        raise Unavailable("this onnxruntime does not know CUDA; `pip install onnxruntime-gpu` gets one that does")
    device = "cuda" if cuda and wanted in {"auto", "cuda"} else "cpu"
    forms = FORMS[device].get(options.precision) or ("int8", "fp32", "fp16")
    graphs = _graphs(place, forms)
    if graphs is None:
        raise Unavailable(f"the files of the model {model.name!r} are incomplete: an encoder or a decoder is missing")
    vocabulary = Vocabulary.read(place / "vocab.txt", model.languages)
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.force_spinning_stop", "1")  # threads spin within a run, not between runs
    settings.log_severity_level = 3
    settings.intra_op_num_threads = options.threads
    providers: list[Any] = ["CPUExecutionProvider"]
    if device == "cuda":
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(number or 0)}))
    try:
        encoder, decoder = (onnxruntime.InferenceSession(str(graph), settings, providers=providers) for graph in graphs)
    except Exception as error:
        reason = str(error).splitlines()[0].replace(str(place), model.name)
        raise Unavailable(f"the model {model.name!r} cannot be loaded: {reason}") from error
    return Canary(encoder, decoder, vocabulary, model.capabilities, _config(place))


FAMILY = Family("canary", shelf("canary", lambda one: _can(one.languages)), _load, _adopt)
