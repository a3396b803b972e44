"""What Canary is told before it writes, and what its tokens say. Pure: vocabularies and options, neither audio nor graphs.

The prompt is NeMo's `canary2`, that of the flash models and of canary-1b-v2, or `canary`, that of the first Canary-1B, as
the vocabulary tells: ten or five named tokens, so that a batch may mix languages, tasks and punctuation. Puvvada et al.,
"Less is more: accurate speech recognition & translation without web-scale data" (arXiv 2406.19674); Żelasko et al.,
"Training and inference efficiency of encoder-decoder speech models" (2503.05931).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from stenod.decoding.words import Token, words
from stenod.errors import BadRequest, Unavailable
from stenod.options import DecodeOptions
from stenod.transcript import Transcript, of_words

FRAME: Final = 0.08
"""Seconds of one step of the encoder, in which the flash models tell times."""

END: Final = "<|endoftext|>"
_OPENING: Final = ("\N{LOWER ONE EIGHTH BLOCK}", "<|startofcontext|>", "<|startoftranscript|>", "<|emo:undefined|>")
_FIRST: Final = ("<|startoftranscript|>", "<|transcribe|>", "<|translate|>")
"""What the first Canary-1B has in the place of a context."""
_NUMBER: Final = re.compile(r"<\|(\d+)\|>")
_LONGEST_LOOP: Final = 16
"""Tokens of the longest phrase that is looked for as repeating itself."""


@dataclass(frozen=True, slots=True)
class Said:
    """One token that the decoder wrote."""

    id: int
    log_prob: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of one item, in Canary's words: ISO 639-1 codes and two switches."""

    source: str
    target: str
    punctuation: bool
    timed: bool


class Vocabulary:
    """Tokens by their ids. `languages` are those that the model was trained on; the vocabulary names many more."""

    def __init__(self, tokens: Sequence[str], languages: Sequence[str]) -> None:
        self.tokens = tuple(tokens)
        self.languages = tuple(languages)
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self._times = {number: int(match[1]) for number, match in enumerate(map(_NUMBER.fullmatch, tokens)) if match}
        self._first = "<|startofcontext|>" not in self._ids
        needed = (END, *(_FIRST if self._first else _OPENING))
        lacking = [token for token in needed if token not in self._ids]
        if lacking:
            raise Unavailable(f"this is no vocabulary of Canary's: it has no {lacking[0]!r}")
        self.end = self._ids[END]

    @classmethod
    def read(cls, file: Path, languages: Sequence[str]) -> Self:
        """The file `vocab.txt`: a token and its number in each line. Raises Unavailable where it is something else."""
        try:
            pairs = [line.rsplit(" ", 1) for line in file.read_text("utf-8").split("\n") if line]
            by_id = {int(number): token for token, number in pairs}
            return cls([by_id[number] for number in range(len(by_id))], languages)
        except (OSError, ValueError, KeyError) as error:
            raise Unavailable("the model's vocabulary cannot be read") from error

    def wish(self, options: DecodeOptions, *, timed: bool, default: str = "en") -> Wish:
        """What `options` mean. Raises BadRequest for a pair of languages that the model was not trained on."""
        source = _primary(options.language) or default
        target = (_primary(options.target_language) or "en") if options.task == "translate" else source
        for code in (source, target):
            if code not in self.languages or f"<|{code}|>" not in self._ids:
                there = ", ".join(self.languages)
                raise BadRequest(f"this model does not do {code!r}, only {there}", code="unsupported_language")
        if source != target and "en" not in (source, target):
            others = ", ".join(code for code in self.languages if code != "en")
            message = f"this model translates from en to {others} and from them to en, not from {source} to {target}"
            raise BadRequest(message, code="unsupported_language")
        return Wish(source, target, options.punctuation, timed)

    def prompt(self, wish: Wish) -> list[int]:
        """The tokens before the text, as many for every wish."""
        punctuation = "<|pnc|>" if wish.punctuation else "<|nopnc|>"
        if self._first:
            task = "<|transcribe|>" if wish.source == wish.target else "<|translate|>"
            whole = ("<|startoftranscript|>", f"<|{wish.source}|>", task, f"<|{wish.target}|>", punctuation)
            return [self._ids[token] for token in whole]
        told = [
            f"<|{wish.source}|>",
            f"<|{wish.target}|>",
            punctuation,
            "<|noitn|>",
            "<|timestamp|>" if wish.timed else "<|notimestamp|>",
            "<|nodiarize|>",
        ]
        return [self._ids[token] for token in (*_OPENING, *told)]

    def transcript(self, said: Sequence[Said], seconds: float, language: str) -> Transcript:
        """What was said in `seconds` of audio. Times are those the model wrote, where it wrote any.

        Else the words share the audio by their lengths: then only their confidences mean something.
        """
        tokens = (
            self._timed(said, seconds) if any(one.id in self._times for one in said) else self._shared(said, seconds)
        )
        return of_words(words(tokens, self.tokens), language=language)

    def _timed(self, said: Sequence[Said], seconds: float) -> list[Token]:
        """Each run of text lies between the two times around it: `<|12|> Hello<|17|><|20|> world<|25|>`."""
        made: list[Token] = []
        run: list[Said] = []
        start = 0.0
        for one in said:
            if one.id not in self._times:
                run.append(one)
                continue
            at = min(self._times[one.id] * FRAME, seconds)
            made += [Token(each.id, start, max(start, at), each.log_prob, each.confidence) for each in run]
            run, start = [], max(start, at)
        return made + [Token(each.id, start, max(start, seconds), each.log_prob, each.confidence) for each in run]

    def _shared(self, said: Sequence[Said], seconds: float) -> list[Token]:
        lengths = [0 if self.tokens[one.id].startswith("<|") else len(self.tokens[one.id]) for one in said]
        step = seconds / max(1, sum(lengths))
        made, at = list[Token](), 0.0
        for one, length in zip(said, lengths, strict=True):
            made.append(Token(one.id, at, at + length * step, one.log_prob, one.confidence))
            at += length * step
        return made


def longest(seconds: float, *, timed: bool) -> int:
    """Tokens that `seconds` of speech may take at the most: one a frame, and with times two more for each."""
    return 10 + round(seconds / FRAME) * (3 if timed else 1)


def loop(ids: Sequence[int]) -> int:
    """How many of the last tokens only repeat what stands before them.

    0, but where a phrase of up to 16 tokens fills the end four times and twelve tokens at least. A decoder that has lost the
    audio writes so and never ends.
    """
    for period in range(1, _LONGEST_LOOP + 1):
        span = max(4 * period, -(-12 // period) * period)
        tail = ids[-span:]
        if len(tail) == span and all(tail[at] == tail[at - period] for at in range(period, span)):
            return span - period
    return 0


def _primary(tag: str | None) -> str | None:
    return tag.replace("_", "-").partition("-")[0].lower() if tag else None
