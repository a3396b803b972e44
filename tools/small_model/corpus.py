"""Synthesises the training corpus into a folder outside git: `python tools/small_model/corpus.py FOLDER`.

Needs flite (Debian package `flite`), numpy and two cores for about ten minutes. Fixed seeds: the same flite gives the
same bytes. Writes shards of clean phrases (`clean-N.npz`); `features.py` lets rooms and noise at them.

What is kept from training, so that a test on it is a fair one: every phrase of `held_out_phrases`, the duration
factors `UNSEEN_STRETCHES`, and (in `features.py`) brown noise and the noise levels of `UNSEEN_SNRS`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from speech import VOICES, Manner, Unspeakable, speak
from words import phrase

STRETCHES: Final = (0.8, 0.9, 1.0, 1.1, 1.25)
UNSEEN_STRETCHES: Final = (0.85, 1.05, 1.18, 1.35)
PITCHES: Final = (0.88, 1.0, 1.14)
RESAMPLES: Final = (0.94, 1.0, 1.06)
UNSEEN_SNRS: Final = (8.0, 12.0, 18.0)

SHARDS: Final = 16
PHRASES: Final = 14_000


def held_out_phrases(count: int = 600) -> list[str]:
    """Phrases that no training sees, of at least three words."""
    random = np.random.default_rng(77)
    found: dict[str, None] = {}
    while len(found) < count:
        text = phrase(random)
        if len(text.split()) >= 3 and text not in _sentences():
            found[text] = None
    return list(found)


def _sentences() -> set[str]:
    from words import SENTENCES  # noqa: PLC0415 - only this check wants them

    return set(SENTENCES)


def phrases(shard: int) -> Iterator[tuple[str, Manner]]:
    """What one shard says and how; nothing held out."""
    random = np.random.default_rng(1000 + shard)
    held_out = set(held_out_phrases())
    made = 0
    while made < PHRASES // SHARDS:
        text = phrase(random)
        if text in held_out:
            continue
        made += 1
        picks = (random.integers(len(of)) for of in (VOICES, STRETCHES, PITCHES, RESAMPLES))
        voice, stretch, pitch, resample = picks
        yield text, Manner(VOICES[voice], STRETCHES[stretch], PITCHES[pitch], RESAMPLES[resample])


def make(folder: Path, shard: int) -> int:
    """Write one shard; return how many phrases are in it."""
    sounds, texts, times, voices = [], [], [], []
    for text, manner in phrases(shard):
        try:
            sound, words = speak(text, manner)
        except Unspeakable:
            continue
        sounds.append(np.rint(sound * 32767).astype(np.int16))
        texts.append(text)
        voices.append(manner.voice)
        times.append(np.array([span[1:] for span in words], np.float32))
    np.savez(
        folder / f"clean-{shard:02d}.npz",
        sound=np.concatenate(sounds),
        lengths=np.array([len(sound) for sound in sounds]),
        texts=np.array(texts),
        voices=np.array(voices),
        times=np.concatenate(times),
    )
    return len(texts)


def main() -> None:
    """Make every shard, two at a time."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        for shard, count in enumerate(pool.map(make, [folder] * SHARDS, range(SHARDS))):
            print(f"shard {shard}: {count} phrases", flush=True)


if __name__ == "__main__":
    main()
