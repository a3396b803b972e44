"""The engine worker process: loads one model and answers calls over a socket. Started by `worker.py`, for nobody else.

A fresh interpreter that imports this module and calls `main`, so nothing of the server is imported here. Everything blocks,
one call at a time; streaming states live here and are known outside by number. May import engines.base and the rooms below,
no sibling.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from stenod.engines.base import Engine, LoadOptions, Model, Request, State, StreamingEngine
from stenod.errors import StenodError
from stenod.jobs import Samples
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript

_log = logging.getLogger("stenod.engines.child")

WARM_UP: Final = 1.0
"""Seconds of audio that are decoded once before the first client comes."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first message down: what to load, and by which function, which travels by its name."""

    load: Callable[[Model, LoadOptions], Engine | StreamingEngine]
    model: Model
    options: LoadOptions


@dataclass(frozen=True, slots=True)
class Loaded:
    """The answer to it. Seconds that loading took, and the first decode after it."""

    load_seconds: float = 0.0
    warm_up_seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One more chunk for the state `number`; `opens` holds the options where that state is to be opened first."""

    number: int
    chunk: Samples
    last: bool
    opens: DecodeOptions | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """The answer to a call that raised. `kind` is the class name of the error, `message` is for clients."""

    kind: str
    code: str
    message: str


class Server:
    """The calls that a worker understands; each public method is one."""

    def __init__(self, engine: Engine | StreamingEngine) -> None:
        self._engine: Any = engine
        self._states: dict[int, State] = {}

    def rehearse(self) -> None:
        """Decode a little noise once, by the call that live sessions make; the engine's own way where it has one."""
        own = getattr(self._engine, "rehearse", None)
        if own is not None:
            own()
            return
        options = DecodeOptions()
        noise = (1e-3 * np.random.default_rng(0).standard_normal(int(WARM_UP * RATE))).astype(np.float32)
        if self._engine.capabilities.streams:
            self.step([Step(0, noise, True, options)])
        else:
            self.transcribe([Request(noise, options)])

    def ping(self) -> int:
        """The number of open states."""
        return len(self._states)

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """See Engine."""
        answers: list[Transcript] = self._engine.transcribe(batch)
        return _complete(answers, len(batch))

    def step(self, steps: Sequence[Step]) -> list[Transcript]:
        """One chunk for each of several states. States that were told `last` are closed; after a failure, all of them."""
        numbers = [step.number for step in steps]
        try:
            for step in steps:
                if step.opens is not None:
                    self._states[step.number] = self._engine.open(step.opens)
            states = [self._states[number] for number in numbers]
            answers: list[Transcript] = self._engine.step(
                states, [step.chunk for step in steps], [step.last for step in steps]
            )
        except BaseException:
            self.close(numbers)
            raise
        self.close([step.number for step in steps if step.last])
        return _complete(answers, len(steps))

    def close(self, numbers: Sequence[int]) -> None:
        """Free states; unknown numbers are passed over."""
        states = [self._states.pop(number) for number in numbers if number in self._states]
        if states:
            self._engine.close(states)


def _complete(answers: list[Transcript], wanted: int) -> list[Transcript]:
    if len(answers) != wanted:
        raise RuntimeError(f"the engine gave {len(answers)} transcripts where {wanted} were wanted")
    return answers


def attempt(fault: str, call: Any, *arguments: Any) -> Any:
    """What the call returns, or the Trouble it got into.

    `fault` is what clients read where the error is not one of ours; the traceback goes to the log, never to them.
    """
    try:
        return call(*arguments)
    except StenodError as error:
        return Trouble(type(error).__name__, error.code, error.message)
    except Exception:  # noqa: BLE001 an engine may raise anything
        _log.exception("the engine raised")
        return Trouble("EngineFailed", "engine_failed", fault)


def load(start: Start) -> tuple[Server, Loaded]:
    """The loaded engine, warm: what only the first decode pays for is paid. An engine that cannot decode is not loaded."""
    began = time.monotonic()
    server = Server(start.load(start.model, start.options))
    loaded = time.monotonic()
    server.rehearse()
    return server, Loaded(round(loaded - began, 3), round(time.monotonic() - loaded, 3))


def serve(pipe: Connection) -> None:
    """Load, then answer calls until the other end is gone."""
    start: Start = pipe.recv()
    loaded = attempt("the model could not be loaded", load, start)
    if isinstance(loaded, Trouble):
        pipe.send(loaded)
        return
    server, told = loaded
    pipe.send(told)
    while True:
        method, arguments = pipe.recv()
        pipe.send(attempt("the recogniser could not decode this audio", getattr(server, method), *arguments))


def _die_with_parent() -> None:
    """Let the kernel kill this process with its parent, even in the middle of a call that never returns."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """The process: `sys.argv[1]` is the number of the inherited socket."""
    for stop in (signal.SIGINT, signal.SIGTERM):  # the server drains, then closes the socket
        signal.signal(stop, signal.SIG_IGN)
    _die_with_parent()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        serve(Connection(int(sys.argv[1])))
    except (EOFError, ConnectionError, BrokenPipeError):
        os._exit(0)  # the server is gone or wants no more: nothing here is worth an orderly end
