"""How phrases are spelled in the letters of a vocabulary.

Pure functions on text. A spelling begins with a space, and spaces are written `▁` (U+2581), as vocabularies do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
"""How vocabularies write a space: before each word, or as a token between words."""

_NAMED: Final = re.compile(r"<[^<>]+>")
_APOSTROPHES: Final = dict.fromkeys(map(ord, "’ʼ＇"), "'")


class Lexicon:
    """The tokens of a vocabulary that are text, by their text."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.ids: dict[str, int] = {}
        """Where two tokens have one text, the first."""
        for number, text in enumerate(vocabulary):
            if text and not _NAMED.fullmatch(text):
                self.ids.setdefault(text, number)
        self.longest = max(map(len, self.ids), default=0)
        """Characters in the longest token."""
        self.bare = SPACE in self.ids and not any(len(text) > 1 and text[0] == SPACE for text in self.ids)
        """Whether spaces are tokens of their own, as in vocabularies of characters."""
        self.spaces = frozenset(number for text, number in self.ids.items() if text[0] == SPACE)
        """The tokens that begin a word, or are a space."""
        self.starts = sorted(self.spaces)
        """The same, in order."""
        self._alphabet = frozenset("".join(self.ids))

    def spell(self, phrase: str) -> set[str]:
        """The ways to write `phrase`: as given, in lower case, capitalised; empty where the vocabulary has not its letters.

        Letters that the vocabulary lacks are tried in the other case and without their marks; signs that it lacks become
        spaces.
        """
        given = " ".join(unicodedata.normalize("NFC", phrase).translate(_APOSTROPHES).split())
        lower = given.lower()
        wordwise = " ".join(word[:1].upper() + word[1:] for word in lower.split(" "))
        ways = {given, lower, given[:1].upper() + given[1:], lower[:1].upper() + lower[1:], wordwise}
        return {spelt for way in ways if (spelt := self._written(way))}

    def _written(self, text: str) -> str:
        """`text` in the vocabulary's letters, or nothing."""
        letters = [self._letter(char) for char in text]
        if any(letter is None for letter in letters):
            return ""
        written = "".join(letter for letter in letters if letter is not None).split()
        return "".join(SPACE + word for word in written)

    def _letter(self, char: str) -> str | None:
        """`char` as the vocabulary has it; a space for a sign that it lacks, None for a letter or digit that it lacks."""
        if char in self._alphabet or char == " ":
            return char
        plain = unicodedata.normalize("NFKD", char)
        bare = "".join(part for part in plain if not unicodedata.combining(part))
        for way in (char.lower(), char.upper(), char.casefold(), bare, bare.lower(), bare.upper()):
            if way and self._alphabet.issuperset(way):
                return way
        return None if char.isalnum() else " "
