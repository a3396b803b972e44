"""What can go wrong, as few kinds as clients need to tell apart.

May import nothing of stenod. A message here is written for the person who reads it at the other end: it names the thing
that was wrong and what to do, and never a path of this machine.
"""

from __future__ import annotations


class StenodError(Exception):
    """Base of every error that stenod raises on purpose.

    `code` is a stable machine-readable name (`bad_audio`, `model_not_found`); `message` is one line for a person.
    """

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class BadRequest(StenodError):
    """The client asked for something that cannot be understood or is out of range."""

    code = "bad_request"


class BadAudio(BadRequest):
    """The audio cannot be decoded: not audio, truncated beyond repair, empty, or not in the announced format."""

    code = "bad_audio"


class ModelNotFound(BadRequest):
    """A model was asked for by name and is not installed here."""

    code = "model_not_found"


class Unavailable(StenodError):
    """A part that the request needs is missing on this machine; the message says how to get it."""

    code = "unavailable"


class Overloaded(StenodError):
    """The server takes no more work now; `retry_after` (seconds) says when to come back."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class EngineFailed(StenodError):
    """A recogniser failed on this request: it raised, crashed, or ran past the processing timeout."""

    code = "engine_failed"


class BadSettings(StenodError):
    """A setting is unknown or impossible; the message is one line that names it."""

    code = "bad_settings"
