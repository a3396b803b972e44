"""Close codes (RFC 6455 and its registry) for those dialects whose documents name none of their own."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    "overloaded": 1013,
    "shutting_down": 1012,
    "unavailable": 1011,
    "engine_failed": 1011,
    "internal_error": 1011,
}


def close_code(code: str) -> int:
    """How to close after the fatal failure `code`: what is not the client's fault has a code, the rest is 1008, policy."""
    return _CODES.get(code, 1008)
