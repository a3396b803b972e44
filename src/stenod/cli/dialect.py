"""What a dialect is to a client: what it says, how it frames audio, what the frames it gets mean. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from stenod.errors import BadRequest
from stenod.jobs import Samples

CHUNK: Final = 640
"""Samples in a message, 40 ms: what microphones commonly give at once, and little enough not to be seen in a latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of the server; None: whatever it does by itself."""

    model: str | None = None
    variant: str | None = None
    language: str | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What one frame of the server means to somebody who reads along."""

    kind: Literal["partial", "final", "note", "error", "over"]
    """`over`: everything has been said, and the client may go."""
    text: str = ""
    upto: float | None = None
    """Seconds of the stream that the text covers, where the dialect tells."""
    spoken: float | None = None
    """Seconds of the stream at which the last word ends, where the dialect tells."""


class Dialect(ABC):
    """One dialect, spoken for one `Wish`. Raises BadRequest where it cannot say what is wished."""

    path: ClassVar[str]
    has_model: ClassVar[bool] = True
    has_variant: ClassVar[bool] = False
    parting: ClassVar[bool] = False
    """Whether the end of the connection, however it comes, is how the server says that it is done."""

    def __init__(self, wish: Wish) -> None:
        if wish.variant is not None and not self.has_variant:
            raise BadRequest(f"the dialect of {self.path} knows no variants of a model")
        if wish.model is not None and not self.has_model:
            raise BadRequest(f"the dialect of {self.path} cannot ask for a model")
        self.wish = wish

    def query(self) -> dict[str, str]:
        """What goes into the URL."""
        return {}

    def headers(self) -> dict[str, str]:
        """What goes into the request."""
        return {"Authorization": f"Bearer {self.wish.token}"} if self.wish.token else {}

    def opening(self) -> list[str]:
        """What is sent before the first audio."""
        return []

    @abstractmethod
    def audio(self, samples: Samples) -> str | bytes:
        """A chunk of audio, as one message."""

    @abstractmethod
    def ending(self) -> list[str]:
        """What is sent after the last audio, so that every final comes."""

    @abstractmethod
    def hear(self, frame: Mapping[str, Any]) -> Said | None:
        """What a frame means; None where it is of no interest."""
