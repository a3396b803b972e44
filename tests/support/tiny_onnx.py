"""Models in the layouts that `parakeet-onnx` reads, tiny and with random weights, made with `onnx` alone.

The graphs have the inputs and outputs of NeMo's exports. Their words mean nothing; no two scores are equal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BANDS: Final = 80
WIDTH: Final = 12
HIDDEN: Final = 10
JOINT: Final = 14
LAYERS: Final = 2
DURATIONS: Final = 5
PIECES: Final = [
    f"{mark}{text}" for text in ("ka", "mo", "li", "te", "ру", "ду", "o", "n", "s", "'") for mark in ("▁", "")
]

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64


class Drawer:
    """Random weights, written down as initializers."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.initializers: list[Any] = []

    def __call__(self, name: str, *shape: int, scale: float = 0.7) -> str:
        return self.keep(name, (self.rng.standard_normal(shape) * scale).astype(np.float32))

    def keep(self, name: str, value: Any) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def encoder(*, outputs: tuple[str, str] | None, labels: int = WIDTH, masks: bool = True, seed: int = 0) -> Any:
    """Eight frames of features to one of `labels` channels; `outputs` names two, or None gives CTC's one."""
    draw = Drawer(seed)
    nodes = [
        helper.make_node(
            "Conv",
            ["audio_signal", draw("conv.weight", labels, BANDS, 8, scale=0.1), draw("conv.bias", labels)],
            ["conv"],
            strides=[8],
            pads=[0, 7],
        ),
    ]
    inputs = [helper.make_tensor_value_info("audio_signal", FLOAT, ["batch", BANDS, "frames"])]
    if masks:
        inputs.append(helper.make_tensor_value_info("length", INT64, ["batch"]))
    if outputs is None:
        nodes += [
            helper.make_node("Transpose", ["conv"], ["turned"], perm=[0, 2, 1]),
            helper.make_node("LogSoftmax", ["turned"], ["logprobs"], axis=-1),
        ]
        made = [helper.make_tensor_value_info("logprobs", FLOAT, ["batch", "steps", labels])]
    else:
        seven, eight = draw.keep("seven", np.int64(7)), draw.keep("eight", np.int64(8))
        nodes += [
            helper.make_node("Tanh", ["conv"], [outputs[0]]),
            helper.make_node("Add", ["length", seven], ["more"]),
            helper.make_node("Div", ["more", eight], [outputs[1]]),
        ]
        made = [
            helper.make_tensor_value_info(outputs[0], FLOAT, ["batch", labels, "steps"]),
            helper.make_tensor_value_info(outputs[1], INT64, ["batch"]),
        ]
    return _model(nodes, inputs, made, draw)


def _prediction(draw: Drawer, states: tuple[str, str], after: tuple[str, str]) -> list[Any]:
    """Embedding and LSTM layers: `targets` to `predicted` (items, hidden, labels)."""
    size = len(PIECES) + 1
    nodes = [
        helper.make_node("Gather", [draw("embed.weight", size, HIDDEN, scale=2.0), "targets"], ["embedded"]),
        helper.make_node("Transpose", ["embedded"], ["layer0"], perm=[1, 0, 2]),
        helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
    ]
    axis, ends = draw.keep("axis0", np.array([0])), [draw.keep(f"at{n}", np.array([n])) for n in range(LAYERS + 1)]
    one = draw.keep("axis1", np.array([1]))
    for layer in range(LAYERS):
        held = [f"{kind}{layer}" for kind in ("h", "c")]
        nodes += [
            helper.make_node("Slice", [state, ends[layer], ends[layer + 1], axis], [name])
            for state, name in zip(states, held, strict=True)
        ]
        weights = [
            draw(f"W{layer}", 1, 4 * HIDDEN, HIDDEN),
            draw(f"R{layer}", 1, 4 * HIDDEN, HIDDEN),
            draw(f"B{layer}", 1, 8 * HIDDEN),
        ]
        nodes += [
            helper.make_node(
                "LSTM",
                [f"layer{layer}", *weights, "", *held],
                [f"y{layer}", f"nh{layer}", f"nc{layer}"],
                hidden_size=HIDDEN,
            ),
            helper.make_node("Squeeze", [f"y{layer}", one], [f"layer{layer + 1}"]),
        ]
    nodes += [
        helper.make_node("Concat", [f"n{kind}{layer}" for layer in range(LAYERS)], [name], axis=0)
        for kind, name in zip("hc", after, strict=True)
    ]
    nodes.append(helper.make_node("Transpose", [f"layer{LAYERS}"], ["predicted"], perm=[1, 2, 0]))
    return nodes


