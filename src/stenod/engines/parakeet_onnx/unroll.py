"""Writes the LSTM layers of a prediction network out as matrix products, since one label goes in at a time.

ONNX Runtime's LSTM is made for sequences: with a length of one, its two products for each layer stay apart, and its threads
share out the items, so that each reads all of the weights. Here a layer is one product of input and state beside each other,
and a layer that reads embedded labels has its product with every label's embedding taken beforehand, as a table to look up:
with Parakeet's two layers of 640 a quarter of the weights need not be read again. Equal up to rounding. Runs nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from stenod.engines.parakeet_onnx.dissect import Graph

OPSET: Final = 13
"""The first in which Split and Squeeze take what they need as inputs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """An LSTM node whose weights are known. Gates in ONNX's order: input, output, forget, cell."""

    node: Any
    inputs: NDArray[Any]
    """(inputs, 4 hidden)"""
    states: NDArray[Any]
    """(hidden, 4 hidden)"""
    biases: NDArray[Any]
    """(4 hidden,)"""

    def name(self, part: str) -> str:
        """A name that no other layer has."""
        return f"{next(filter(None, self.node.output))}/unrolled/{part}"


def unroll(model: Graph) -> Graph:
    """The same graph, with its LSTM nodes written out where they are of the plain kind and see one label an item."""
    if next((one.version for one in model.opset_import if not one.domain), 0) < OPSET:
        return model
    weights = {weight.name: weight for weight in model.graph.initializer}
    written = ModelProto()
    written.CopyFrom(model)
    del written.graph.node[:]
    tables: dict[str, str] = {}
    for node in model.graph.node:
        layer = _layer(node, weights)
        if layer is None:
            written.graph.node.append(node)
            continue
        looked_up = _embedded(node.input[0], model, weights)
        if looked_up is not None:
            tables[looked_up.output[0]] = layer.name("table")
            embedding = _array(weights[looked_up.input[0]])
            rows = embedding.astype(np.float32) @ layer.inputs.astype(np.float32) + layer.biases
            written.graph.initializer.append(_constant(layer.name("table"), rows.astype(embedding.dtype)))
        _write(written, layer, in_table=looked_up is not None)
    for node in written.graph.node:
        if node.output[0] in tables:
            node.input[0] = tables[node.output[0]]
    used = {name for node in written.graph.node for name in node.input}
    kept = [weight for weight in written.graph.initializer if weight.name in used]
    del written.graph.initializer[:]
    written.graph.initializer.extend(kept)
    return written


def _layer(node: Any, weights: Mapping[str, Any]) -> _Layer | None:
    """The weights of an LSTM node; None for another node, and for an LSTM with more to it than NeMo's have."""
    plain = {"hidden_size"} >= {attribute.name for attribute in node.attribute}
    if node.op_type != "LSTM" or not plain or len(node.input) != 7 or node.input[4]:
        return None
    if not all(name in weights for name in node.input[1:4]):
        return None
    inputs, states, biases = (_array(weights[name])[0] for name in node.input[1:4])
    ahead, behind = np.split(biases, 2)
    return _Layer(node, inputs.T, states.T, ahead + behind)


def _embedded(name: str, model: Graph, weights: Mapping[str, Any]) -> Any | None:
    """The Gather of a weight that a value comes of, with nothing but turns of axes between; None where it does not.

    And None where anybody else reads the embedding on its way.
    """
    producers = {made: node for node in model.graph.node for made in node.output}
    readers = Counter(read for node in model.graph.node for read in node.input)
    readers.update(value.name for value in model.graph.output)
    while readers[name] == 1 and name in producers:
        node = producers[name]
        if node.op_type == "Gather" and node.input[0] in weights:
            return node
        if node.op_type != "Transpose":
            return None
        name = node.input[0]
    return None


def _write(model: Graph, layer: _Layer, *, in_table: bool) -> None:
    """Put a layer's nodes into a graph; `in_table` where what comes in has been through its weights already."""
    hidden = len(layer.states)
    sequence, *_, states, cells = layer.node.input
    outputs, last, cell = layer.node.output
    mine = layer.name

    def constant(name: str, array: NDArray[Any]) -> str:
        model.graph.initializer.append(_constant(mine(name), array))
        return mine(name)

    def node(kind: str, inputs: list[str], *made: str, **attributes: Any) -> None:
        model.graph.node.append(helper.make_node(kind, inputs, list(made), **attributes))

    first = constant("first", np.array([0], np.int64))
    node("Squeeze", [sequence, first], mine("x"))
    node("Squeeze", [states, first], mine("h"))
    node("Squeeze", [cells, first], mine("c"))
    if in_table:
        node("MatMul", [mine("h"), constant("weights", layer.states)], mine("product"))
        node("Add", [mine("product"), mine("x")], mine("gates"))
    else:
        both = np.concatenate([layer.inputs, layer.states])
        node("Concat", [mine("x"), mine("h")], mine("xh"), axis=1)
        node("MatMul", [mine("xh"), constant("weights", both)], mine("product"))
        node("Add", [mine("product"), constant("biases", layer.biases)], mine("gates"))
    cuts = constant("cuts", np.array([3 * hidden, hidden], np.int64))
    thirds = constant("thirds", np.array([hidden] * 3, np.int64))
    node("Split", [mine("gates"), cuts], mine("open"), mine("candidate"), axis=1)
    node("Sigmoid", [mine("open")], mine("opened"))
    node("Split", [mine("opened"), thirds], mine("input"), mine("output"), mine("forget"), axis=1)
    node("Tanh", [mine("candidate")], mine("new"))
    node("Mul", [mine("input"), mine("new")], mine("taken"))
    node("Mul", [mine("forget"), mine("c")], mine("kept"))
    node("Add", [mine("taken"), mine("kept")], mine("cell"))
    node("Tanh", [mine("cell")], mine("seen"))
    node("Mul", [mine("output"), mine("seen")], mine("state"))
    for name, value in ((last, mine("state")), (cell, mine("cell"))):
        if name:
            node("Unsqueeze", [value, first], name)
    if outputs:
        node("Unsqueeze", [mine("state"), constant("ahead", np.array([0, 1], np.int64))], outputs)


def _constant(name: str, array: NDArray[Any]) -> Any:
    return numpy_helper.from_array(np.ascontiguousarray(array), name)


def _array(weight: Any) -> NDArray[Any]:
    array: NDArray[Any] = numpy_helper.to_array(weight)
    return array
