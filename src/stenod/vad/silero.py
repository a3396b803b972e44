"""Silero VAD 6.2.3 over ONNX Runtime, for 16 kHz; no torch. Weights and licence lie beside this file (silero.LICENSE).

The same network comes twice, and both give the same probabilities to the last bit: `silero.onnx` takes one frame of many
streams (live sessions), `silero_sequence.onnx` many frames of one stream (files). A frame goes in with the last 64 samples
before it; an LSTM remembers the rest.

Digital silence never reaches the network: see GATE and FADE.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stenod.jobs import Samples
from stenod.options import FRAME, RATE

GATE: Final = 1e-4
"""Deviation from the mean (of 1) under which a frame is digital silence: -80 dBFS. Dithered or lossily coded silence lies
at -90 and below, the quietest room through a microphone 10 dB above; a constant offset, as A-law has, is silence too."""

FADE: Final = 8
"""Frames of digital silence that the network still hears, a quarter of a second: its memory of the speech before fades as
it would have, and only then is it left to rest."""

_CONTEXT: Final = 64
_FEW: Final = 4
"""With fewer streams than this, whole stretches one stream at a time are cheaper than step by step together."""
_LONGEST: Final = 256
"""Frames in one call at most, 8 s: bounds the memory of a call."""

_RATE: Final = np.array(RATE, np.int64)

Inputs: TypeAlias = NDArray[np.float32]
"""Frames with their context, shape (frames, 64 + 512)."""


@dataclass(slots=True, eq=False)
class Hearing:
    """What is remembered of one stream."""

    memory: NDArray[np.float32] = field(default_factory=lambda: np.zeros((2, 128), np.float32))
    """The LSTM's hidden and cell state."""
    context: Samples = field(default_factory=lambda: np.zeros(_CONTEXT, np.float32))
    silent: int = 0
    """Frames of digital silence in a row."""


@dataclass(slots=True, eq=False)
class _Task:
    """What the network is to hear of one stream, and what it says."""

    state: Hearing
    inputs: Inputs
    answer: Samples


class Silero:
    """The detector. One caller at a time; one thread, since the calls are too short to share."""

    def __init__(self) -> None:
        self._step = _load("silero.onnx")
        self._sequence = _load("silero_sequence.onnx")

    def open(self) -> Hearing:
        """Begin a stream."""
        return Hearing()

    def score(self, states: Sequence[Hearing], frames: Sequence[Samples]) -> list[Samples]:
        """Score the next frames of each stream: (n_i, 512) each in, (n_i,) each out."""
        if not states:
            return []
        together = np.concatenate(frames)
        loud = together.std(axis=1) >= GATE
        inputs = _inputs(states, frames, together)
        answers = np.zeros(len(together), np.float32)
        tasks, places, start = [], [], 0
        for state, stretch in zip(states, frames, strict=True):
            here = slice(start, start + len(stretch))
            heard = start + _heard(state, loud[here])
            tasks.append(_Task(state, inputs[heard], np.zeros(len(heard), np.float32)))
            places.append(heard)
            start = here.stop
        self._run([task for task in tasks if len(task.inputs)])
        for task, heard in zip(tasks, places, strict=True):
            answers[heard] = task.answer
        answers[~loud] = 0
        return np.split(answers, np.cumsum([len(stretch) for stretch in frames[:-1]]))

    def _run(self, tasks: list[_Task]) -> None:
        """Step by step together while there are enough streams; then the rest of each at once."""
        at = 0
        while len(tasks) >= _FEW:
            inputs = np.stack([task.inputs[at] for task in tasks])
            memory = np.stack([task.state.memory for task in tasks], axis=1)
            spoken, memory = self._step.run(None, {"input": inputs, "state": memory, "sr": _RATE})
            for index, task in enumerate(tasks):
                task.answer[at] = spoken[index, 0]
                task.state.memory = memory[:, index]
            at += 1
            tasks = [task for task in tasks if at < len(task.inputs)]
        for task in tasks:
            for start in range(at, len(task.inputs), _LONGEST):
                part = slice(start, start + _LONGEST)
                hidden, cell = task.state.memory[:, np.newaxis, np.newaxis]
                spoken, hidden, cell = self._sequence.run(None, {"input": task.inputs[part], "h": hidden, "c": cell})
                task.answer[part] = spoken
                task.state.memory = np.concatenate((hidden[0], cell[0]))


def _heard(state: Hearing, loud: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Which frames of a stream the network hears: all but those deep in digital silence."""
    if loud.all():
        state.silent = 0 if len(loud) else state.silent
        return np.arange(len(loud))
    heard = []
    for index, sound in enumerate(loud):
        state.silent = 0 if sound else state.silent + 1
        if state.silent <= FADE:
            heard.append(index)
    return np.array(heard, np.intp)


def _inputs(states: Sequence[Hearing], frames: Sequence[Samples], together: Samples) -> Inputs:
    """Each frame behind the last samples of the one before it in its stream."""
    inputs = np.empty((len(together), _CONTEXT + FRAME), np.float32)
    inputs[:, _CONTEXT:] = together
    inputs[1:, :_CONTEXT] = together[:-1, -_CONTEXT:]
    start = 0
    for state, stretch in zip(states, frames, strict=True):
        if len(stretch):
            inputs[start, :_CONTEXT] = state.context
            state.context = stretch[-1, -_CONTEXT:].copy()
            start += len(stretch)
    return inputs


def _load(name: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: the rest is not for whoever runs a server
    weights = files("stenod.vad").joinpath(name).read_bytes()
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
