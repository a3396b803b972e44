"""LSTM layers written out, beside ONNX Runtime's own."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from stenod.engines.parakeet_onnx import dissect
from stenod.engines.parakeet_onnx.runtime import Runtime
from stenod.engines.parakeet_onnx.unroll import unroll
from support import tiny_onnx


def prediction(model):
    """The prediction network of a fused decoder."""
    found = dissect.roles(model)
    assert found is not None
    parts = dissect.dissect(model, found)
    assert parts is not None
    return parts.predict


def fused(kind="tdt"):
    return prediction(tiny_onnx.decoder_joint(kind))


def sherpa():
    return prediction(dissect.fuse(*tiny_onnx.decoder_and_joiner("tdt")))


def halved(tmp_path):
    stem = "decoder_joint-model"
    folder = tiny_onnx.halve(tiny_onnx.write(tmp_path / "half", "tdt"), stem)
    return prediction(onnx.load(str(folder / f"{stem}.fp16.onnx")))


def kinds(model):
    return [node.op_type for node in model.graph.node]


def answers(model, items):
    """What a prediction network gives for random labels and states."""
    session = Runtime("cpu", 1).session(model)
    rng, feed = np.random.default_rng(items), {}
    for value in session.get_inputs():
        if len(value.shape) == 3 or value.type in {"tensor(float)", "tensor(float16)"}:
            kind = np.float16 if value.type == "tensor(float16)" else np.float32
            feed[value.name] = rng.standard_normal((tiny_onnx.LAYERS, items, tiny_onnx.HIDDEN)).astype(kind)
        elif "length" in value.name:
            feed[value.name] = np.ones(items, np.int32)
        else:
            kind = np.int32 if value.type == "tensor(int32)" else np.int64
            feed[value.name] = rng.integers(len(tiny_onnx.PIECES), size=(items, 1)).astype(kind)
    return session.run(None, feed)


@pytest.mark.parametrize("items", [1, 2, 7])
@pytest.mark.parametrize("form", ["fused", "sherpa", "half"])
def test_the_answers_are_the_same(form, items, tmp_path):
    model = {"fused": fused, "sherpa": sherpa, "half": lambda: halved(tmp_path)}[form]()
    assert kinds(model).count("LSTM") == tiny_onnx.LAYERS
    written = unroll(model)
    assert "LSTM" not in kinds(written)
    within = 5e-3 if form == "half" else 1e-5
    for one, two in zip(answers(model, items), answers(written, items), strict=True):
        assert one.shape == two.shape
        assert one.dtype == two.dtype
        np.testing.assert_allclose(two, one, atol=within)


def test_the_first_layer_looks_its_product_up():
    written = unroll(fused())
    shapes = {weight.name: tuple(weight.dims) for weight in written.graph.initializer}
    labels, gates = len(tiny_onnx.PIECES) + 1, 4 * tiny_onnx.HIDDEN
    assert [name for name, shape in shapes.items() if shape == (labels, gates)]
    assert not {"embed.weight", "W0", "R0", "W1", "R1"} & shapes.keys()


def turns_back(model):
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.attribute.append(helper.make_attribute("direction", "reverse"))


def has_lengths(model):
    for node in model.graph.node:
        if node.op_type == "LSTM":
            node.input[4] = "target_length"


def is_old(model):
    model.opset_import[0].version = 12


def computes_weights(model):
    for node in list(model.graph.node):
        if node.op_type == "LSTM":
            model.graph.node.insert(0, helper.make_node("Identity", [node.input[1]], [f"{node.input[1]}/made"]))
            node.input[1] += "/made"


@pytest.mark.parametrize("value", ["embedded", "layer0"])  # as it is looked up, and turned
def test_an_embedding_that_others_read_stays(value):
    model = fused()
    model.graph.node.append(helper.make_node("Identity", [value], ["seen"]))
    written = unroll(model)
    assert "LSTM" not in kinds(written)
    assert "embed.weight" in {weight.name for weight in written.graph.initializer}
    for one, two in zip(answers(model, 3), answers(written, 3), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-5)


@pytest.mark.parametrize("change", [turns_back, has_lengths, is_old, computes_weights])
def test_other_layers_are_left_alone(change):
    model = fused()
    change(model)
    assert kinds(unroll(model)) == kinds(model)
