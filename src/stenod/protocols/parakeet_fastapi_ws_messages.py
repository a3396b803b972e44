"""The messages of `/ws?shape=legacy`, as types."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from stenod.protocols.messages import Messages


class Query(TypedDict):
    """What asks for this dialect."""

    shape: Literal["legacy"]


class Queued(TypedDict):
    """An utterance is over; its text follows."""

    status: Literal["queued"]


class Said(TypedDict):
    """The text of an utterance."""

    text: str


class Error(TypedDict):
    """An utterance, or the whole session, failed."""

    status: Literal["error"]
    detail: str


MESSAGES = Messages(query=Query, server=(Queued, Said, Error), audio="s16le, 16 kHz, one channel, cut anywhere.")
