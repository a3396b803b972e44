"""One pull of a model at a time, on this machine: a lock that a killed process lets go of by itself."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LOOK: Final = 0.2
"""Seconds between two looks at a lock that another holds."""


@contextmanager
def alone(directory: Path, name: str, waits: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of the model `name`; where another holds it, call `waits` once and wait for it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f".{name}.lock").open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    waits()
                told = True
                time.sleep(_LOOK)
        yield
