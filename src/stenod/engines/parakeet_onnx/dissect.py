"""Takes an exported transducer decoder apart by what depends on what, so that each part runs only when it must.

NeMo exports prediction network and joint as one graph (`decoder_joint`): one frame and one label go in, and with every frame
the prediction network runs again. Here the graph is cut in three where the two sides meet: what depends on the encoder's
output alone (run once for all frames), what depends on labels and states alone (run after a label), and the rest. Works on
any precision, since it knows no operators but the LogSoftmax at the end, which it leaves out. Needs `onnx`; runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Graph: TypeAlias = Any
"""An onnx.ModelProto."""

ENCODER: Final = "encoder"
LABELS: Final = "labels"


@dataclass(frozen=True, slots=True)
class Roles:
    """Which input and output of a fused decoder is which, by name."""

    encoded: str
    """The encoder's output: (items, width, frames)."""
    targets: str
    """Labels: integers, (items, 1)."""
    lengths: str | None
    """How many labels: integers, (items,)."""
    states: tuple[str, ...]
    """(layers, items, hidden)."""
    sizes: tuple[tuple[int, int], ...]
    """Layers and hidden units of each state."""
    width: int
    """Of the encoder's output."""
    scores: str
    """(items, frames, 1, classes)."""
    next_states: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The three graphs. `join` has no input types yet: the runtime knows them when it has the other two (`typed`)."""

    project: Graph
    predict: Graph
    join: Graph
    frames: str
    """What `project` gives and `join` takes."""
    prediction: str
    """What `predict` gives and `join` takes."""
    scores: str


def roles(model: Graph) -> Roles | None:
    """Find the inputs and outputs by type, rank and order; None where it is no fused decoder."""
    inputs = [(value.name, _integer(value), _rank(value)) for value in model.graph.input]
    outputs = [(value.name, _integer(value), _rank(value)) for value in model.graph.output]
    encoded = [name for name, integer, _ in inputs if not integer and "encoder" in name]
    targets = [name for name, integer, rank in inputs if integer and rank == 2]
    lengths = [name for name, integer, rank in inputs if integer and rank == 1]
    states = [name for name, integer, rank in inputs if not integer and rank == 3 and name not in encoded]
    scores = [name for name, integer, rank in outputs if not integer and rank == 4]
    after = [name for name, integer, rank in outputs if not integer and rank == 3]
    if len(encoded) != 1 or len(targets) != 1 or len(scores) != 1 or not states or len(states) != len(after):
        return None
    shapes = {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.input}
    return Roles(
        encoded=encoded[0],
        targets=targets[0],
        lengths=lengths[0] if lengths else None,
        states=tuple(states),
        sizes=tuple((shapes[name][0], shapes[name][2]) for name in states),
        width=shapes[encoded[0]][1],
        scores=scores[0],
        next_states=tuple(after),
    )


def dissect(model: Graph, found: Roles) -> Parts | None:
    """The three parts of a fused decoder; None where the sides meet in more than one place."""
    scores = _before_softmax(model, found.scores)
    sides = _sides(model, found)
    mixed = _upstream(model, [scores], stop={name for name, side in sides.items() if len(side) < 2})
    made = {name for node in mixed for name in node.output}
    needed = [name for node in mixed for name in node.input if name and name not in made]
    frames = sorted({name for name in needed if sides.get(name) == {ENCODER}})
    predictions = sorted({name for name in needed if sides.get(name) == {LABELS}})
    if len(frames) != 1 or len(predictions) != 1:
        return None
    targets = [name for name in (found.targets, found.lengths, *found.states) if name is not None]
    types = {value.name: value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)}
    return Parts(
        project=part(model, types, [found.encoded], frames),
        predict=part(model, types, targets, [*predictions, *found.next_states]),
        join=part(model, types, [*frames, *predictions], [scores]),
        frames=frames[0],
        prediction=predictions[0],
        scores=scores,
    )


def part(model: Graph, types: dict[str, int], inputs: Iterable[str], outputs: Iterable[str]) -> Graph:
    """The graph that makes `outputs` of those of `inputs` that they depend on; element `types` by name, where known.

    Shapes are left open, so that items can be many.
    """
    from onnx import GraphProto, ModelProto, ValueInfoProto  # noqa: PLC0415 heavy

    given, wanted = list(inputs), list(outputs)
    kept = _upstream(model, wanted, stop=set(given))
    used = {name for node in kept for name in node.input} | set(wanted)

    def value(name: str) -> Any:
        made = ValueInfoProto(name=name)
        if name in types:
            made.type.tensor_type.elem_type = types[name]
        return made

    graph = GraphProto(name="part", node=kept)
    graph.initializer.extend(weight for weight in model.graph.initializer if weight.name in used)
    graph.input.extend(value(name) for name in given if name in used)
    graph.output.extend(value(name) for name in wanted)
    cut = ModelProto(ir_version=model.ir_version, graph=graph, functions=model.functions)
    cut.opset_import.extend(model.opset_import)
    return cut


def typed(model: Graph, types: dict[str, int]) -> Graph:
    """Give inputs that have none their element types (onnx.TensorProto.DataType)."""
    for value in model.graph.input:
        if value.name in types:
            value.type.tensor_type.elem_type = types[value.name]
    return model


def fuse(decoder: Graph, joiner: Graph) -> Graph:
    """One fused decoder of the two graphs that sherpa-onnx's layout has. Raises ValueError where they do not fit.

    Of each, the first input is the one that matters (labels; the encoder's output), of the joiner the second is the
    decoder's first output.
    """
    from onnx import compose  # noqa: PLC0415 heavy

    _, predicted = joiner.graph.input
    return compose.merge_models(
        decoder,
        joiner,
        io_map=[(decoder.graph.output[0].name, predicted.name)],
        prefix1="decoder/",
        prefix2="joiner/",
    )


def _sides(model: Graph, found: Roles) -> dict[str, set[str]]:
    """For each value that the graph computes or is given: whether it depends on the encoder's output, on labels, or both."""
    sides: dict[str, set[str]] = {found.encoded: {ENCODER}}
    sides |= {name: {LABELS} for name in (found.targets, found.lengths, *found.states) if name is not None}
    for node in model.graph.node:  # in order of computation
        side: set[str] = set().union(*(sides.get(name, set()) for name in node.input))
        sides |= dict.fromkeys(node.output, side)
    return sides


def _upstream(model: Graph, wanted: Iterable[str], stop: set[str]) -> list[Any]:
    """The nodes that `wanted` come of, in order of computation, as far back as the values in `stop`."""
    producers = {name: place for place, node in enumerate(model.graph.node) for name in node.output}
    kept: set[int] = set()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        place = producers.get(name)
        if place is not None and place not in kept and name not in stop:
            kept.add(place)
            todo += model.graph.node[place].input
    return [model.graph.node[place] for place in sorted(kept)]


def _before_softmax(model: Graph, scores: str) -> str:
    """What goes into a LogSoftmax at the end: it changes no argmax and costs a pass over the vocabulary."""
    node = next((node for node in model.graph.node if scores in node.output), None)
    return str(node.input[0]) if node is not None and node.op_type == "LogSoftmax" else scores


def _integer(value: Any) -> bool:
    from onnx import TensorProto  # noqa: PLC0415 heavy

    return value.type.tensor_type.elem_type in (TensorProto.INT32, TensorProto.INT64)


def _rank(value: Any) -> int:
    return len(value.type.tensor_type.shape.dim)
