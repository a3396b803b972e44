"""JSON as the dialects read and write it: reading is total, writing is safe to send.

No dialect's field names enter this file.
"""

from __future__ import annotations

import json
from typing import Any

from stenod.events import Fail


def read(message: str | bytes, *, limit: int) -> dict[str, Any] | Fail:
    """The JSON object that `message` is, or why it is none. `limit`: characters beyond which it is not even looked at."""
    if len(message) > limit:
        return Fail("message_too_large", f"a message of {len(message)} characters; the limit is {limit}")
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return Fail("invalid_json", "the message is not JSON")
    if not isinstance(value, dict):
        return Fail("invalid_message", "the message is JSON, but not an object")
    return value


def write(value: Any) -> str:
    """Compact JSON in pure ASCII, so that even half a surrogate pair that a client sent can be sent back."""
    return json.dumps(value, separators=(",", ":"))


def shown(value: object, length: int = 40) -> str:
    """A client's value as an error message may repeat it: quoted, and not longer than `length` or so."""
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"a {type(value).__name__}"
    return text if len(text) <= length else text[: length - 1] + "…"
