"""From the catalogue and the store to the models that an engine's family offers. Loads nothing."""

from __future__ import annotations

from collections.abc import Callable

from stenod.engines.base import Capabilities, Model
from stenod.models.catalogue import Checkpoint, checkpoints
from stenod.models.store import Store


def shelf(family: str, describe: Callable[[Checkpoint], Capabilities]) -> Callable[[Store], list[Model]]:
    """What `Family.models` wants: the family's known checkpoints, those in the store as installed.

    A model's parameter `directory` says where its files lie.
    """

    def models(store: Store) -> list[Model]:
        return [_model(one, describe(one), store) for one in checkpoints(family)]

    return models


def _model(one: Checkpoint, capabilities: Capabilities, store: Store) -> Model:
    place = store.find(one.name)
    return Model(
        name=one.name,
        family=one.family,
        installed=place is not None,
        languages=one.languages,
        capabilities=capabilities,
        licence=one.licence,
        size_mb=one.memory_mb,
        quality=one.quality,
        expect=one.expect,
        aliases=one.aliases,
        params=(*one.params, ("directory", str(place))) if place is not None else one.params,
    )
