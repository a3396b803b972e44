"""parakeet-mlx's networks as our searches want them: NumPy in, NumPy out. Imported in the worker only.

The library's own decoding goes item by item and asks the device for every frame; these go over the whole batch.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from stenod.decoding.emissions import Ints
from stenod.decoding.transducer import Predictions, States


class Networks:
    """Prediction network and joint of a `ParakeetTDT` or `ParakeetRNNT`: what `stenod.decoding.transducer` calls."""

    def __init__(self, net: Any) -> None:
        self._joint = net.joint
        self._embed = net.decoder.prediction["embed"]
        self._layers = net.decoder.prediction["dec_rnn"].lstm
        self._blank = len(net.vocabulary)
        self._hidden = net.decoder.pred_hidden

    def project(self, encoded: mx.array) -> NDArray[np.float32]:
        """The encoder's frames (batch, frames, features) as the joint takes them."""
        return _numpy(self._joint.enc(encoded))

    def begin(self, items: int) -> States:
        """See Networks of the search."""
        widths = [layer.Wh.shape[1] for layer in self._layers]
        zeros = np.zeros((len(widths), items, widths[0]), np.float32)
        return zeros, zeros.copy()

    def predict(self, labels: Ints, states: States) -> tuple[Predictions, States]:
        """One step of the prediction network for every item; the blank, before the first label, is heard as nothing."""
        known = mx.array(labels != self._blank)[:, None]
        heard = mx.where(known, self._embed(mx.array(np.where(labels == self._blank, 0, labels))), 0.0)[:, None]
        hidden, cells = [], []
        for layer, held, cell in zip(self._layers, *map(mx.array, states), strict=True):
            outputs, after = layer(heard, hidden=held, cell=cell)  # one step of a sequence
            heard = outputs
            hidden.append(outputs[:, -1])
            cells.append(after[:, -1])
        projected = self._joint.pred(heard[:, -1])
        return (_numpy(projected),), (_numpy(mx.stack(hidden)), _numpy(mx.stack(cells)))

    def join(self, frames: NDArray[Any], predictions: Predictions) -> NDArray[np.float32]:
        """See Networks of the search."""
        scores = mx.array(frames) + mx.array(predictions[0])[:, None]
        for layer in self._joint.joint_net:
            scores = layer(scores)
        return _numpy(scores)


def log_probs(head: Any, encoded: mx.array) -> NDArray[np.float32]:
    """A CTC head's output, (batch, frames, labels), in nats."""
    return _numpy(head(encoded))


def _numpy(array: mx.array) -> NDArray[np.float32]:
    """A copy that may be written to; MLX computes it now."""
    return np.array(array.astype(mx.float32))
