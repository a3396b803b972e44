"""What the small model is taught to hear: a closed vocabulary, and random phrases over it. Nothing about sound or models.

Some words are there to be confused (fifteen and fifty, pen and pin, Austin and Boston), and a few names have a second
spelling with the same sound that is rare in training: nothing but a hotword can tell a recogniser which one is meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

RARE: Final = {
    "jon": "john",
    "sara": "sarah",
    "bryan": "brian",
    "erik": "eric",
    "stephen": "steven",
    "katherine": "catherine",
}
"""Rare spelling: the usual one. Both are spoken as the usual one, so that they sound exactly alike."""
RARITY: Final = 0.04
"""How often a name that has a rare spelling is written so."""

NAMES: Final = (*RARE.values(), "anna", "hannah", "mary", "harry", "peter")
PLACES: Final = ("austin", "boston", "paris", "london", "berlin", "dallas")
COLOURS: Final = ("red", "green", "blue", "white", "black", "yellow", "gray")
DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
TEENS: Final = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred")
THINGS: Final = ("pin", "pen", "bill", "bell", "ship", "sheep", "lamp", "light", "door", "window", "table", "letter")
MEDIA: Final = ("music", "radio", "story", "weather", "alarm", "timer")
UNITS: Final = ("minutes", "degrees", "percent")
NUMBERS: Final = (*DIGITS, *TEENS, *TENS)

SENTENCES: Final = (
    "the old man walked slowly down to the river",
    "the president will speak to the nation tonight",
    "the weather will be warm and sunny tomorrow",
    "the first thing we need is more time",
    "the meeting will begin in about an hour",
    "she put the letter on the kitchen table",
    "the doctor said that everything was fine",
    "the children were playing in the street",
    "my brother works in a small hospital",
    "nobody knows where the money came from",
    "many people believe that the story is true",
    "you can see the mountains from the window",
)
"""Those of `samples/`, so that the small model can hear the project's own samples too."""

GRAMMAR: Final = (
    "turn ON_OFF the COLOUR THING",
    "turn the MEDIA ON_OFF",
    "open the THING",
    "close the COLOUR THING and the THING",
    "call NAME in PLACE",
    "call NAME at NUMBER NUMBER",
    "send a message to NAME",
    "send NUMBER COLOUR THING to PLACE",
    "play the MEDIA in the kitchen",
    "stop the MEDIA and start the MEDIA",
    "set the timer to NUMBER minutes",
    "set the volume to NUMBER percent",
    "the weather in PLACE will be NUMBER degrees",
    "meet NAME and NAME at the THING tomorrow",
    "NAME said the COLOUR THING is in PLACE",
    "put the COLOUR THING on the table",
    "NUMBER NUMBER NUMBER NUMBER",
    "the NOUN said NUMBER people walked from PLACE to PLACE tonight",
    "we need NUMBER COLOUR THING and a THING",
    "where is NAME",
    "my NOUN knows NAME from PLACE",
    "NAME will begin the meeting in NUMBER minutes and call NAME at NUMBER",
)
NOUNS: Final = ("man", "doctor", "brother", "president", "children")
SLOTS: Final = {
    "NAME": NAMES,
    "PLACE": PLACES,
    "COLOUR": COLOURS,
    "NUMBER": NUMBERS,
    "THING": THINGS,
    "MEDIA": MEDIA,
    "NOUN": NOUNS,
    "ON_OFF": ("on", "off"),
}

VOCABULARY: Final = tuple(
    sorted(
        {word for line in (*SENTENCES, *GRAMMAR) for word in line.split() if word not in SLOTS}
        | {word for words in SLOTS.values() for word in words}
        | set(RARE)
        | set(UNITS)
    )
)

CONFUSABLE: Final = (
    ("thirteen", "thirty"),
    ("fourteen", "forty"),
    ("fifteen", "fifty"),
    ("sixteen", "sixty"),
    ("eighteen", "eighty"),
    ("nineteen", "ninety"),
    ("pen", "pin"),
    ("bell", "bill"),
    ("ship", "sheep"),
    ("austin", "boston"),
    ("anna", "hannah"),
    ("mary", "harry"),
)
"""Words that are near each other in sound; (usual, rare) spellings that sound exactly alike are in RARE."""


def phrase(random: np.random.Generator) -> str:
    """A phrase of 1 to 14 words: from the grammar, a sentence or a part of one, or words in no order at all."""
    kind = random.random()
    if kind < 0.6:
        words = [_fill(word, random) for word in _pick(GRAMMAR, random).split()]
    elif kind < 0.75:
        words = _pick(SENTENCES, random).split()
        if random.random() < 0.5:
            start = int(random.integers(0, len(words) - 1))
            words = words[start : start + int(random.integers(2, 7))]
    else:
        usual = [word for word in VOCABULARY if word not in RARE]
        words = [_pick(usual, random) for _ in range(int(random.integers(2, 8)))]
    return " ".join(words)


def respell(text: str, random: np.random.Generator) -> str:
    """The text with a name here and there in its rare spelling. It is `text` that must be spoken."""
    rare = {usual: seldom for seldom, usual in RARE.items()}
    return " ".join(rare[word] if word in rare and random.random() < RARITY else word for word in text.split())


def _fill(word: str, random: np.random.Generator) -> str:
    return _pick(SLOTS[word], random) if word in SLOTS else word


def _pick(items: Sequence[str], random: np.random.Generator) -> str:
    return items[int(random.integers(len(items)))]
