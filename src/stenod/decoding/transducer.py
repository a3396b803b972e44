"""Greedy transducer search for a whole batch: RNN-T and TDT. NumPy over callables; knows no runtime.

Label looping (arXiv 2406.06220): the prediction network runs only after a label, and only for the items that emitted one;
the joint looks at several frames at once, where a run of blanks is followed to its end; a token-and-duration transducer
(TDT, arXiv 2304.06795) skips frames by the durations that it predicts. Every item goes at its own pace through the same
rounds and leaves them when it ends. What it gives is, label for label, what NeMo's `greedy_batch` gives; hotwords are tried,
and taken back where they do not come out whole (`trials`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stenod.decoding import confidence
from stenod.decoding.boosting import Booster
from stenod.decoding.emissions import Emitted, Hypothesis, Ints, hypotheses
from stenod.decoding.trials import Move, Trial

States: TypeAlias = tuple[NDArray[Any], ...]
"""What the prediction network remembers: arrays with the items on axis 1, as in (layers, items, hidden)."""

Predictions: TypeAlias = tuple[NDArray[Any], ...]
"""What the joint wants of the prediction network: arrays with the items on axis 0."""

MOST: Final = 10
"""Labels on one frame before the search goes on to the next, as in NeMo and onnx-asr."""

ROWS: Final = 16
"""Rows (items times frames) that a joint is asked for at once, where there are fewer items."""

AHEAD: Final = 4
"""Frames looked at in advance, at most, and no more than it takes to meet the next label. Measured on Parakeet's shape: with
few items and many blanks a quarter faster than one at a time, while a full batch, whose rows cost what they are, is best off
with one (`ROWS`)."""


class Networks(Protocol):
    """The three parts of a transducer behind its encoder."""

    def begin(self, items: int) -> States:
        """The states before the first label."""
        ...

    def predict(self, labels: Ints, states: States) -> tuple[Predictions, States]:
        """The prediction network, after `labels` (items,); the blank stands for the beginning."""
        ...

    def join(self, frames: NDArray[Any], predictions: Predictions) -> NDArray[np.float32]:
        """The joint: projected frames (items, frames, width) to scores (items, frames, labels + durations)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What kind of transducer it is."""

    blank: int
    """The last label; scores behind it are of durations."""
    durations: tuple[int, ...] = ()
    """Frames that each duration skips (TDT); empty for RNN-T."""
    most: int = MOST
    window: Callable[[int], int] = lambda items: min(AHEAD, max(1, ROWS // items))
    """How many frames to look at, for so many items."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What is to be searched."""

    projected: NDArray[Any]
    """What `Networks.join` takes as frames, for all items: (batch, frames, width)."""
    lengths: Ints
    """How many of the frames are the item's own, (batch,)."""
    boosters: Sequence[Booster | None] | None = None
    """The hotwords of each item."""
    allowed: NDArray[np.bool_] | None = None
    """The labels that may be written at all, (batch, labels without the blank)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """Where one item was when a hotword was tried: its values in the search's arrays, and the rounds before."""

    time: int
    here: int
    predictions: Predictions
    states: States
    rounds: int


