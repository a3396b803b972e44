"""From the tokens of a transducer to words with times, and to the end of a turn. Pure.

Tokens are sentencepieces as sherpa-onnx spells them: a leading space begins a word. parakeet_realtime_eou says <EOU> when
the speaker has finished and <EOB> when a listener's "uh-huh" (backchannel) has: no turn ends there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from stenod.transcript import Transcript, Word, of_words

EOU: Final = "<EOU>"
EOB: Final = "<EOB>"
ENDS: Final = frozenset({EOU, EOB})

_CJK: Final = ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FFFF))
"""Code points of scripts that are written without spaces: kana and ideographs."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, the moment (seconds of the stretch) at which its frame begins, and its probability where that is known."""

    text: str
    start: float
    probability: float | None = None


def transcript(tokens: Sequence[Token], *, frame: float, language: str | None, turns: bool) -> Transcript:
    """What `tokens` say. `frame` is the length of an encoder frame in seconds; `turns`: the model knows <EOU>.

    A word lasts from the frame of its first token to the end of its last one's, at most to where the next word begins: a
    transducer tells where it says a token, not how long the sound lasts. A word is as sure as its least sure token.
    """
    words: list[Word] = []
    apart = True
    for token in tokens:
        if token.text in ENDS:
            continue
        last = words[-1] if words else None
        text = token.text.strip()
        apart = apart or token.text.startswith(" ")
        if not text:
            continue
        end = round(token.start + frame, 3)
        if last is not None and not apart and not _unspaced(text[0]):
            sure = _least(last.confidence, token)
            words[-1] = replace(last, text=last.text + text, end=end, confidence=sure)
            continue
        if last is not None and last.start < token.start < last.end:
            words[-1] = replace(last, end=round(token.start, 3))
        glued = last is not None and _unspaced(last.text[-1]) and _unspaced(text[0])
        words.append(Word(text, round(token.start, 3), end, _least(1.0, token), glued=glued))
        apart = False
    return of_words(words, language=language, turn_end=float(_over(tokens)) if turns else None)


def _over(tokens: Sequence[Token]) -> bool:
    """Whether the first mark after the last word is <EOU>: later ones were heard in silence, and tell nothing."""
    over = spoken = False
    for token in tokens:
        if token.text not in ENDS:
            over, spoken = False, True
        elif spoken:
            over, spoken = token.text == EOU, False
    return over


def _least(known: float | None, token: Token) -> float | None:
    return None if known is None or token.probability is None else round(min(known, token.probability), 4)


def _unspaced(character: str) -> bool:
    """Whether `character` is of a script without spaces."""
    return any(low <= ord(character) <= high for low, high in _CJK)
