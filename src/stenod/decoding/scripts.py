"""Which tokens of a vocabulary can be text in a language, by the script that the language is written in.

A multilingual recogniser that is told the language must not drift into another alphabet. Only the script is constrained:
languages that share one are not told apart. Pure; asks Unicode for the names of letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SCRIPTS: Final = {
    "LATIN": "bs ca cs da de en es et eu fi fr ga gl hr hu is it lt lv mt nl no pl pt ro sk sl sq sv tr",
    "CYRILLIC": "be bg kk mk ru sr uk",
    "GREEK": "el",
}
"""Languages (ISO 639-1) by script; others are not constrained."""

_SCRIPT_OF: Final = {language: script for script, languages in _SCRIPTS.items() for language in languages.split()}
_NAMED: Final = re.compile(r"<[^<>]*>")
_COMMON: Final = ("ª", "º", "µ")
"""Letters that belong to no script: ordinal signs and the sign for a millionth."""


def script(language: str) -> str | None:
    """`LATIN`, `CYRILLIC` or `GREEK` for a BCP-47 tag; None for languages that are not constrained.

    A script subtag decides where there is one: `sr-Latn`.
    """
    primary, *rest = language.lower().replace("_", "-").split("-")
    named = {"latn": "LATIN", "cyrl": "CYRILLIC", "grek": "GREEK"}
    return next((named[part] for part in rest if part in named), _SCRIPT_OF.get(primary))


def allowed(vocabulary: Sequence[str], language: str | None) -> NDArray[np.bool_] | None:
    """Which tokens may be written in `language`: shape (len(vocabulary),), or None where nothing is to be constrained.

    A token may be written if each of its letters is of the language's script. Digits, punctuation, marks, spaces, bytes
    and tokens named in angle brackets (the blank, switches) always may. None also where the vocabulary has no letters of
    that script, since a recogniser that cannot write it should not be struck dumb.
    """
    wanted = script(language) if language is not None else None
    if wanted is None:
        return None
    scripts = [_letters(token) for token in vocabulary]
    if not any(wanted in found for found in scripts):
        return None
    mask = np.array([found <= {wanted} for found in scripts])
    return None if mask.all() else mask


def _letters(token: str) -> set[str]:
    """The scripts of the letters of `token`."""
    if _NAMED.fullmatch(token):
        return set()
    return {
        unicodedata.name(char, "UNNAMED").split()[0]
        for char in token
        if unicodedata.category(char)[0] == "L" and unicodedata.category(char) != "Lm" and char not in _COMMON
    }
