"""Which models there are: every family found through the entry-point group `stenod.engines`, ours by the same door.

Names become Models here, and what a model cannot do is refused with a reason. Loads no model and imports nothing heavy;
a family that cannot be imported is listed as broken and troubles nobody else.
"""

from __future__ import annotations

import ast
import logging
import math
import os
from collections.abc import Container, Iterable, Mapping
from dataclasses import fields, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl

from stenod.engines.base import Capabilities, Family, Model
from stenod.errors import BadRequest, BadSettings, ModelNotFound
from stenod.models.names import GENERIC
from stenod.models.store import Store
from stenod.options import DecodeOptions

GROUP: Final = "stenod.engines"
AUTO: Final = "auto"

_log = logging.getLogger(__name__)
_CAPABILITIES: Final = frozenset(field.name for field in fields(Capabilities))


class Registry:
    """The families of this machine and their models, as `refresh` last found them.

    `store` holds what was fetched; without one, only models that need no files of their own are there.
    """

    def __init__(
        self, families: Iterable[Family], broken: Mapping[str, str] | None = None, store: Store | None = None
    ) -> None:
        self.store = store or Store(Path(os.devnull))
        self.broken: dict[str, str] = dict(broken or {})
        """Families that cannot be used here, and why, by name."""
        self._families: dict[str, Family] = {family.name: family for family in families}
        self._models: dict[str, Model] = {}
        self._aliases: dict[str, Model] = {}
        self.refresh()

    def refresh(self) -> None:
        """Look again at what is installed."""
        models: dict[str, Model] = {}
        for family in list(self._families.values()):
            try:
                models.update((model.name, model) for model in family.models(self.store))
            except Exception as error:  # noqa: BLE001 a stranger's code may raise anything
                self.broken[family.name] = _reason(error)
                del self._families[family.name]
        for name in self.store.names():
            model = None if name in models else self.adopt(self.store.path(name))
            if model is not None:
                models[name] = model
        self._models = models
        self._aliases = {alias: model for model in models.values() for alias in model.aliases}

    def adopt(self, place: Path) -> Model | None:
        """The model in a folder that no catalogue lists, of the first family that can read it."""
        for family in self._families.values():
            model = family.adopt(place) if family.adopt is not None else None
            if model is not None:
                return model
        return None

    @classmethod
    def installed(cls, store: Store | None = None, found: Iterable[EntryPoint] | None = None) -> Self:
        """The registry of what is installed here; `found` stands in for the entry points of the group."""
        families: list[Family] = []
        broken: dict[str, str] = {}
        for point in sorted(entry_points(group=GROUP) if found is None else found, key=lambda point: point.name):
            try:
                family = point.load()
            except Exception as error:  # noqa: BLE001 a stranger's code may raise anything
                broken[point.name] = _reason(error)
                _log.warning("engine family %s cannot be loaded: %s", point.name, broken[point.name])
                continue
            families.append(family)
        return cls(families, broken, store)

    def models(self) -> tuple[Model, ...]:
        """Every model known, the best first."""
        return tuple(sorted(self._models.values(), key=lambda model: (-model.quality, model.name)))

    def family(self, model: Model) -> Family:
        """The family that loads `model`."""
        return self._families[model.family]

    def resolve(self, name: str, options: DecodeOptions | None = None, but: Container[str] = ()) -> Model:
        """The installed model that `name` (a name, an alias, a generic name, or `auto`) means.

        `auto` is the best model that can do what `options` ask; a generic name the best of its families; neither means one
        of those in `but`, but where `auto` has no other. Raises ModelNotFound, and BadRequest where the model cannot do
        the language or the task.
        """
        wanted = options or DecodeOptions()
        if name != AUTO and name not in GENERIC:
            model = self._find(name)
            check(model, wanted)
            return model
        ranked = [model for model in self.models() if model.installed and model.quality > 0]
        families = GENERIC.get(name, tuple(self._families))
        ranked = [model for model in ranked if model.family in families]
        ranked.sort(key=lambda model: (name in GENERIC and families.index(model.family), *_rank(model, wanted)))
        spared = [model for model in ranked if model.name not in but]
        ranked = spared or (ranked if name == AUTO else [])
        if not ranked:
            what = "model" if name == AUTO else f"{name} model"
            raise ModelNotFound(f"no {what} is installed here; `stenod models` lists what can be had")
        for model in ranked:
            if _obstacle(model, wanted) is None:
                return model
        check(ranked[0], wanted)
        raise AssertionError("check raises for every model with an obstacle")

    def configure(self, name: str) -> Model:
        """A model as the operator wants it: `name?key=value&key=value` changes its capabilities or its parameters.

        `pocketsphinx?workers=1`, `fake?cost=0.05`. A path to a folder is the model in it. Never for names that come
        from clients. Raises ModelNotFound, and BadSettings for a value that does not fit.
        """
        base, _, query = name.partition("?")
        local = os.sep in base and base not in self._aliases
        model = self._at(Path(base).expanduser()) if local else self.resolve(base)
        if not query:
            return model
        given = {key: _value(text) for key, text in parse_qsl(query, keep_blank_values=True)}
        changes = {key: value for key, value in given.items() if key in _CAPABILITIES}
        for key, value in changes.items():
            held = type(getattr(model.capabilities, key))
            if not isinstance(value, (int, float) if held is float else held):
                raise BadSettings(f"model {name!r}: {key} must be of the kind {held.__name__}")
        params = dict(model.params) | {key: value for key, value in given.items() if key not in _CAPABILITIES}
        return replace(
            model,
            name=f"{model.name}?{query}" if local else name,
            aliases=(),
            capabilities=replace(model.capabilities, **changes),
            params=tuple(params.items()),
        )

    def _at(self, place: Path) -> Model:
        """The model in a folder, or file, that the operator named; clients know it by that name."""
        model = self.adopt(place.resolve()) if place.exists() else None
        if model is None:
            raise ModelNotFound(f"{str(place)!r} is no folder with a model that an engine here can read")
        return model

    def _find(self, name: str) -> Model:
        model = self._models.get(name) or self._aliases.get(name)
        if model is None:
            there = ", ".join(other.name for other in self.models() if other.installed and other.quality > 0)
            raise ModelNotFound(f"there is no model {name!r} here; installed: {there or 'none'}")
        if not model.installed:
            raise ModelNotFound(f"the model {model.name!r} is not installed; `stenod models pull {model.name}` gets it")
        return model


