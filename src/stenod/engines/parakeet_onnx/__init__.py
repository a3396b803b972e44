"""The family `parakeet-onnx`: NeMo's transducers (TDT, RNN-T) and CTC models as ONNX graphs, decoded by ourselves.

Parakeet in all sizes, Citrinet, QuartzNet; from the hub or from any folder in onnx-asr's or sherpa-onnx's layout. This file
says what there is; ONNX Runtime is imported when something is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model
from stenod.engines.parakeet_onnx.layouts import PRECISIONS, Layout, layout
from stenod.engines.shelf import shelf
from stenod.errors import Unavailable
from stenod.models.catalogue import Checkpoint, checkpoints
from stenod.models.store import Store

NAME: Final = "parakeet-onnx"


def _can(languages: tuple[str, ...]) -> Capabilities:
    return Capabilities(
        languages=languages,
        max_batch=64,
        max_seconds=60.0,
        words=True,
        confidence=True,
        vocabulary=True,
        precisions=PRECISIONS,
        devices=("cpu", "cuda", "tensorrt"),
    )


def _describe(one: Checkpoint) -> Capabilities:
    return _can(one.languages)


def _adopt(place: Path) -> Model | None:
    """The model in a folder; what the catalogue says of one of that name holds for it too."""
    found = layout(place)
    if found is None:
        return None
    known = next((one for one in checkpoints(NAME) if place.name in {one.name, one.repo.rpartition("/")[2]}), None)
    languages = known.languages if known is not None else _languages(found)
    return Model(
        name=place.name,
        family=NAME,
        installed=True,
        languages=languages,
        capabilities=_can(languages),
        licence=known.licence if known is not None else "unknown",
        size_mb=max(form.megabytes for form in found.forms.values()) * 5 // 4,
        quality=known.quality if known is not None else 50,
        expect=known.expect if known is not None else "a NeMo model of your own",
        params=(("directory", str(place)),),
    )


def _languages(found: Layout) -> tuple[str, ...]:
    """What `config.json` says (`languages`, ours), or any: neither layout has a place for it."""
    said = found.config.get("languages")
    return tuple(map(str, said)) if isinstance(said, list) and said else ("*",)


def _load(model: Model, options: LoadOptions) -> Engine:
    """Load the graphs of one precision. Raises Unavailable for files that are missing or damaged."""
    from stenod.engines.parakeet_onnx.loading import load  # noqa: PLC0415 heavy

    params: dict[str, Any] = dict(model.params)
    found = layout(Path(params["directory"])) if "directory" in params else None
    if found is None:
        raise Unavailable(f"the files of {model.name!r} are not all there; `stenod models pull {model.name}` gets them")
    return load(found, model, options)


def _models(store: Store) -> list[Model]:
    return shelf(NAME, _describe)(store)


FAMILY = Family(NAME, _models, _load, _adopt)
