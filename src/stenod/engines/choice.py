"""Which model a name means here: what the operator named, or the registry's best; what cannot load is passed over.

From memory: loads nothing. Which workers serve the model is `recognizer.py`'s part.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from stenod.engines.base import Model
from stenod.engines.registry import AUTO, Registry, check
from stenod.errors import ModelNotFound, Unavailable
from stenod.models.names import GENERIC
from stenod.options import DecodeOptions

LOOK: Final = 2.0
"""Seconds between two looks at what is installed, for names that are not known."""

_KNOWN: Final = 1000
"""Answers that are remembered; languages come from clients."""


class Choice:
    """What clients can have.

    `model` is what `auto` means: itself, or a name as `Registry.configure` takes it. `others` are offered as well, and
    `drafts` under that very name. Raises ModelNotFound, BadSettings.
    """

    def __init__(
        self, registry: Registry, model: str = AUTO, others: Sequence[str] = (), drafts: str | None = None
    ) -> None:
        self.registry = registry
        self.shunned: dict[str, str] = {}
        """Models that are installed and cannot be loaded, and why."""
        self._offered: dict[str, Model] = {}
        """What the operator named, under each name that a client may use for it."""
        for name in (*others, *([] if drafts is None else [drafts])):
            self._offer(name)
        self.default = None if model == AUTO else self._offer(model)
        self._chosen: dict[tuple[str, str | None, str, str | None], Model] = {}
        self._looked = time.monotonic()

    def model(self, options: DecodeOptions) -> Model:
        """The model that `options` get. Raises ModelNotFound, BadRequest, and Unavailable for one that cannot load."""
        key = options.model, options.language, options.task, options.target_language
        known = self._chosen.get(key)
        if known is None:
            known = self._search(options)
            if len(self._chosen) < _KNOWN:
                self._chosen[key] = known
        return known

    def models(self) -> tuple[Model, ...]:
        """What clients can have, the default first, what cannot be loaded last."""
        first = [self.default] if self.default is not None else []
        rest = [model for model in self._offered.values() if model not in first]
        rest += [model for model in self.registry.models() if model.installed and model.quality > 0]
        unique = {model.name: model for model in (*first, *rest)}.values()
        return tuple(sorted(unique, key=lambda model: model.name in self.shunned))

    def shun(self, name: str, reason: str) -> None:
        """That model could not be loaded: what leaves the choice open passes it over, until `refresh`."""
        self.shunned[name] = reason
        self._chosen.clear()

    def refresh(self) -> None:
        """Look again at what is installed, and hope anew for what could not be loaded."""
        self.shunned.clear()
        self._look()

    def _look(self) -> None:
        self.registry.refresh()
        self._chosen.clear()
        self._looked = time.monotonic()

    def _offer(self, name: str) -> Model:
        """The model that the operator calls `name`, offered so, by its own name, and by its aliases."""
        model, plain = self.registry.configure(name), self.registry.configure(name.partition("?")[0])
        self._offered.update(dict.fromkeys((name, model.name, plain.name, *plain.aliases), model))
        return model

    def _search(self, options: DecodeOptions) -> Model:
        """A name that nobody knows may have been installed a moment ago."""
        try:
            return self._choose(options)
        except ModelNotFound:
            if options.model in {AUTO, *GENERIC} or time.monotonic() - self._looked < LOOK:
                raise
        self._look()
        return self._choose(options)

    def _choose(self, options: DecodeOptions) -> Model:
        """Names the operator gave go first; a model of quality 0 is for those alone."""
        model = self.default if options.model == AUTO else self._offered.get(options.model)
        if model is None:
            model = self._installed(options)
        elif model.name in self.shunned and options.model == AUTO:
            with suppress(ModelNotFound):  # there is no other: it may load yet
                model = self._installed(options)
        if model.name in self.shunned and options.model != AUTO:
            reason = self.shunned[model.name]
            raise Unavailable(f"the model {model.name!r} is installed and cannot be loaded: {reason}")
        check(model, options)
        return model

    def _installed(self, options: DecodeOptions) -> Model:
        """The registry's answer, as far as clients may have it."""
        model = self.registry.resolve(options.model, options, self.shunned)
        if model.quality == 0:
            raise ModelNotFound(f"the model {model.name!r} is not offered by this server")
        return model
