"""Which part of a growing hypothesis will not change any more.

Local agreement (Liu et al., "Low-latency sequence-to-sequence speech recognition and translation by partial hypothesis
selection", Interspeech 2020; Macháček et al., "Turning Whisper into real-time transcription system", 2023): a word is
stable when two successive hypotheses agree on it and on every word before it. Two guards make it hold in practice:
words that end within `SETTLE` of the newest audio wait, and so do those that refinement may still change (`holds`).
Pure; times are seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from stenod.transcript import Transcript, Word, of_words, spell

SETTLE = 0.5
"""Seconds of audio that must follow a word before it is promised: less, and promises break (docs/performance.md)."""


def as_words(transcript: Transcript) -> tuple[Word, ...]:
    """The words of `transcript`; an engine without word times gives words without times, by spaces."""
    if transcript.words or not transcript.text:
        return transcript.words
    return tuple(Word(text, 0.0, 0.0) for text in transcript.text.split())


def agreement(one: Sequence[Word], other: Sequence[Word]) -> int:
    """How many leading words two hypotheses share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0].text == pair[1].text, zip(one, other, strict=False)))


def common_prefix(one: str, other: str) -> int:
    """How many leading characters two texts share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@dataclass(slots=True)
class Stability:
    """The promise made about one piece of text: `promised` only grows."""

    promised: tuple[Word, ...] = ()
    _before: tuple[Word, ...] = field(default=())

    @property
    def text(self) -> str:
        """The text promised so far."""
        return spell(self.promised)

    def hear(
        self,
        hypothesis: Transcript,
        *,
        upto: float,
        holds: int = 0,
        append_only: bool = False,
        draft: bool = False,
    ) -> tuple[Transcript, int]:
        """The hypothesis as it may be shown, and how many of its characters are stable.

        `upto` is the time of the newest audio that the hypothesis has heard. Where the hypothesis contradicts what was
        promised, the promise is kept and only what comes after it is taken over. A `draft` is another model's than the
        final will be: whatever it says may be said differently in the end, so it adds nothing to the promise.
        """
        words = as_words(hypothesis)
        rest = self._after_promise(words)
        if draft:
            shown = self.promised + rest
            return replace(of_words(shown, language=hypothesis.language), turn_end=hypothesis.turn_end), len(self.text)
        agreed = len(rest) if append_only else agreement(rest, self._after_promise(self._before))
        free = rest[: max(0, min(agreed, len(rest) - holds))]
        settled = free if append_only else tuple(takewhile(lambda word: word.end <= upto - SETTLE, free))
        self._before = words
        self.promised += settled
        shown = self.promised + rest[len(settled) :]
        return replace(of_words(shown, language=hypothesis.language), turn_end=hypothesis.turn_end), len(self.text)

    def after(self, moment: float) -> Stability:
        """The promise about what comes after `moment` (seconds), the rest of it having been kept."""
        later = tuple(word for word in self.promised if word.middle >= moment)
        return Stability(later, tuple(word for word in self._before if word.middle >= moment))

    def _after_promise(self, words: tuple[Word, ...]) -> tuple[Word, ...]:
        """What `words` say after the promised ones: by count where they agree, by time where they do not."""
        count = len(self.promised)
        if not count or agreement(words, self.promised) == count:
            return words[count:]
        end = self.promised[-1].end
        return tuple(word for word in words if word.middle > end) if end else words[count:]
