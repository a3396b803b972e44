"""Which of Whisper's texts to believe: scores, and no list of words. Pure; neither arrays nor the library enter this file.

The rules are those of Radford et al., "Robust speech recognition via large-scale weak supervision" (arXiv 2212.04356), §4.5:
what the model itself calls no speech and is unsure of is silence; what repeats itself, or what it is unsure of, is tried
again with some chance in it. A window is never conditioned on the text before it, so no error feeds the next one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

TEMPERATURES: Final = (0.0, 0.4, 0.8)
"""Of the first attempt and of those after it: three at the most, where the paper has six."""

TOKENS_PER_SECOND: Final = 30
"""More than anyone says in any script; a loop on a short utterance ends here and not after 448 tokens."""


@dataclass(frozen=True, slots=True)
class Take:
    """One attempt at one window."""

    tokens: tuple[int, ...]
    text: str
    log_prob: float
    """Mean natural logarithm of the tokens' probabilities, the end token's included."""
    no_speech: float
    """The probability, 0 to 1, that nobody speaks."""

    @property
    def ratio(self) -> float:
        """How far the text can be compressed: repetitions can far."""
        text = self.text.encode()
        return len(text) / len(zlib.compress(text))


@dataclass(frozen=True, slots=True)
class Guards:
    """The thresholds; the defaults are the paper's."""

    no_speech_threshold: float = 0.6
    log_prob_threshold: float = -1.0
    compression_ratio_threshold: float = 2.4

    def silent(self, take: Take) -> bool:
        """Whether nobody speaks, whatever the text says."""
        return take.no_speech > self.no_speech_threshold and take.log_prob < self.log_prob_threshold

    def repeats(self, take: Take) -> bool:
        """Whether the text goes round in circles."""
        return take.ratio > self.compression_ratio_threshold

    def doubtful(self, take: Take) -> bool:
        """Whether another attempt may do better."""
        return not self.silent(take) and (self.repeats(take) or take.log_prob < self.log_prob_threshold)

    def better(self, one: Take, other: Take) -> Take:
        """The one to keep of two attempts: not the one that repeats itself, else the surer; the first of equals."""
        return max(one, other, key=lambda take: (not self.repeats(take), take.log_prob))


def longest(seconds: float) -> int:
    """Tokens that `seconds` of speech may take at the most."""
    return 10 + round(TOKENS_PER_SECOND * seconds)
