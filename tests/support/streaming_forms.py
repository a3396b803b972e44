"""The toy streaming model in the other forms that are published: int8, told the language, buffered. Needs onnx."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from support.tiny_streaming import MODEL


def int8(place: Path) -> Path:
    """Quantized as sherpa-onnx's publishers do it."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 heavy

    place.mkdir()
    shutil.copy(MODEL / "tokens.txt", place)
    for part in ("encoder", "decoder", "joiner"):
        model = MODEL / f"{part}.onnx"
        quantize_dynamic(model, place / f"{part}.int8.onnx", weight_type=QuantType.QUInt8)
    return place


def prompted(place: Path) -> Path:
    """As nemotron-3.5: the encoder is told the language (this one does not listen)."""
    from onnx import TensorProto, helper  # noqa: PLC0415 heavy

    model = _copy(place)
    model.graph.input.append(helper.make_tensor_value_info("prompt_index", TensorProto.INT64, ["batch"]))
    _save(model, place, prompt_dictionary='{"auto": 101, "en-US": 0, "de-DE": 4}', auto_prompt_id=101)
    return place


def buffered(place: Path) -> Path:
    """As parakeet-unified: no caches, each chunk is heard with what lies around it. A convolution of random weights."""
    import numpy as np  # noqa: PLC0415
    from onnx import TensorProto, helper, load, numpy_helper, save  # noqa: PLC0415 heavy

    facts = {one.key: one.value for one in _copy(place).metadata_props}
    weights = np.random.default_rng(2).normal(0, 0.01, (32, 80, 8)).astype(np.float32)
    tensors = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array([8]), "eight")]
    nodes = [
        helper.make_node("Conv", ["audio_signal", "weights"], ["outputs"], strides=[8]),
        helper.make_node("Div", ["length", "eight"], ["encoded_lengths"]),
    ]
    value, number, whole = helper.make_tensor_value_info, TensorProto.FLOAT, TensorProto.INT64
    inputs = [value("audio_signal", number, ["batch", 80, "time"]), value("length", whole, ["batch"])]
    outputs = [value("outputs", number, ["batch", 32, "frames"]), value("encoded_lengths", whole, ["batch"])]
    graph = helper.make_graph(nodes, "encoder", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    kind = "nemo_parakeet_unified_streaming"
    frames = {"left": 8, "chunk": 4, "right": 4}
    sizes = {f"{side}_encoder_frames": count for side, count in frames.items()}
    sizes |= {f"{side}_feature_frames": 8 * count for side, count in frames.items()}
    known = {key: facts[key] for key in ("vocab_size", "pred_rnn_layers", "pred_hidden", "subsampling_factor")}
    more = {"normalize_type": "", "feat_dim": 80, "streaming_model_type": kind, "buffered_streaming": 1}
    _save(model, place, **known, **more, **sizes)
    decoder = load(place / "decoder.onnx")
    decoder.metadata_props.add(key="streaming_model_type", value=kind)
    save(decoder, place / "decoder.onnx")
    return place


def _copy(place: Path) -> Any:
    from onnx import load  # noqa: PLC0415 heavy

    shutil.copytree(MODEL, place)
    return load(place / "encoder.onnx")


def _save(model: Any, place: Path, **metadata: object) -> None:
    from onnx import save  # noqa: PLC0415 heavy

    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=str(value))
    save(model, place / "encoder.onnx")
