"""Named text fields (query parameters, form fields, flat JSON) as values. Nonsense is remembered, never raised.

No dialect's field names enter this file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stenod.events import Fail
from stenod.protocols.wire_json import shown
from stenod.refine.languages import LANGUAGES

TRUE = frozenset({"true", "1", "yes", "on"})
FALSE = frozenset({"false", "0", "no", "off"})
_CODES = {name: code for code, name in LANGUAGES.items()}
_TAG = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{1,8})*", re.ASCII | re.IGNORECASE)


def texts_of(told: Mapping[str, Any]) -> dict[str, str]:
    """The values of a JSON object as `Fields` reads them: texts as they are, others as JSON; null is absent."""
    return {
        name: value if isinstance(value, str) else _json(value) for name, value in told.items() if value is not None
    }


def _json(value: object) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        return shown(value)


class Fields:
    """Reads one value after the other; a field that is absent or empty gives its default.

    After the last one, `problem` is the first thing that could not be understood (fatal, with `param` in its detail), or
    None.
    """

    def __init__(self, values: Mapping[str, str], *, code: str = "invalid_value") -> None:
        self._values = values
        self._code = code
        self.problem: Fail | None = None

    def refuse(self, name: str, message: str, *, code: str | None = None) -> None:
        """Remember that the field `name` cannot be honoured, unless something before it could not."""
        if self.problem is None:
            self.problem = Fail(code or self._code, message, fatal=True, detail={"param": name})

    def text(self, name: str) -> str | None:
        """The field without surrounding space, or None."""
        return self._values.get(name, "").strip() or None

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        text = self.text(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            self.refuse(name, f"{name} must be a number from {low:g} to {high:g}, not {shown(text)}")
            return default
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """An integer from `low` to `high`."""
        value = self.number(name, default, low, high)
        if value != int(value):
            self.refuse(name, f"{name} must be a whole number, not {value:g}")
        return int(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """A truth value: true, 1, yes, on, or their opposites, in any case."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in TRUE | FALSE:
            self.refuse(name, f"{name} must be true or false, not {shown(text)}")
            return default
        return text.lower() in TRUE

    def choice(self, name: str, default: str, of: Sequence[str]) -> str:
        """One of the words `of`, in any case."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() not in of:
            self.refuse(name, f"{name} must be one of {', '.join(of)}, not {shown(text)}")
            return default
        return text.lower()

    def items(self, name: str) -> tuple[str, ...]:
        """A list, however it is written: `name` or `name[]`, repeated, with commas, or as a JSON list of texts."""
        text = self.text(f"{name}[]") or self.text(name) or ""
        if text.startswith("["):
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
                self.refuse(name, f"{name} must be a list of texts, not {shown(text)}")
                return ()
            return tuple(item.strip() for item in found if item.strip())
        return tuple(item.strip() for item in text.split(",") if item.strip())

    def language(self, name: str, default: str | None) -> str | None:
        """A language as a tag (`en`, `en-US`) or an English name; `auto` lets the engine decide."""
        text = self.text(name)
        if text is None:
            return default
        if text.lower() == "auto":
            return None
        if text.lower() in _CODES:
            return _CODES[text.lower()]
        if _TAG.fullmatch(text) is None:
            self.refuse(name, f"{name} must be a language code such as en, not {shown(text)}")
            return default
        return text.replace("_", "-")
