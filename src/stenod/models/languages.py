"""Which languages the published families were trained on, as ISO 639-1 codes (from their model cards)."""

from __future__ import annotations

from typing import Final

ENGLISH: Final = ("en",)

EUROPEAN: Final = (
    "en", "bg", "hr", "cs", "da", "nl", "et", "fi", "fr", "de", "el", "hu", "it", "lv", "lt", "mt", "pl", "pt", "ro",
    "sk", "sl", "es", "sv", "ru", "uk",
)  # fmt: skip
"""Parakeet-TDT-0.6B-v3 and Canary-1B-v2: 25 European languages."""

CANARY_1: Final = ("en", "de", "es", "fr")
"""Canary-1B and the flash models."""

WHISPER: Final = ("*",)
"""Whisper: 99 languages and what resembles them."""

NEMOTRON: Final = (
    "en", "es", "zh", "hi", "ar", "fr", "de", "ja", "ru", "pt", "ko", "it", "nl", "pl", "tr", "uk", "ro", "cs", "hu",
    "sv", "da", "fi", "th", "vi", "id",
)  # fmt: skip
"""Nemotron-3.5-ASR-Streaming: those of its 40 locales that could be verified."""
