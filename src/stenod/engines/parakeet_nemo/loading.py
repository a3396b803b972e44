"""From a `.nemo` file or a name on the hub to the engine. Imported in the worker only.

Whatever the toolkit raises for a file that it cannot read becomes Unavailable, with the name of the model and without paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from nemo.collections.asr.models import ASRModel, EncDecCTCModel, EncDecHybridRNNTCTCModel, EncDecRNNTModel
from nemo.utils import logging as nemo_logging

from stenod.engines.base import LoadOptions, Model
from stenod.engines.parakeet_nemo.archive import archive, target
from stenod.engines.parakeet_nemo.decoders import Ctc, Decoder, Transducer
from stenod.engines.parakeet_nemo.engine import ParakeetNemo
from stenod.errors import BadSettings, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Which network, and how it is decoded."""

    directory: str = ""
    """Where its archive lies."""
    hub: str = ""
    """What the hub calls it, where it lies nowhere."""
    decoder: str = ""
    """`ctc` takes the second head of a hybrid."""
    boost: float = 1.0
    """What the first token of a hotword is worth, in nats; later ones are worth more."""


def load(model: Model, options: LoadOptions, recipe: Recipe) -> ParakeetNemo:
    """The engine of an archive, or of what the toolkit fetches from the hub. Raises Unavailable, BadSettings."""
    nemo_logging.set_verbosity(nemo_logging.ERROR)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = _device(options.device)
    dtype = _dtype(options.precision, device)
    net = _fetched(recipe.hub, device) if recipe.hub else _restored(model, recipe.directory, device)
    net.freeze()
    featurizer = net.preprocessor.featurizer
    featurizer.dither, featurizer.pad_to = 0.0, 0  # as the toolkit's own `transcribe` does
    net.encoder.to(dtype)
    return ParakeetNemo(net, _decoder(model, net, recipe), model, device, dtype)


def _restored(model: Model, directory: str, device: torch.device) -> Any:
    file = archive(Path(directory)) if directory else None
    if file is None:
        raise Unavailable(
            f"the model {model.name!r} has no .nemo file; `stenod models pull {model.name}` gets it again"
        )
    try:
        return ASRModel.restore_from(str(file), map_location=device)
    except Exception as error:
        kind = target(file) or "no NeMo model"
        raise Unavailable(
            f"the file of the model {model.name!r} ({kind}) cannot be read by NeMo ({type(error).__name__}):"
            " it may be damaged, or made for another version"
        ) from error


def _fetched(hub: str, device: torch.device) -> Any:
    try:
        return ASRModel.from_pretrained(hub, map_location=device)
    except Exception as error:
        raise Unavailable(
            f"{hub!r} could not be had from the model hub ({type(error).__name__}). Without a network, put its .nemo file"
            " into a folder of the model directory, and name that folder as the model"
        ) from error


def _decoder(model: Model, net: Any, recipe: Recipe) -> Decoder:
    wanted = recipe.decoder
    if wanted not in ("", "ctc", "transducer"):
        raise BadSettings(f"model {model.name!r}: decoder must be ctc or transducer")
    if type(net).__name__.endswith("Prompt"):
        raise Unavailable(f"the model {model.name!r} takes a language as a prompt, which this engine does not give")
    if isinstance(net, EncDecHybridRNNTCTCModel):
        return Ctc(net, net.ctc_decoder, net.ctc_decoding) if wanted == "ctc" else Transducer(net, recipe.boost)
    if isinstance(net, EncDecRNNTModel) and wanted != "ctc":
        return Transducer(net, recipe.boost)
    if isinstance(net, EncDecCTCModel) and wanted != "transducer":
        return Ctc(net, net.decoder, net.decoding)
    raise Unavailable(f"the model {model.name!r} is a {type(net).__name__}, which has no {wanted or 'known'} decoder")


def _device(wanted: str) -> torch.device:
    there = torch.cuda.is_available()
    if wanted.startswith("cuda") and not there:
        raise Unavailable("there is no CUDA GPU that PyTorch can use here; DEVICE=auto takes the processor")
    if wanted not in ("auto", "cpu") and not wanted.startswith("cuda"):
        raise Unavailable(f"NeMo models run on cpu or cuda, not on {wanted}")
    return torch.device(wanted if wanted != "auto" else "cuda" if there else "cpu")


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    """The encoder's numbers; preprocessor and decoder always compute in 32 bits."""
    if precision not in ("auto", "fp32", "fp16", "bf16"):
        raise Unavailable(f"NeMo models are loaded as fp32, fp16 or bf16, not as {precision}")
    if device.type == "cpu":
        if precision == "fp16":
            raise Unavailable("half precision (fp16) needs a CUDA GPU; on a processor use fp32")
        return torch.bfloat16 if precision == "bf16" else torch.float32
    if precision == "auto":
        precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
