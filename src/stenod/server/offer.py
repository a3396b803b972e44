"""How a model is described to clients, in OpenAI's shape and with what that has no words for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stenod.engines.base import Model


def offer(model: Model) -> dict[str, Any]:
    """One installed model. When it was made is not known here, so `created` is 0."""
    return {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": model.family,
        "aliases": list(model.aliases),
        "languages": list(model.languages),
        "streaming": model.capabilities.streams,
        "word_timestamps": model.capabilities.words,
        "licence": model.licence,
        "expect": model.expect,
    }


def offers(models: Iterable[Model]) -> list[dict[str, Any]]:
    """Every model that can be asked for, in their order."""
    return [offer(model) for model in models if model.installed]


def find(models: Iterable[Model], name: str) -> dict[str, Any] | None:
    """The installed model of that name or alias."""
    return next((offer(one) for one in models if one.installed and name in {one.name, *one.aliases}), None)
