"""Ships a checkpoint: `python tools/small_model/export.py FOLDER tests/models/small`, after `train.py`.

Writes the layout in which onnx-asr has Parakeet (`encoder-model.onnx`, `decoder_joint-model.onnx`, `vocab.txt`,
`config.json`), exported by NeMo itself, and `tokenizer.model` beside it. Weights in the two graphs are renamed to the
names NeMo has for them, so that other forms of the model can be derived from these files; `.T` behind a name says that
the array is transposed, and the prediction network's are ONNX's LSTM arrays.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import sentencepiece
import torch
from model import ENCODER, JOINT, PREDICTION, SmallModel, load
from nemo.collections.asr.modules.rnnt import RNNTDecoderJoint
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

LONGEST_FRAMES: Final = 1000
"""Encoder frames that the exported position table reaches: 80 s of sound. It is a third of the file as it is."""

Array = NDArray[Any]


def fold_batch_norm(model: SmallModel) -> None:
    """Multiply each batch norm into the convolution before it; what is left of it only adds its bias."""
    for layer in model.encoder.layers:
        norm, conv = layer.conv.batch_norm, layer.conv.depthwise_conv
        with torch.no_grad():
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            conv.weight.mul_(scale[:, None, None])
            norm.bias.sub_(norm.running_mean * scale)
            norm.weight.fill_(1.0)
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)


def rename(path: Path, module: nn.Module) -> list[str]:
    """Give the weights of the graph their NeMo names; return the names that were found."""
    graph = onnx.load(str(path))
    wanted = {name: weight.detach().numpy() for name, weight in module.named_parameters()}
    wanted |= onnx_lstm(wanted)
    names: dict[str, str] = {}
    for tensor in graph.graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.size > 1 and value.dtype == np.float32:
            for name, weight in wanted.items():
                if same(value, weight) or same(value, weight.T):
                    names[tensor.name] = name if same(value, weight) else f"{name}.T"
                    break
    for tensor in graph.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for node in graph.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))
    return sorted(names.values())


def same(value: Array, weight: Array) -> bool:
    """Whether an array of the graph is this weight."""
    return value.shape == weight.shape and np.allclose(value, weight, rtol=1e-5, atol=1e-7)


def onnx_lstm(weights: dict[str, Array]) -> dict[str, Array]:
    """The LSTM's arrays as ONNX has them: gates in order input, output, forget, cell; both biases in one row."""
    found = {}
    for name in [name for name in weights if name.endswith("lstm.weight_ih_l0")]:
        stem = name.removesuffix("weight_ih_l0")
        found[f"{stem}W"] = regate(weights[f"{stem}weight_ih_l0"])[None]
        found[f"{stem}R"] = regate(weights[f"{stem}weight_hh_l0"])[None]
        biases = [regate(weights[f"{stem}bias_ih_l0"]), regate(weights[f"{stem}bias_hh_l0"])]
        found[f"{stem}B"] = np.concatenate(biases)[None]
    return found


def regate(weight: Array) -> Array:
    """From torch's order of gates (input, forget, cell, output) to ONNX's."""
    enter, forget, cell, leave = np.split(weight, 4)
    return np.concatenate([enter, leave, forget, cell])


def export(model: SmallModel, target: Path) -> None:
    """Write both graphs."""
    fold_batch_norm(model)
    del model.encoder.pos_enc.pe  # it would only grow
    model.encoder.set_max_audio_length(LONGEST_FRAMES)
    joined = RNNTDecoderJoint(model.decoder, model.joint).eval()
    model.encoder.name, joined.name = "encoder", "decoder_joint"
    with tempfile.TemporaryDirectory() as folder:
        for module, file in ((model.encoder, "encoder-model.onnx"), (joined, "decoder_joint-model.onnx")):
            weights = dict(module.named_parameters())  # before the export freezes or replaces any
            made = Path(folder) / file
            module.export(str(made), onnx_opset_version=17, check_trace=False, do_constant_folding=True)
            found = rename(made, module)
            lost = [n for n in weights if not any(f.removesuffix(".T") == n for f in found) and "lstm" not in n]
            print(f"{file}: {made.stat().st_size} bytes, {len(found)} weights named, not found: {lost}")
            shutil.copy(made, target / file)


def main() -> None:
    """Export, and describe."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "tokenizer.model", target / "tokenizer.model")
    pieces = sentencepiece.SentencePieceProcessor(str(target / "tokenizer.model"))
    names = [pieces.id_to_piece(n) for n in range(pieces.get_piece_size())]
    lines = [f"{name} {n}" for n, name in enumerate([*names, "<blk>"])]
    (target / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"model_type": "nemo-conformer-tdt", "features_size": 128, "subsampling_factor": 8}
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shapes = {"encoder": ENCODER, "prednet": PREDICTION, "jointnet": JOINT}
    (target / "architecture.json").write_text(json.dumps(shapes, indent=2) + "\n", encoding="utf-8")
    export(load(folder / "model.pt", len(names)), target)


if __name__ == "__main__":
    main()
