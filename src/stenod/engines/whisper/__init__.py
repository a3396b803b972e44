"""The family `whisper`: OpenAI's models in CTranslate2's form, run by faster-whisper (the extra `stenod[whisper]`).

Any size, the turbo and the distilled ones, on a processor or a CUDA GPU. This file says what there is and loads it; the
library is imported only then. Files are never fetched here: a model is a folder in the store, or one the operator names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model
from stenod.engines.shelf import shelf
from stenod.engines.whisper.judging import Guards
from stenod.errors import Unavailable
from stenod.models.catalogue import Checkpoint
from stenod.models.languages import ENGLISH, WHISPER

FILES: Final = ("model.bin", "config.json", "tokenizer.json")
"""What a folder must hold, beside `vocabulary.json` or `vocabulary.txt`."""

MULTILINGUAL: Final = 51_865
"""Entries of the smallest vocabulary that has the languages' tokens; English-only models have one fewer."""

COMPUTE: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "auto": {"cpu": ("int8", "float32"), "cuda": ("float16", "float32")},
    "fp32": {"cpu": ("float32",), "cuda": ("float32",)},
    "fp16": {"cpu": ("float16", "float32"), "cuda": ("float16", "float32")},
    "int8": {"cpu": ("int8", "float32"), "cuda": ("int8_float16", "int8")},
}
"""CTranslate2's compute types for each precision and device, the first that the machine can do."""

_GUARDS: Final = frozenset(Guards.__dataclass_fields__)


def _can(languages: Sequence[str], *, translates: bool) -> Capabilities:
    return Capabilities(
        languages=tuple(languages),
        max_batch=16,
        max_seconds=30.0,
        words=True,
        confidence=True,
        vocabulary=True,
        targets=("en",) if translates else (),
        precisions=("fp32", "fp16", "int8"),
        devices=("cpu", "cuda"),
    )


def _describe(one: Checkpoint) -> Capabilities:
    """The distilled models and those whose names end in `.en` do English alone; turbo was not trained to translate."""
    return _can(one.languages, translates="*" in one.languages and "turbo" not in one.name)


def _adopt(place: Path) -> Model | None:
    """Whisper as CTranslate2 keeps it: its configuration names the heads that align words."""
    lists = [place / name for name in ("vocabulary.json", "vocabulary.txt") if (place / name).is_file()]
    if not lists or not all((place / name).is_file() for name in FILES):
        return None
    try:
        told = json.loads((place / "config.json").read_text())
        text = lists[0].read_text()
        entries = len(json.loads(text)) if lists[0].suffix == ".json" else text.count("\n")
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or not {"alignment_heads", "suppress_ids"} & told.keys():
        return None
    many = entries >= MULTILINGUAL and "distil" not in place.name
    languages = WHISPER if many else ENGLISH
    return Model(
        name=place.name,
        family="whisper",
        installed=True,
        languages=languages,
        capabilities=_can(languages, translates=many and "turbo" not in place.name),
        licence="unknown",
        size_mb=round((place / "model.bin").stat().st_size / 1e6),
        quality=30,
        expect="a Whisper of your own",
        params=(("directory", str(place)),),
    )


def _load(model: Model, options: LoadOptions) -> Engine:
    """Load a folder. Parameters: `beam_size` (5 unless told), and the thresholds of `judging.Guards`."""
    if find_spec("faster_whisper") is None:
        raise Unavailable("Whisper needs the package faster-whisper; `pip install 'stenod[whisper]'` gets it")
    import ctranslate2  # noqa: PLC0415 heavy
    from faster_whisper import WhisperModel  # noqa: PLC0415
    from faster_whisper.feature_extractor import FeatureExtractor  # noqa: PLC0415

    from stenod.engines.whisper.engine import Whisper  # noqa: PLC0415

    params: dict[str, Any] = dict(model.params)
    place = Path(params["directory"])
    absent = [name for name in FILES if not (place / name).is_file()]
    if absent:
        raise Unavailable(f"the files of the model {model.name!r} are incomplete: {', '.join(absent)} missing")
    device, _, number = options.device.partition(":")
    if device == "auto" and ctranslate2.get_cuda_device_count():
        device = "cuda"
    device = device if device == "cuda" else "cpu"
    try:
        known = ctranslate2.get_supported_compute_types(device)
        wanted = COMPUTE.get(options.precision, COMPUTE["auto"]).get(device, ("default",))
        compute = next((kind for kind in wanted if kind in known), "default")
        loaded = WhisperModel(
            str(place),
            device=device,
            device_index=int(number or 0),
            compute_type=compute,
            cpu_threads=options.threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].replace(str(place), model.name)
        raise Unavailable(f"the model {model.name!r} cannot be loaded on {device}: {reason}") from error
    if loaded.feature_extractor.mel_filters.shape[0] != loaded.model.n_mels:  # no preprocessor_config.json
        loaded.feature_extractor = FeatureExtractor(feature_size=loaded.model.n_mels)
    guards = Guards(**{name: value for name, value in params.items() if name in _GUARDS})
    return Whisper(loaded, model.capabilities, guards, int(params.get("beam_size", 5)))


FAMILY = Family("whisper", shelf("whisper", _describe), _load, _adopt)
