"""How the unified endpoint names what went wrong, and how it then closes. Tables and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

BARE: Mapping[str, int] = {"unauthenticated": 4401, "unidentified": 4401, "forbidden": 4403, "ip_not_allowed": 1008}
"""Close codes of failures to identify; their frame is a message and nothing else."""

TOO_LATE = "Authentication timeout. Send auth message within 5 seconds."

CODES: Mapping[str, tuple[str, int]] = {
    "bad_request": ("bad_request", 4400),
    "quota_exceeded": ("quota_exceeded", 4003),
    "billing_limit_exceeded": ("billing_limit_exceeded", 4003),
    "idle": ("idle_timeout", 1001),
    "overloaded": ("service_unavailable", 1013),
    "shutting_down": ("service_unavailable", 1013),
    "engine_failed": ("provider_error", 1011),
    "unavailable": ("provider_error", 1011),
    "internal_error": ("internal_error", 1011),
    "unread": ("transport_error", 1011),
    "model_not_found": ("model_unavailable", 1000),
}
"""Our codes as the dialect names them, and how it closes; any other keeps its name and closes with 1000."""

ENDINGS: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "idle": ("idle", "Nothing was sent for too long", {}),
    "shutdown": ("shutting_down", "Shutdown in progress", {"kind": "draining"}),
    "quota": ("quota_exceeded", "Streaming transcription quota exceeded (daily minutes)", {"quota": "daily_minutes"}),
}
"""Why a session ended that its client did not end."""