def _joint(draw: Drawer, classes: int, predicted: str, *, softmax: bool, blank: float, seam: bool) -> list[Any]:  # noqa: PLR0913 a graph's parts
    """`encoder_outputs` and `predicted` to `outputs` (items, frames, labels, classes)."""
    one, two = draw.keep("dim1", np.array([1])), draw.keep("dim2", np.array([2]))
    bias = draw.rng.standard_normal(classes).astype(np.float32)
    bias[len(PIECES)] += blank
    bias[len(PIECES) + 1 : len(PIECES) + 2] -= 2  # few labels share a frame
    nodes = [
        helper.make_node("Transpose", ["encoder_outputs"], ["f"], perm=[0, 2, 1]),
        helper.make_node("Transpose", [predicted], ["g"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["f", draw("joint.enc", WIDTH, JOINT)], ["fm"]),
        helper.make_node("Add", ["fm", draw("joint.enc.bias", JOINT)], ["fa"]),
        helper.make_node("MatMul", ["g", draw("joint.pred", HIDDEN, JOINT)], ["gm"]),
        helper.make_node("Unsqueeze", ["fa", two], ["fu"]),
        helper.make_node("Unsqueeze", ["gm", one], ["gu"]),
        helper.make_node("Add", ["fu", "gu"], ["sum"]),
    ]
    if seam:  # the sides meet in a second place
        nodes.append(helper.make_node("Shape", ["encoder_outputs"], ["shape"]))
        nodes.append(helper.make_node("Cast", ["shape"], ["shaped"], to=FLOAT))
        nodes.append(helper.make_node("ReduceSum", ["shaped"], ["size"], keepdims=0))
        nodes.append(helper.make_node("Sub", ["sum", "size"], ["less"]))
        nodes.append(helper.make_node("Add", ["less", "size"], ["joined"]))
    nodes += [
        helper.make_node("Relu", ["joined" if seam else "sum"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", draw("joint.out", JOINT, classes, scale=1.0)], ["raw"]),
        helper.make_node("Add", ["raw", draw.keep("joint.out.bias", bias)], ["logits" if softmax else "outputs"]),
    ]
    if softmax:
        nodes.append(helper.make_node("LogSoftmax", ["logits"], ["outputs"], axis=-1))
    return nodes


def decoder_joint(kind: str, *, softmax: bool = False, blank: float = 4.0, seam: bool = False, seed: int = 0) -> Any:
    """NeMo's fused decoder; `seam`: one that cannot be taken apart."""
    draw = Drawer(seed + 100)
    classes = _classes(kind)
    nodes = _prediction(draw, ("input_states_1", "input_states_2"), ("output_states_1", "output_states_2"))
    nodes += _joint(draw, classes, "predicted", softmax=softmax, blank=blank, seam=seam)
    inputs = [helper.make_tensor_value_info("encoder_outputs", FLOAT, ["b", WIDTH, "t"]), *_targets()]
    inputs += [
        helper.make_tensor_value_info(f"input_states_{number}", FLOAT, [LAYERS, "b", HIDDEN]) for number in (1, 2)
    ]
    outputs = [
        helper.make_tensor_value_info("outputs", FLOAT, ["b", "t", "u", classes]),
        helper.make_tensor_value_info("prednet_lengths", INT32, ["b"]),
        *(helper.make_tensor_value_info(f"output_states_{n}", FLOAT, [LAYERS, "b", HIDDEN]) for n in (1, 2)),
    ]
    return _model(nodes, inputs, outputs, draw)


def decoder_and_joiner(kind: str, *, blank: float = 4.0, seed: int = 0) -> tuple[Any, Any]:
    """The same weights as sherpa-onnx has them, its fixed batch of one in the second state included."""
    draw = Drawer(seed + 100)
    nodes = _prediction(draw, ("states.1", "onnx::Slice_3"), ("states", "162"))
    nodes[-1].output[0] = "outputs"
    inputs = [
        *_targets(),
        helper.make_tensor_value_info("states.1", FLOAT, [LAYERS, "b", HIDDEN]),
        helper.make_tensor_value_info("onnx::Slice_3", FLOAT, [LAYERS, 1, HIDDEN]),
    ]
    outputs = [
        helper.make_tensor_value_info("outputs", FLOAT, ["b", HIDDEN, "u"]),
        helper.make_tensor_value_info("prednet_lengths", INT32, ["b"]),
        *(helper.make_tensor_value_info(name, FLOAT, [LAYERS, "b", HIDDEN]) for name in ("states", "162")),
    ]
    first = _model(nodes, inputs, outputs, draw)
    held = len(draw.initializers)
    classes = _classes(kind)
    nodes = _joint(draw, classes, "decoder_outputs", softmax=False, blank=blank, seam=False)
    inputs = [
        helper.make_tensor_value_info("encoder_outputs", FLOAT, ["b", WIDTH, "t"]),
        helper.make_tensor_value_info("decoder_outputs", FLOAT, ["b", HIDDEN, "u"]),
    ]
    del draw.initializers[:held]
    outputs = [helper.make_tensor_value_info("outputs", FLOAT, ["b", "t", "u", classes])]
    return first, _model(nodes, inputs, outputs, draw)


def write(folder: Path, kind: str, *, sherpa: bool = False, config: bool = True, **wanted: Any) -> Path:
    """A whole model: `tdt`, `rnnt`, `ctc`, or `blind` (CTC without a length input), in one of the layouts."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [*PIECES, "<blk>"]
    lines = "".join(f"{name} {number}\n" for number, name in enumerate(names))
    (folder / ("tokens.txt" if sherpa else "vocab.txt")).write_text(lines, encoding="utf-8")
    if kind in ("ctc", "blind"):
        onnx.save(encoder(outputs=None, labels=len(names), masks=kind == "ctc"), str(folder / "model.onnx"))
    elif sherpa:
        onnx.save(encoder(outputs=("outputs", "encoded_lengths")), str(folder / "encoder.onnx"))
        for name, graph in zip(("decoder", "joiner"), decoder_and_joiner(kind, **wanted), strict=True):
            onnx.save(graph, str(folder / f"{name}.onnx"))
    else:
        onnx.save(encoder(outputs=("outputs", "encoded_lengths")), str(folder / "encoder-model.onnx"))
        onnx.save(decoder_joint(kind, **wanted), str(folder / "decoder_joint-model.onnx"))
    if config and not sherpa:
        told = {"model_type": f"nemo-conformer-{kind}", "features_size": BANDS, "subsampling_factor": 8}
        (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def quantize(folder: Path, *stems: str) -> Path:
    """Beside the graphs named, the same with 8-bit weights."""
    from onnxruntime.quantization import quantize_dynamic  # noqa: PLC0415 slow to import

    for stem in stems:
        quantize_dynamic(str(folder / f"{stem}.onnx"), str(folder / f"{stem}.int8.onnx"))
    return folder


def halve(folder: Path, *stems: str) -> Path:
    """Beside the graphs named, the same in half precision, inputs and outputs included."""
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415 slow to import

    for stem in stems:
        graph = convert_float_to_float16(onnx.load(str(folder / f"{stem}.onnx")))
        onnx.save(graph, str(folder / f"{stem}.fp16.onnx"))
    return folder


def _targets() -> list[Any]:
    return [
        helper.make_tensor_value_info("targets", INT32, ["b", "u"]),
        helper.make_tensor_value_info("target_length", INT32, ["b"]),
    ]


def _classes(kind: str) -> int:
    return len(PIECES) + 1 + (DURATIONS if kind == "tdt" else 0)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], draw: Drawer) -> Any:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, list(draw.initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
