"""The networks of a model as ONNX Runtime sessions, behind plain NumPy functions. No search, no audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.decoding.emissions import Ints
from stenod.decoding.transducer import Predictions, States
from stenod.engines.parakeet_onnx import dissect
from stenod.engines.parakeet_onnx.runtime import Runtime
from stenod.errors import Unavailable

TYPES: Final[Mapping[str, tuple[type[np.generic], int]]] = {
    "tensor(float)": (np.float32, 1),
    "tensor(float16)": (np.float16, 10),
    "tensor(int32)": (np.int32, 6),
    "tensor(int64)": (np.int64, 7),
}
"""ONNX Runtime's names of element types: NumPy's type, onnx.TensorProto.DataType."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A session that is fed and answers by position, whatever precision it wants."""

    session: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    types: Mapping[str, type[np.generic]]
    """Element types of the session's inputs, by name."""

    @classmethod
    def of(cls, session: Any, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = ()) -> Graph:
        """By default all inputs and outputs, in the graph's order."""
        return cls(
            session,
            inputs or tuple(value.name for value in session.get_inputs()),
            outputs or tuple(value.name for value in session.get_outputs()),
            {value.name: TYPES[value.type][0] for value in session.get_inputs()},
        )

    def __call__(self, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
        """Run it."""
        feed = {
            name: array.astype(self.types[name], copy=False)
            for name, array in zip(self.inputs, arrays, strict=True)
            if name in self.types  # what a part does not depend on is no input of it
        }
        answer: list[NDArray[Any]] = self.session.run(list(self.outputs), feed)
        return answer


class Encoder:
    """Features to encodings, or to a CTC model's log-probabilities.

    Two inputs (features, lengths) or one; where the lengths of the output are not given either, they follow from
    `factor`, feature frames to one output frame.
    """

    def __init__(self, session: Any, factor: int | None) -> None:
        self.graph = Graph.of(session)
        shape = session.get_inputs()[0].shape
        self.bands = int(shape[1]) if isinstance(shape[1], int) else 80
        self.masks = len(self.graph.inputs) > 1
        """Whether it knows where an item of a padded batch ends."""
        self.factor = factor or self._measured()

    def __call__(self, features: NDArray[np.float32], lengths: Ints) -> tuple[NDArray[np.float32], Ints]:
        """(batch, bands, frames) and (batch,) to the first output as it is, and how many of its frames are the items'."""
        found, *rest = self.graph(features, lengths) if self.masks else self.graph(features)
        ends = rest[0].astype(np.int64) if rest else -(-lengths // self.factor)
        return found.astype(np.float32, copy=False), ends

    def _measured(self) -> int:
        """Feature frames to an output frame, by trying."""
        frames = 256
        features, lengths = np.zeros((1, self.bands, frames), np.float32), np.array([frames])
        found = (self.graph(features, lengths) if self.masks else self.graph(features))[0]
        axis = 1 if len(self.graph.outputs) == 1 else 2
        return max(1, round(frames / int(found.shape[axis])))


class Whole:
    """A fused decoder that could not be taken apart: `Networks` all the same, with one run of all of it for each part."""

    def __init__(self, runtime: Runtime, model: Any, found: dissect.Roles) -> None:
        session = runtime.session(model)
        lengths = (found.lengths,) if found.lengths else ()
        self.graph = Graph.of(
            session, (found.encoded, found.targets, *lengths, *found.states), (found.scores, *found.next_states)
        )
        self._width = found.width
        self._sizes = found.sizes
        self._lengths = bool(lengths)
        self.classes = _classes(self, found.width)

    def project(self, encoded: NDArray[np.float32]) -> NDArray[Any]:
        """Nothing is projected ahead: (batch, width, frames) to (batch, frames, width)."""
        return encoded.transpose(0, 2, 1)

    def begin(self, items: int) -> States:
        """Zeros."""
        return _zeros(self._sizes, items)

    def predict(self, labels: Ints, states: States) -> tuple[Predictions, States]:
        """The states after `labels`; the joint needs the label and the states before it."""
        nothing = np.zeros((len(labels), 1, self._width), np.float32)
        _, *after = self._run(nothing, labels, states)
        return (labels, *(array.swapaxes(0, 1) for array in states)), tuple(after)

    def join(self, frames: NDArray[Any], predictions: Predictions) -> NDArray[np.float32]:
        """Scores of (items, frames, width)."""
        labels, *states = predictions
        return self._run(frames, labels, tuple(array.swapaxes(0, 1) for array in states))[0][:, :, 0]

    def _run(self, frames: NDArray[Any], labels: Ints, states: States) -> list[NDArray[Any]]:
        lengths = (np.ones(len(labels), np.int32),) if self._lengths else ()
        scores, *after = self.graph(frames.transpose(0, 2, 1), labels[:, None], *lengths, *states)
        return [scores.astype(np.float32, copy=False), *after]


class Dissected:
    """A fused decoder taken apart (`dissect`)."""

    def __init__(self, runtime: Runtime, parts: dissect.Parts, found: dissect.Roles) -> None:
        project, predict = runtime.session(parts.project), runtime.session(parts.predict)
        self._project = Graph.of(project)
        targets = tuple(name for name in (found.targets, found.lengths, *found.states) if name is not None)
        self._predict = Graph.of(predict, targets, (parts.prediction, *found.next_states))
        types = {
            parts.frames: TYPES[project.get_outputs()[0].type][1],
            parts.prediction: TYPES[predict.get_outputs()[0].type][1],
        }
        join = runtime.session(dissect.typed(parts.join, types))
        self._join = Graph.of(join, (parts.frames, parts.prediction), (parts.scores,))
        self._sizes = found.sizes
        self._lengths = found.lengths is not None
        self.classes = _classes(self, found.width)

    def project(self, encoded: NDArray[np.float32]) -> NDArray[Any]:
        """The encoder's side of the joint, once for all frames: (batch, width, frames) to (batch, frames, joint width)."""
        (projected,) = self._project(encoded)
        return projected.reshape(len(encoded), encoded.shape[2], -1)

    def begin(self, items: int) -> States:
        """Zeros."""
        return _zeros(self._sizes, items)

    def predict(self, labels: Ints, states: States) -> tuple[Predictions, States]:
        """The prediction network and its side of the joint."""
        lengths = (np.ones(len(labels), np.int32),) if self._lengths else ()
        prediction, *after = self._predict(labels[:, None], *lengths, *states)
        return (prediction,), tuple(after)

    def join(self, frames: NDArray[Any], predictions: Predictions) -> NDArray[np.float32]:
        """What is left of the joint: (items, frames, joint width) to (items, frames, classes)."""
        (scores,) = self._join(frames[:, :, None], *predictions)
        return scores[:, :, 0].astype(np.float32, copy=False)


def decoder(runtime: Runtime, paths: tuple[Path, ...]) -> Whole | Dissected:
    """The networks behind the encoder: of a fused `decoder_joint`, or of a decoder and a joiner."""
    import onnx  # noqa: PLC0415 heavy

    from stenod.engines.parakeet_onnx.unroll import unroll  # noqa: PLC0415 heavy

    try:
        models = [onnx.load(str(path)) for path in paths]
        if not all(model.graph.node for model in models):
            raise ValueError("an empty graph")  # noqa: TRY301 one answer to all that can be wrong
        model = models[0] if len(models) == 1 else dissect.fuse(*models)
    except Exception as error:
        raise Unavailable("the decoder of the model cannot be read; pull the model again") from error
    found = dissect.roles(model)
    if found is None:
        raise Unavailable("the decoder of the model is not of a kind known here (NeMo's transducers)")
    parts = dissect.dissect(model, found)
    if parts is None:
        return Whole(runtime, model, found)
    return Dissected(runtime, replace(parts, predict=unroll(parts.predict)), found)


def _classes(networks: Whole | Dissected, width: int) -> int:
    """Labels, blank and durations, by trying."""
    predictions, _ = networks.predict(np.zeros(1, np.int64), networks.begin(1))
    scores = networks.join(networks.project(np.zeros((1, width, 1), np.float32)), predictions)
    return int(scores.shape[2])


def _zeros(sizes: tuple[tuple[int, int], ...], items: int) -> States:
    return tuple(np.zeros((layers, items, hidden), np.float32) for layers, hidden in sizes)
