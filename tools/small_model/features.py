"""Rooms, noise and log-mel for the corpus: `python tools/small_model/features.py FOLDER`, after `corpus.py`.

Every clean phrase is heard twice, each time in another place; some are run together into longer takes with pauses, and
some takes have no speech at all. Writes `mel-PASS-N.npy` (frames, 128) float16, normalised per feature, in frames of 10 ms,
and `mel-PASS-N.json` beside it (which frames belong to which take, words and word times).

The features are NeMo's own, as parakeet-tdt-0.6b-v2 has them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from corpus import SHARDS
from numpy.typing import NDArray
from speech import RATE, Place, Sound, Words, hear
from words import respell

SNRS: Final = (5.0, 6.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0, None, None)
NOISES: Final = ("white", "pink", "babble")
PASSES: Final = 2
JOINED: Final = 0.12
EMPTY: Final = 0.01
COARSE: Final = 0.25
"""How many takes are heard as through parakeet-mlx, whose log-mel has a higher floor."""
COARSE_GUARD: Final = 1e-5


def place(random: np.random.Generator) -> Place:
    """Somewhere to hear a phrase in."""
    return Place(
        noise=NOISES[random.integers(len(NOISES))],
        snr=SNRS[random.integers(len(SNRS))],
        echo=float(random.uniform(0.1, 0.4)) if random.random() < 0.25 else 0.0,
        level=float(random.uniform(-35, -15)),
        before=float(random.uniform(0.0, 0.6)),
        after=float(random.uniform(0.1, 0.7)),
    )


def clean(path: Path) -> list[tuple[Sound, Words]]:
    """The phrases of one shard of `corpus.py`."""
    with np.load(path) as shard:
        sound, lengths, texts, times = (shard[name] for name in ("sound", "lengths", "texts", "times"))
    pieces = np.split(sound.astype(np.float32) / 32767, np.cumsum(lengths)[:-1])
    spans = iter(times.tolist())
    return [
        (piece, [(word, *next(spans)) for word in str(text).split()]) for piece, text in zip(pieces, texts, strict=True)
    ]


def takes(phrases: list[tuple[Sound, Words]], random: np.random.Generator) -> Iterator[tuple[Sound, Words]]:
    """What there is to hear: phrases, several in a row with pauses, and nothing."""
    order = list(random.permutation(len(phrases)))
    while order:
        sound, words = phrases[order.pop()]
        if random.random() < JOINED:
            for _ in range(min(int(random.integers(1, 5)), len(order))):
                pause = np.zeros(round(random.uniform(0.1, 1.2) * RATE), np.float32)
                at = (len(sound) + len(pause)) / RATE
                more, others = phrases[order.pop()]
                gain = np.sqrt(np.mean(sound**2) / np.mean(more**2))
                sound = np.concatenate([sound, pause, more * gain]).astype(np.float32)
                words = words + [(word, start + at, end + at) for word, start, end in others]
        yield sound, words
        if random.random() < EMPTY:
            yield random.normal(0, 1e-3, round(random.uniform(0.5, 4) * RATE)).astype(np.float32), []


def featurizer(guard: float = 2**-24) -> Callable[[Sound], NDArray[np.float32]]:
    """A function from sound to (frames, 128) log-mel features. `guard`: what is added to each energy before the log."""
    import torch  # noqa: PLC0415 - in the process that uses it
    from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor  # noqa: PLC0415

    torch.set_num_threads(1)
    made = AudioToMelSpectrogramPreprocessor(**preprocessor(), log_zero_guard_value=guard).eval()

    def features(sound: Sound) -> NDArray[np.float32]:
        with torch.no_grad():
            mel, length = made(input_signal=torch.from_numpy(sound)[None], length=torch.tensor([len(sound)]))
        kept: NDArray[np.float32] = mel[0, :, : int(length)].T.numpy()
        return kept

    return features


def preprocessor() -> dict[str, Any]:
    """The settings of parakeet-tdt-0.6b-v2's preprocessor, without dither and padding so that it is repeatable."""
    return {
        "sample_rate": RATE,
        "normalize": "per_feature",
        "window_size": 0.025,
        "window_stride": 0.01,
        "window": "hann",
        "features": 128,
        "n_fft": 512,
        "log": True,
        "frame_splicing": 1,
        "dither": 0.0,
        "pad_to": 0,
        "pad_value": 0.0,
    }


def make(folder: Path, turn: int, shard: int) -> float:
    """Write the features of one pass over one shard; return how many seconds they are."""
    phrases = clean(folder / f"clean-{shard:02d}.npz")
    random = np.random.default_rng([5000, turn, shard])
    babble = np.concatenate([sound for sound, _ in phrases[:200]])
    kinds = (featurizer(), featurizer(COARSE_GUARD))
    kept, texts, times = [], [], []
    for sound, words in takes(phrases, random):
        heard, moved = hear(sound, words, place(random), random, babble)
        kept.append(kinds[int(random.random() < COARSE)](heard).astype(np.float16))
        texts.append(respell(" ".join(word for word, _, _ in moved), random))
        times.append([[round(start, 3), round(end, 3)] for _, start, end in moved])
    np.save(folder / f"mel-{turn}-{shard:02d}.npy", np.concatenate(kept))
    index = {"frames": [len(one) for one in kept], "texts": texts, "times": times}
    (folder / f"mel-{turn}-{shard:02d}.json").write_text(json.dumps(index), encoding="utf-8")
    return sum(map(len, kept)) / 100


def main() -> None:
    """Make every pass over every shard."""
    folder = Path(sys.argv[1])
    jobs = [(turn, shard) for turn in range(PASSES) for shard in range(SHARDS)]
    with ProcessPoolExecutor(2) as pool:
        spent = pool.map(make, [folder] * len(jobs), [turn for turn, _ in jobs], [shard for _, shard in jobs])
        for (turn, shard), seconds in zip(jobs, spent, strict=True):
            print(f"pass {turn}, shard {shard}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
