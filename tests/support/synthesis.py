"""More held-out speech for the small model than is in git, synthesised when a test runs. Wants flite (a Debian package)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from support.small_model import Spoken

TOOLS: Final = Path(__file__).resolve().parent.parent.parent / "tools" / "small_model"


def held_out(count: int) -> list[Spoken]:
    """`count` phrases that no training heard, a quarter each clean, at unseen speeds, in unseen noise, and both."""
    return [_spoken(take) for take in _heldout().takes(count)]


def confusable(rounds: int) -> list[Spoken]:
    """Takes about one word each (`about`) that is easily mistaken, 6 rare spellings and 10 near sounds in a round."""
    return [_spoken(take) for take in _heldout().hotword_takes(rounds)]


def _heldout() -> ModuleType:
    """The module of `tools/small_model`: scripts side by side, which find each other by their folder."""
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module("heldout")
    finally:
        sys.path.remove(str(TOOLS))


def _spoken(take: Any) -> Spoken:
    text = " ".join(word for word, _, _ in take.words)
    return Spoken(take.name, take.sound, text, tuple(take.words), take.condition, take.about)
