"""From a search's tokens to words as they are to be read, with their times and confidences.

Pure functions on values; neither arrays nor audio. Vocabularies are the ones of SentencePiece and of characters: `▁`
(U+2581) is a space, `<0xNN>` a byte of UTF-8, other names in angle brackets are no text. Times are seconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stenod.decoding.confidence import AGGREGATION, Aggregation, aggregate
from stenod.transcript import Word

SPACE: Final = "\N{LOWER ONE EIGHTH BLOCK}"
"""How vocabularies write a space."""

UNKNOWN: Final = "\N{DOUBLE QUESTION MARK}"
"""What an unknown token is read as, as SentencePiece does."""

_BYTE: Final = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_NAMED: Final = re.compile(r"<[^<>]+>")
_UNSPACED: Final = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts written without spaces, as the names of their characters begin."""
_CLOSING: Final = frozenset(".,;:!?…)]}»”’。、，；：！？）」』】")
"""Punctuation that no space precedes."""


@dataclass(frozen=True, slots=True)
class Token:
    """One label that a search emitted."""

    id: int
    start: float
    end: float
    log_prob: float
    """Natural logarithm of its probability among all labels, the blank included."""
    confidence: float | None = None
    """0 to 1; see `stenod.decoding.confidence`."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """The text of one token (of several, where they are bytes of one character)."""

    text: str
    tokens: tuple[Token, ...]


def words(tokens: Iterable[Token], vocabulary: Sequence[str], aggregation: Aggregation = AGGREGATION) -> list[Word]:
    """The words that `tokens` spell; `spell` of them is what the tokenizer decodes.

    A word begins at a `▁` and, in scripts without spaces, with each of their tokens (`glued`). Closing punctuation joins
    the word before it whether or not a space is written there; times and confidence are those of the letters, where there
    are any. A word ends no later than the next begins.
    """
    made: list[Word] = []
    groups = list(_groups(_pieces(tokens, vocabulary)))
    for index, (glued, group) in enumerate(groups):
        spoken = [piece for piece in group if any(map(str.isalnum, piece.text))] or group
        counted = [token for piece in spoken for token in piece.tokens]
        start = counted[0].start
        end = max(start, *(token.end for token in counted))
        if index + 1 < len(groups):
            end = max(start, min(end, groups[index + 1][1][0].tokens[0].start))
        known = [token.confidence for token in counted if token.confidence is not None]
        confidence = aggregate(known, aggregation) if known else None
        text = "".join(piece.text for piece in group).replace(SPACE, "")
        made.append(Word(text, start, end, confidence, glued=glued))
    return made


def _pieces(tokens: Iterable[Token], vocabulary: Sequence[str]) -> Iterator[_Piece]:
    """The tokens that are text, bytes put together to characters."""
    pending: list[tuple[int, Token]] = []
    for token in tokens:
        text = vocabulary[token.id]
        byte = _BYTE.fullmatch(text)
        if byte is not None:
            pending.append((int(byte[1], 16), token))
            continue
        yield from _characters(pending)
        pending = []
        if text == "<unk>":
            yield _Piece(SPACE + UNKNOWN + SPACE, (token,))
        elif text and not _NAMED.fullmatch(text):
            yield _Piece(text, (token,))
    yield from _characters(pending)


def _characters(pending: Sequence[tuple[int, Token]]) -> Iterator[_Piece]:
    """The characters of a run of bytes; what is no UTF-8 becomes U+FFFD."""
    if pending:
        text = bytes(byte for byte, _ in pending).decode(errors="replace").replace(" ", SPACE)
        yield _Piece(text, tuple(token for _, token in pending))


def _groups(pieces: Iterable[_Piece]) -> Iterator[tuple[bool, list[_Piece]]]:
    """The pieces of each word, and whether it follows the one before it without a space."""
    group: list[_Piece] = []
    glued = False
    spaced = True
    """Whether a space comes before what follows."""
    for piece in pieces:
        spaced = spaced or piece.text.startswith(SPACE)
        text = piece.text.replace(SPACE, "")
        if text:
            unspaced = _unspaced(text[0]) or (bool(group) and _unspaced(group[-1].text[-1]) and text[0].isalnum())
            if group and (_closes(text) or not (spaced or unspaced)):
                group.append(piece)
            else:
                if group:
                    yield glued, group
                group, glued = [piece], not spaced
            spaced = False
        spaced = spaced or piece.text.endswith(SPACE)
    if group:
        yield glued, group


def _closes(text: str) -> bool:
    """Whether `text` is punctuation alone, of the kind that no space precedes."""
    return _CLOSING.issuperset(text)


def _unspaced(char: str) -> bool:
    """Whether `char` is a letter of a script written without spaces."""
    return unicodedata.category(char) == "Lo" and unicodedata.name(char, "").startswith(_UNSPACED)
