"""What an engine is: batch-first, blocking, and ignorant of sessions.

Options travel with the request, never on the engine. A heavy import lives inside the engine's own file, in the function that
loads it: this module and every family's description import in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from stenod.jobs import Samples
from stenod.models.store import Store
from stenod.options import DecodeOptions
from stenod.transcript import Transcript

State: TypeAlias = Any
"""What a streaming engine remembers of one stretch; opaque to everyone else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine can do; what it lacks, the server supplies or refuses with a reason."""

    languages: tuple[str, ...] = ("en",)
    """ISO 639-1 codes it can write; `*` for any."""
    max_batch: int = 1
    max_seconds: float = 30.0
    """Longest audio it takes at once."""
    words: bool = False
    confidence: bool = False
    vocabulary: bool = False
    """Takes hotwords itself."""
    targets: tuple[str, ...] = ()
    """ISO 639-1 codes it translates into; empty where it does not translate."""
    uniform: bool = False
    """Every request of a batch must carry the same options."""
    streams: bool = False
    """Is a StreamingEngine."""
    append_only: bool = False
    """Never takes back a word it has given (but for those it `holds`)."""
    holds: int = 0
    """Trailing words that may still grow while the stretch goes on."""
    max_states: int = 0
    """Streams one worker can hold open at the same time."""
    workers: int = 1
    """Worker processes worth having on this machine."""
    precisions: tuple[str, ...] = ()
    """Precisions it can be loaded in; empty where there is nothing to choose."""
    devices: tuple[str, ...] = ("cpu",)
    """Where it can run."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """One thing to decode: samples (float32, 16 kHz, shape (samples,)) and what is wanted of them."""

    samples: Samples
    options: DecodeOptions


class Engine(Protocol):
    """A loaded recogniser. One caller at a time; everything blocks."""

    capabilities: Capabilities

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """One transcript for each request, in order; times are seconds from the request's first sample."""
        ...


class StreamingEngine(Engine, Protocol):
    """An engine that hears a stretch piece by piece."""

    def open(self, options: DecodeOptions) -> State:
        """A fresh state. At most `capabilities.max_states` are open at once."""
        ...

    def step(self, states: Sequence[State], chunks: Sequence[Samples], last: Sequence[bool]) -> list[Transcript]:
        """Hear one more chunk each (it may be empty) and give each whole stretch's transcript so far.

        Where `last` is true the transcript is the best the engine can do, and the state takes no more. After a failed step
        the states it was given are dead and only `close` may be called on them.
        """
        ...

    def close(self, states: Sequence[State]) -> None:
        """Free the states."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that a family knows of, described without loading anything."""

    name: str
    """What clients ask for."""
    family: str
    installed: bool
    languages: tuple[str, ...]
    capabilities: Capabilities
    licence: str
    size_mb: int
    """Memory it takes when loaded, roughly."""
    quality: int
    """Rank for `auto`: the installed model with the highest is taken; 0 never."""
    expect: str
    """One line for people: how accurate to expect it to be."""
    aliases: tuple[str, ...] = ()
    params: tuple[tuple[str, Any], ...] = field(default=())
    """What the family's loader needs to know of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """How to load: from the settings, the same for every model."""

    precision: str = "auto"
    device: str = "auto"
    batch_size: int = 16
    threads: int = 0
    """Threads inside the engine; 0 lets it choose."""


@dataclass(frozen=True, slots=True)
class Family:
    """An engine's entry in the group `stenod.engines`: what it offers, and how to load it (in the worker process)."""

    name: str
    models: Callable[[Store], Sequence[Model]]
    """The models it knows by name, and which of them the store holds. Cheap: loads nothing."""
    load: Callable[[Model, LoadOptions], Engine | StreamingEngine]
    """Blocking; raises Unavailable with how to get what is missing."""
    adopt: Callable[[Path], Model | None] | None = None
    """The model in a folder whose layout it reads, named as the folder, or None where it is not one. Cheap."""