def _rank(model: Model, options: DecodeOptions) -> tuple[float, float]:
    """The best first; of equals the specialist where a language was named, else the one that knows the most."""
    breadth = math.inf if "*" in model.languages else len(model.languages)
    return -model.quality, -breadth if options.language is None else breadth


def check(model: Model, options: DecodeOptions) -> None:
    """Raise BadRequest where `model` cannot do what `options` ask: `unsupported_language`, `unsupported_task`."""
    obstacle = _obstacle(model, options)
    if obstacle is not None:
        code, message = obstacle
        raise BadRequest(message, code=code)


def _obstacle(model: Model, options: DecodeOptions) -> tuple[str, str] | None:
    """Code and message of the first thing `model` cannot do, or None."""
    if options.language is not None and "*" not in model.languages:
        spoken = {_primary(language) for language in model.languages}
        if _primary(options.language) not in spoken:
            languages = ", ".join(sorted(spoken))
            return (
                "unsupported_language",
                f"the model {model.name!r} does not do {options.language!r}, only {languages}",
            )
    targets = model.capabilities.targets
    if options.task == "translate" and not targets:
        return "unsupported_task", f"the model {model.name!r} does not translate"
    target = options.target_language
    if options.task == "translate" and target is not None and _primary(target) not in targets:
        return "unsupported_language", f"the model {model.name!r} translates into {', '.join(targets)}, not {target!r}"
    return None


def _primary(tag: str) -> str:
    """The primary subtag of a BCP-47 tag: `en` of `en-GB`."""
    return tag.replace("_", "-").partition("-")[0].lower()


def _value(text: str) -> Any:
    """A number, True, False or None where `text` spells one, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _reason(error: Exception) -> str:
    """One line that says why."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
