"""A pull that nobody waits for: in a process of its own, nice to everyone, bounded in time, rate, memory and disk.

The server's event loop has no part in it but to wait. The process dies with the server, and what it brought is continued by
the next one. `python -m stenod.models.background` is that process; it is started by `fetch`, for nobody else.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import anyio
import psutil

from stenod.errors import StenodError, Unavailable
from stenod.models.catalogue import find
from stenod.models.hub import Hub
from stenod.models.pull import Plan, pull
from stenod.models.store import Store
from stenod.models.transfer import Pace

RATE: Final = 20_000_000
"""Bytes per second: live audio takes thousandths of that."""

LIMIT: Final = 3600.0
"""Seconds after which it is given up until the next start."""

RESERVE: Final = 5_000_000_000
"""Bytes that are left free on the disk: nobody asked for this model in so many words."""

MARGIN: Final = 1.5
"""The memory that must be free, in parts of what the model takes."""

_LEAN: Final = 0.45
"""What int8 takes of the memory that fp32 does; its weights are a quarter, its activations are not."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch: a checkpoint's name and its precision."""

    name: str
    precision: str


def choose(name: str, precision: str, device: str) -> Wanted:
    """The form of the checkpoint `name` for this machine: what the operator asked for, else int8 unless it is for a GPU.

    Raises Unavailable where that would not fit into the memory that is free now.
    """
    known = find(name)
    if known is None:
        raise Unavailable(f"no checkpoint is named {name!r}")
    published = [form for form, _ in known.precisions]
    if precision not in published:
        precision = "int8" if "int8" in published and not device.startswith("cuda") else "auto"
    needed = known.memory_mb * (_LEAN if precision == "int8" else 1.0) * MARGIN
    free = psutil.virtual_memory().available / 1e6
    if free < needed:
        raise Unavailable(f"it would want {needed:,.0f} MB of memory, and {free:,.0f} MB are free")
    return Wanted(name, precision)


async def fetch(wanted: Wanted, store: Store, environ: Mapping[str, str] | None = None) -> float:
    """Bring it here; the seconds that took. Raises Unavailable with the reason where that did not go. Cancelling ends it."""
    began = time.monotonic()
    order = json.dumps(
        {
            "name": wanted.name,
            "precision": wanted.precision,
            "directory": str(store.directory),
            "rate": RATE,
            "reserve": RESERVE,
        }
    )
    async with await anyio.open_process(
        [sys.executable, "-m", __name__, order],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ if environ is None else environ),
    ) as process:
        said = b""
        try:
            with anyio.fail_after(LIMIT):
                if process.stdout is not None:
                    async for data in process.stdout:
                        said += data
                await process.wait()
        except TimeoutError:
            raise Unavailable(f"it takes longer than {LIMIT / 60:.0f} minutes") from None
        finally:
            if process.returncode is None:
                process.kill()
    try:
        problem = json.loads(said)["problem"]
    except (ValueError, KeyError):
        raise Unavailable(f"the process that fetches it ended with {process.returncode}") from None
    if problem is not None:
        raise Unavailable(problem)
    return time.monotonic() - began


class _Nobody:
    """Looks on, and says nothing."""

    def waits(self) -> None: ...

    def begins(self, plan: Plan) -> None: ...

    def moved(self, count: int) -> None: ...


def main() -> None:
    """The process: `sys.argv[1]` says what to fetch and where to; the answer is one line of JSON."""
    with suppress(OSError, AttributeError):  # Linux only: nobody survives a killed server
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server answers Ctrl-C
    os.nice(10)
    order = json.loads(sys.argv[1])
    hub = replace(Hub.of(os.environ), patience=10.0)
    pace = Pace(attempts=4, rate=order["rate"])
    problem = None
    try:
        pull(
            order["name"],
            Store(Path(order["directory"])),
            hub,
            _Nobody(),
            precision=order["precision"],
            pace=pace,
            reserve=order["reserve"],
        )
    except StenodError as error:
        problem = error.message
    except OSError as error:
        problem = f"it cannot be put into the folder of models: {error.strerror}"
    sys.stdout.write(json.dumps({"problem": problem}))


if __name__ == "__main__":
    main()
