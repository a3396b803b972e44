"""Speech that no training heard: unseen phrases at unseen speeds, in unseen noise. Needs flite; no model.

`python tools/small_model/heldout.py tests/models/small/speech` writes the committed set (the same sound each time).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from corpus import UNSEEN_SNRS, UNSEEN_STRETCHES, held_out_phrases
from speech import RATE, VOICES, Manner, Place, Sound, Unspeakable, Words, hear, speak
from words import CONFUSABLE, NAMES, NUMBERS, PLACES, RARE, THINGS

CONDITIONS: Final = ("clean", "speed", "noise", "both")
"""Nothing new but the phrase; an unseen speed; unseen noise (kind brown, or another level); both of these."""

CONFUSING_SNR: Final = 2.0
"""dB of speech over noise where near sounds are mistaken: less than any that was trained with."""

ABOUT_NAMES: Final = (
    "call {} in paris",
    "send a message to {}",
    "meet {} and peter at the door tomorrow",
    "where is {}",
)
ABOUT_NUMBERS: Final = ("set the timer to {} minutes", "call mary at seven {}", "send {} red lamp to paris")
ABOUT_THINGS: Final = ("close the red {} and the door", "put the black {} on the table")
ABOUT_PLACES: Final = ("call peter in {}", "the weather in {} will be ten degrees")


@dataclass(frozen=True)
class Take:
    """One held-out take; `condition` is one of CONDITIONS, or `confusable` or `rare` with the word it is about."""

    name: str
    sound: Sound
    words: Words
    condition: str
    manner: Manner
    place: Place
    about: str = ""


def chatter() -> Sound:
    """Eight phrases one after another, in every voice twice: what others say in the background."""
    texts = held_out_phrases()[-8:]
    return np.concatenate([speak(text, Manner(voice))[0] for text, voice in zip(texts, VOICES * 2, strict=True)])


def takes(count: int, seed: int = 9, longest: int = 99) -> Iterator[Take]:
    """`count` held-out phrases of at most `longest` words through every voice and condition in turn."""
    random = np.random.default_rng(seed)
    babble = chatter()
    phrases = (text for text in held_out_phrases() if len(text.split()) <= longest)
    made = 0
    while made < count:
        text = next(phrases)
        condition = CONDITIONS[made % 4]
        manner = Manner(
            voice=VOICES[made // 4 % 4],
            stretch=float(random.choice(UNSEEN_STRETCHES)) if condition in ("speed", "both") else 1.0,
        )
        noisy = condition in ("noise", "both")
        place = Place(
            noise=("white", "pink", "babble", "brown")[random.integers(4)],
            snr=float(random.choice(UNSEEN_SNRS)) if noisy else None,
            before=float(random.uniform(0.1, 0.4)),
            after=float(random.uniform(0.2, 0.5)),
        )
        try:
            sound, words = speak(text, manner)
        except Unspeakable:
            continue
        heard, moved = hear(sound, words, place, random, babble)
        yield Take(f"{condition}-{made:03d}", heard, moved, condition, manner, place)
        made += 1


def hotword_takes(rounds: int = 1, seed: int = 10, pairs: int = 10) -> Iterator[Take]:
    """Takes about one word each that is easily mistaken: a rare spelling, or one of a pair of near sounds, in noise.

    Each round says other words of the pairs, in other voices and phrases.
    """
    random = np.random.default_rng(seed)
    babble = chatter()
    for turn in range(rounds):
        for number, (rare, usual) in enumerate(RARE.items()):
            text = ABOUT_NAMES[(number + turn) % len(ABOUT_NAMES)].format(usual)
            manner, place = Manner(VOICES[(number + turn) % 4]), Place(noise="pink", snr=15.0)
            heard, words = hear(*speak(text, manner), place, random, babble)
            respelt = [(rare if word == usual else word, start, end) for word, start, end in words]
            yield Take(f"rare-{rare}-{turn}", heard, respelt, "rare", manner, place, rare)
        for number, pair in enumerate(CONFUSABLE[:pairs]):
            word = pair[(number + turn) % 2]
            kinds = {NUMBERS: ABOUT_NUMBERS, PLACES: ABOUT_PLACES, THINGS: ABOUT_THINGS, NAMES: ABOUT_NAMES}
            carriers = next(said for kind, said in kinds.items() if word in kind)
            text = carriers[(number + turn) % len(carriers)].format(word)
            manner, place = Manner(VOICES[(number + turn) % 4]), Place("white", CONFUSING_SNR)
            heard, words = hear(*speak(text, manner), place, random, babble)
            yield Take(f"confusable-{word}-{turn}", heard, words, "confusable", manner, place, word)


def write(target: Path, count: int = 24) -> None:
    """Sound files and their manifest."""
    import soundfile  # noqa: PLC0415 - only who writes needs it

    target.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for take in (*takes(count, seed=21, longest=8), *hotword_takes()):
        pcm = np.rint(take.sound * 32767).astype(np.int16)
        soundfile.write(target / f"{take.name}.flac", pcm, RATE)
        entries.append(
            {
                "file": f"{take.name}.flac",
                "text": " ".join(word for word, _, _ in take.words),
                "condition": take.condition,
                "about": take.about,
                "voice": take.manner.voice,
                "stretch": take.manner.stretch,
                "noise": take.place.noise if take.place.snr is not None else "",
                "snr": take.place.snr,
                "seconds": round(len(pcm) / RATE, 3),
                "words": [
                    {"text": word, "start": round(start, 3), "end": round(end, 3)} for word, start, end in take.words
                ],
            }
        )
    (target / "manifest.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    print(f"{len(entries)} takes, {sum(entry['seconds'] for entry in entries):.0f} s")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
