"""The family `parakeet-nemo`: NVIDIA's checkpoints as published (`.nemo`), run by the NeMo toolkit (`stenod[nemo]`).

Transducers (TDT, RNN-T), CTC models and hybrids of the two, on a processor or a CUDA GPU. This file says what there is and
loads it; PyTorch and the toolkit are imported only then. Canary's `.nemo` files are for an engine of its own.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from stenod.engines.base import Capabilities, Engine, Family, LoadOptions, Model
from stenod.engines.parakeet_nemo.archive import archive, target
from stenod.engines.shelf import shelf
from stenod.errors import Unavailable
from stenod.models.catalogue import Checkpoint
from stenod.models.store import Store

CLASSES: Final = {
    "EncDecRNNTBPEModel": "transducer",
    "EncDecRNNTModel": "transducer",
    "EncDecHybridRNNTCTCBPEModel": "transducer",
    "EncDecHybridRNNTCTCModel": "transducer",
    "EncDecCTCModelBPE": "ctc",
    "EncDecCTCModel": "ctc",
}
"""NeMo's model classes that are read here, and how each is decoded unless told otherwise."""

HUB: Final = "nemo-hub"
"""The model that stands for any on the hub: `nemo-hub?hub=nvidia/stt_en_fastconformer_ctc_large`."""


def _can(languages: tuple[str, ...], decoder: str) -> Capabilities:
    return Capabilities(
        languages=languages,
        max_batch=32,
        max_seconds=60.0,
        words=True,
        confidence=True,
        vocabulary=decoder == "transducer",
        precisions=("fp32", "fp16", "bf16"),
        devices=("cpu", "cuda"),
    )


def _describe(one: Checkpoint) -> Capabilities:
    return _can(one.languages, "ctc" if "-ctc-" in one.name else "transducer")


def _models(store: Store) -> list[Model]:
    """The catalogue's, and the door to the hub's others, which the toolkit itself fetches when they are loaded."""
    return [
        *shelf("parakeet-nemo", _describe)(store),
        Model(
            name=HUB,
            family="parakeet-nemo",
            installed=find_spec("nemo") is not None,
            languages=("*",),
            capabilities=_can(("*",), "transducer"),
            licence="the model's own",
            size_mb=0,
            quality=0,
            expect=f"any transducer or CTC model of NVIDIA's on the hub: {HUB}?hub=nvidia/NAME",
        ),
    ]


def _adopt(place: Path) -> Model | None:
    """A `.nemo` file, or a folder with one in it, whose configuration names one of `CLASSES`."""
    file = archive(place)
    decoder = CLASSES.get(target(file)) if file is not None else None
    if file is None or decoder is None:
        return None
    return Model(
        name=place.name.removesuffix(".nemo"),
        family="parakeet-nemo",
        installed=True,
        languages=("*",),  # the file does not say
        capabilities=_can(("*",), decoder),
        licence="unknown",
        size_mb=2 * round(file.stat().st_size / 1e6) + 1000,
        quality=50,
        expect="a NeMo model of your own",
        params=(("directory", str(place)),),
    )


def _load(model: Model, options: LoadOptions) -> Engine:
    """Load a file of the store, or the hub's. Parameters: see `loading.Recipe`.

    Unpacks, so it takes its time: most of a minute for 0.6 billion parameters, of it some 20 s for importing the toolkit.
    """
    if find_spec("nemo") is None:
        raise Unavailable("NVIDIA's checkpoints need the NeMo toolkit; `pip install 'stenod[nemo]'` gets it")
    with _quietly():
        from stenod.engines.parakeet_nemo.loading import Recipe, load  # noqa: PLC0415 heavy

        told = {name: value for name, value in model.params if name in Recipe.__dataclass_fields__}
        return load(model, options, Recipe(**told))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the toolkit and its companions say while they are imported and built; what they raise comes through."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


FAMILY = Family("parakeet-nemo", _models, _load, _adopt)
