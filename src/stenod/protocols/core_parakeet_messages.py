"""The messages of `/core/parakeet/stream`, as types."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from stenod.protocols import segments_messages as shared
from stenod.protocols.messages import Messages


class Config(shared.Settings):
    """How to work; again at any time, to change single fields."""

    type: Literal["config"]


class Configured(TypedDict):
    """How the session works now."""

    type: Literal["status"]
    state: Literal["configured"]
    model: str
    ignored: list[str]
    """Fields without effect."""
    adjusted: shared.Numbers
    """Fields that were out of range, and what holds."""


class FullTranscript(TypedDict):
    """Everything said since the last commit or reset; answers a commit, and a new recording begins."""

    type: Literal["full_transcript"]
    text: str
    timestamp: float
    """Unix time of sending."""


class Insight(TypedDict):
    """What was said in sum."""

    type: Literal["insight"]
    stage: str


class Warned(TypedDict):
    """Something that the client should know; the session goes on."""

    type: Literal["warning"]
    warning_type: str
    message: str


class Error(TypedDict):
    """Something could not be done; the session goes on unless the connection is closed next."""

    type: Literal["error"]
    message: str
    error_type: str


MESSAGES = Messages(
    client=(Config, shared.Audio, shared.Commit, shared.Reset, shared.Ping, shared.Stop),
    server=(
        Configured,
        shared.Partial,
        shared.Final,
        FullTranscript,
        shared.WasReset,
        shared.Enabled,
        shared.Unavailable,
        shared.DiarizationSummary,
        Insight,
        Warned,
        Error,
        shared.Pong,
    ),
    open=(Insight, Warned, shared.Speaker),
    audio="The samples themselves, without base64.",
)