class Search:
    """One batch on its way. Arrays shrink as items end: index k is item `items[k]`."""

    def __init__(
        self, networks: Networks, rules: Rules, batch: Batch, trials: Mapping[int, Trial] | None = None
    ) -> None:
        self.networks = networks
        self.rules = rules
        self.projected = batch.projected
        self.items: Ints = np.flatnonzero(batch.lengths > 0)
        self.ends: Ints = batch.lengths[self.items].astype(np.int64)
        self.times: Ints = np.zeros_like(self.items)
        self.here: Ints = np.zeros_like(self.items)
        """Labels already on the frame at `times`."""
        self.trials = dict(trials or {})
        self.places: dict[int, _Place] = {}
        """Where the items with a hotword on trial return to if it fails."""
        self.allowed = None if batch.allowed is None else batch.allowed[self.items]
        self.predictions: Predictions = ()
        self.states: States = ()
        self.spans = np.array(rules.durations, np.int64)
        self.emitted: list[Emitted] = []
        self.labels, self.blanks = 1, 1
        """Met so far, by all items: how far it is worth looking ahead. A run of blanks counts as two at most."""

    def run(self) -> None:
        """Go on until every item has ended."""
        count = len(self.items)
        if not count:
            return
        start = np.full(count, self.rules.blank, np.int64)
        self.predictions, self.states = self.networks.predict(start, self.networks.begin(count))
        while len(self.items):
            labels, found = self._step()
            going = self.times < self.ends
            if not going.all():
                self._keep(going)
                labels, found = labels[going], found[going]
            if found.any():
                self._predict(labels, found)

    def _step(self) -> tuple[Ints, NDArray[np.bool_]]:
        """Look at the next frames of every item: the label each finds, and whether it finds one. Moves `times`."""
        blank = self.rules.blank
        rows = np.arange(len(self.items))
        ahead = min(self.rules.window(len(self.items)), 1 + math.ceil(self.blanks / self.labels))
        frames = np.minimum(self.times[:, None] + np.arange(ahead), self.ends[:, None] - 1)
        scores = self.networks.join(self.projected[self.items[:, None], frames], self.predictions)
        labels = self._labels(scores[..., : blank + 1])
        spans = self.spans[scores[..., blank + 1 :].argmax(axis=-1)] if len(self.spans) else (labels == blank) * 1
        places = self._walk(labels == blank, np.maximum(spans, 1))
        chosen, span = labels[rows, places], spans[rows, places]
        found = chosen != blank
        self.labels += int(found.sum())
        self.blanks += int((~found).sum() + (places > 0).sum())
        self.here[places > 0] = 0
        self.times += places
        back, skip = np.zeros_like(found), span
        seen = (scores[:, 0] if ahead == 1 else scores[rows, places])[:, : blank + 1]
        if self.trials:
            back, skip = self._try(seen, chosen, span)
            found &= ~back
        if found.any():
            self._emit(seen, chosen, span, found)
        # a label may stay on its frame; a blank, and the last label that a frame may have, move on
        self.here = np.where(found & (skip == 0), self.here + 1, np.where(back, self.here, 0))
        full = self.here >= self.rules.most
        self.here[full] = 0
        self.times += np.where(back, 0, np.where(full | ~found, np.maximum(skip, 1), skip))
        for at in np.flatnonzero(self.times >= self.ends).tolist() if self.trials else ():
            trial = self.trials.get(int(self.items[at]))
            if trial is not None and trial.finish() is Move.BACK:
                self._return(at)
                found[at] = False
        return chosen, found

    def _try(self, scores: NDArray[np.float32], chosen: Ints, span: Ints) -> tuple[NDArray[np.bool_], Ints]:
        """Let hotwords change the labels in `chosen`, given scores (items, labels).

        Gives the items that went back instead, and how many frames each is to go on.
        """
        back, skip = np.zeros(len(chosen), bool), span.copy()
        for at in np.flatnonzero(chosen != self.rules.blank).tolist():
            item = int(self.items[at])
            trial = self.trials.get(item)
            if trial is None:
                continue
            log_probs = log_softmax(scores[at])
            if self.allowed is not None:
                log_probs[:-1][~self.allowed[at]] = -np.inf
            chosen[at], move = trial.decide(log_probs, int(chosen[at]))
            skip[at] = trial.pace(int(self.times[at]), int(span[at]))
            if move is Move.STAKE:
                self.places[item] = _Place(
                    int(self.times[at]),
                    int(self.here[at]),
                    tuple(array[at].copy() for array in self.predictions),
                    tuple(array[:, at].copy() for array in self.states),
                    len(self.emitted),
                )
            elif move is Move.BACK:
                self._return(at)
                back[at] = True
        return back, skip

    def _return(self, at: int) -> None:
        """Put an item back to where its trial began, and forget what it has said since."""
        item = int(self.items[at])
        place = self.places[item]
        self.times[at], self.here[at] = place.time, place.here
        for held, kept in zip(self.predictions, place.predictions, strict=True):
            held[at] = kept
        for held, kept in zip(self.states, place.states, strict=True):
            held[:, at] = kept
        self.emitted[place.rounds :] = [one.without(item) for one in self.emitted[place.rounds :]]

    def _labels(self, scores: NDArray[np.float32]) -> Ints:
        """The best label of each frame: (items, frames, labels) to (items, frames)."""
        if self.allowed is not None:
            scores = scores.copy()
            np.putmask(scores[..., :-1], np.broadcast_to(~self.allowed[:, None], scores[..., :-1].shape), -np.inf)
        labels: Ints = np.argmax(scores, axis=-1)
        return labels

    def _walk(self, blanks: NDArray[np.bool_], skips: Ints) -> Ints:
        """How far each item gets through its frames, (items, frames): to its first label, or the last blank in sight."""
        rows = np.arange(len(blanks))
        last = np.minimum(blanks.shape[1], self.ends - self.times) - 1
        places = np.zeros(len(blanks), np.int64)
        while True:
            onward = places + skips[rows, places]
            walks = blanks[rows, places] & (onward <= last)
            if not walks.any():
                return places
            places = np.where(walks, onward, places)

    def _emit(self, scores: NDArray[np.float32], labels: Ints, span: Ints, found: NDArray[np.bool_]) -> None:
        """Write down the labels of the items in `found`, and what the network thinks of them: scores (items, labels)."""
        if 2 * found.sum() > len(found):  # a copy of so many rows costs more than judging the others as well
            log_probs, sure = (column[found] for column in confidence.judge(scores, labels))
        else:
            log_probs, sure = confidence.judge(scores[found], labels[found])
        self.emitted.append(Emitted(self.items[found], labels[found], self.times[found], span[found], log_probs, sure))

    def _keep(self, going: NDArray[np.bool_]) -> None:
        """Let the others go."""
        self.items, self.ends, self.times, self.here = (
            array[going] for array in (self.items, self.ends, self.times, self.here)
        )
        self.predictions = tuple(array[going] for array in self.predictions)
        self.states = tuple(array[:, going] for array in self.states)
        self.allowed = None if self.allowed is None else self.allowed[going]

    def _predict(self, labels: Ints, found: NDArray[np.bool_]) -> None:
        """Run the prediction network for the items that emitted."""
        if found.all():
            self.predictions, self.states = self.networks.predict(labels, self.states)
            return
        states = tuple(array[:, found] for array in self.states)
        predictions, states = self.networks.predict(labels[found], states)
        for held, fresh in zip(self.predictions, predictions, strict=True):
            held[found] = fresh
        for held, fresh in zip(self.states, states, strict=True):
            held[:, found] = fresh


def search(networks: Networks, rules: Rules, batch: Batch) -> list[Hypothesis]:
    """What each item says, greedily; those with hotwords are searched a second time, with them."""
    plain = _run(Search(networks, rules, batch), len(batch.lengths))
    boosters = {item: booster for item, booster in enumerate(batch.boosters or ()) if booster is not None}
    if not boosters:
        return plain
    trials = {}
    for item, booster in boosters.items():
        begins = np.isin(plain[item].labels, booster.lexicon.starts)
        trials[item] = Trial(booster, plain[item].frames[begins].tolist())
    lengths = np.where([item in boosters for item in range(len(plain))], batch.lengths, 0)
    tried = _run(Search(networks, rules, replace(batch, lengths=lengths), trials), len(plain))
    return [tried[item] if item in boosters else one for item, one in enumerate(plain)]


def _run(one: Search, batch: int) -> list[Hypothesis]:
    one.run()
    return hypotheses(one.emitted, batch)


def log_softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithms of probabilities, over the last axis."""
    shifted: NDArray[np.float32] = scores - scores.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted
