"""What a session asks of recognisers and what they answer: `Decode` and its kin, which carry samples.

The session and the engines are strangers to each other; this is the language they share, and the two interfaces (Lane,
Recognizer) by which the one reaches the other. May import only transcript, options and errors. `Samples` are float32, mono,
16 kHz, -1 to 1, shape (samples,).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stenod.errors import StenodError
from stenod.options import DecodeOptions, Options
from stenod.transcript import Transcript

Samples: TypeAlias = NDArray[np.float32]


class Kind(IntEnum):
    """What a decode is for, in order of precedence at the pool."""

    FINAL = 0
    PARTIAL = 1
    FILE = 2
    REVISION = 3


# ---------------------------------------------------------------------------------------------- into the session


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Up to 512 samples and what the voice activity detector makes of them. Shorter only where a commit cut it."""

    samples: Samples
    probability: float
    """Of speech, 0 to 1."""
    level: float
    """Root mean square, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """The client has sent nothing for a while in the middle of speech; what was said so far is an utterance."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recogniser's answer to one `Decode`, refined; times are seconds of the session."""

    transcript: Transcript
    holds: int = 0
    """Trailing words that refinement may still change: they are never stable."""
    append_only: bool = False
    """True where the engine never takes back a word: the whole text (but `holds`) is stable at once."""


@dataclass(frozen=True, slots=True)
class Shed:
    """A partial that was not decoded: a newer one replaced it, or there was no room for partials."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of the `Decode` with this `job` number."""

    job: int
    result: Answer | Shed | StenodError
    took: float = 0.0
    """Seconds from the asking to the answer."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What came of a `Diarize`; `parts` and `speakers` come with the last one of a session."""

    utterance: int
    result: Transcript | StenodError
    speakers: tuple[Mapping[str, Any], ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Insight:
    """What came of an `Analyze`."""

    kind: str
    result: Mapping[str, Any] | StenodError


# -------------------------------------------------------------------------------------------- out of the session


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """Please decode. `samples` is the whole stretch up to now, so that a lost engine state can be replayed from it.

    A *stretch* is what one engine state hears: usually an utterance, several where a long one had to be cut. An engine
    that streams has heard part of it before; its lane knows how far, by `start` and its own count.
    """

    job: int
    """Rises within the session."""
    utterance: int
    stretch: int
    """Rises within the session: each stretch has a number of its own."""
    kind: Kind
    samples: Samples
    start: int
    """Session position of `samples[0]`, in samples."""
    context: int
    """Leading samples that are there for the engine's sake; their words have been reported."""
    last: bool
    """Nothing follows in this stretch: the engine may finish its state."""
    options: DecodeOptions


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Nobody wants any decode of this stretch any more; its engine state can go."""

    stretch: int


@dataclass(frozen=True, slots=True, eq=False)
class Diarize:
    """Please say who spoke in this utterance."""

    utterance: int
    samples: Samples
    start: int
    """Session position of `samples[0]`, in samples."""
    transcript: Transcript
    last: bool = False


@dataclass(frozen=True, slots=True)
class Analyze:
    """Please find insights in what was said; `last` asks for the closing summary."""

    utterance: int
    transcript: Transcript
    start: float
    end: float
    last: bool = False


Job: TypeAlias = Decode | Withdraw | Diarize | Analyze


# ---------------------------------------------------------------------------------------------------- interfaces


@dataclass(frozen=True, slots=True)
class Resolved:
    """Which model a session gets, and what the session must respect about it."""

    model: str
    engine: str
    max_seconds: float
    """Longest audio the engine takes at once."""
    words: bool
    instead_of: str | None = None
    """What was asked for, where this model takes its place."""
    drafts: str | None = None
    """The model for partials, where another one than for finals was asked for and can do what is asked."""
    warnings: tuple[tuple[str, str], ...] = field(default=())
    """(code, message) of what was asked for and is not to be had here."""


class Lane(Protocol):
    """A session's own place at a recogniser; owns its engine states."""

    async def decode(self, job: Decode) -> Answer | Shed:
        """Decode and refine. Partials may come back `Shed`, finals never. Raises EngineFailed. Cancelling withdraws."""
        ...

    async def withdraw(self, stretch: int) -> None:
        """Forget the stretch: waiting requests are taken back, its engine state is closed."""
        ...


class Recognizer(Protocol):
    """The local pools, or another machine's."""

    def resolve(self, options: Options) -> Resolved:
        """Which model `options` get. From memory: loads nothing. Raises ModelNotFound, BadRequest."""
        ...

    def lane(self) -> AbstractAsyncContextManager[Lane]:
        """A lane for one session; leaving it withdraws what waits and closes its states."""
        ...
