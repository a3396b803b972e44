"""Speech with word times out of the flite synthesiser, and what rooms and machines do to it. No model, no files kept.

Sound is float32 at 16 kHz in [-1, 1]; words are (word, start, end) in seconds.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
VOICES: Final = ("slt", "rms", "awb", "kal16")

Sound = NDArray[np.float32]
Words = list[tuple[str, float, float]]


class Unspeakable(Exception):
    """The synthesiser runs words together here, so that nobody can say when each one is."""


@dataclass(frozen=True)
class Manner:
    """How a phrase is said: duration factor (1.2 is slower), pitch factor, and rate factor of the whole sound."""

    voice: str = "slt"
    stretch: float = 1.0
    pitch: float = 1.0
    resample: float = 1.0


@dataclass(frozen=True)
class Place:
    """Where it is heard: noise kind and level (dB below the speech; None: a whisper of it), echo in s, level in dBFS."""

    noise: str = "white"
    snr: float | None = None
    echo: float = 0.0
    level: float = -23.0
    before: float = 0.2
    after: float = 0.3


PITCHES: Final = {"slt": 175.0, "rms": 97.0, "awb": 125.0, "kal16": 105.0}
"""Hz; what each voice is at by itself, about."""


def speak(text: str, manner: Manner) -> tuple[Sound, Words]:
    """The phrase without the silence around it, and its words' times from its first sound on.

    Raises `Unspeakable` where the sounds of the phrase are not those of its words one by one.
    """
    hertz = PITCHES[manner.voice] * manner.pitch
    settings = ("--setf", f"duration_stretch={manner.stretch}", "--setf", f"int_f0_target_mean={hertz}")
    with tempfile.NamedTemporaryFile(suffix=".wav") as target:
        printed = _flite("-voice", manner.voice, "-psdur", *settings, "-t", text, "-o", target.name)
        with wave.open(io.BytesIO(target.read())) as source:
            pcm = np.frombuffer(source.readframes(source.getnframes()), np.int16)
    segments = [(phone, float(end)) for phone, end in (item.rsplit(":", 1) for item in printed.split())]
    spans = [(start, end, phone) for (_, start), (phone, end) in pairwise([("", 0.0), *segments]) if phone != "pau"]
    names = text.split()
    counts = [len(_phones(manner.voice, name)) for name in names]
    if sum(counts) != len(spans):
        raise Unspeakable(text)
    zero = spans[0][0]
    words: Words = []
    for name, count in zip(names, counts, strict=True):
        own, spans = spans[:count], spans[count:]
        words.append((name, own[0][0] - zero, own[-1][1] - zero))
    sound: Sound = pcm[round(zero * RATE) : round((zero + words[-1][2]) * RATE)].astype(np.float32) / np.float32(32768)
    if manner.resample != 1.0:
        at = np.arange(0, len(sound) - 1, manner.resample)
        sound = np.interp(at, np.arange(len(sound)), sound).astype(np.float32)
        words = [(word, start / manner.resample, end / manner.resample) for word, start, end in words]
    return sound, words


def hear(sound: Sound, words: Words, place: Place, random: np.random.Generator, babble: Sound) -> tuple[Sound, Words]:
    """The same with silence around it, echo and noise, and the words' times moved along. `babble`: others' speech."""
    padded = np.concatenate([_silence(place.before), sound, _silence(place.after)])
    power = float(np.mean(sound**2)) + 1e-9
    if place.echo:
        length = round(place.echo * RATE)
        tail = random.normal(0, 1, length) * np.exp(-6.9 * np.arange(length) / length)
        tail *= 0.25 / np.sqrt(np.sum(tail**2))
        size = 1 << (len(padded) + length).bit_length()
        wet = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(tail, size), size)[: len(padded)]
        padded = padded + wet
    noise = _noise(place.noise, len(padded), random, babble)
    snr = 55.0 if place.snr is None else place.snr
    noise *= np.sqrt(power / (np.mean(noise**2) + 1e-12) / 10 ** (snr / 10))
    heard = padded + noise
    heard *= 10 ** (place.level / 20) / np.sqrt(power)
    moved = [(word, start + place.before, end + place.before) for word, start, end in words]
    return np.clip(heard, -1, 1).astype(np.float32), moved


def _noise(kind: str, length: int, random: np.random.Generator, babble: Sound) -> NDArray[np.float64]:
    """White, pink (-3 dB an octave), brown (-6 dB) or babble, at no particular level."""
    if kind == "babble":
        starts = random.integers(0, max(1, len(babble) - length), 4)
        voices = [np.resize(babble[start:], length) for start in starts]
        together: NDArray[np.float64] = np.sum(voices, axis=0, dtype=np.float64)
        return together
    slope = {"white": 0.0, "pink": 0.5, "brown": 1.0}[kind]
    size = 1 << length.bit_length()
    bins = np.arange(size // 2 + 1)
    shape = 1 / np.maximum(bins, size * 20 // RATE + 1) ** slope
    spectrum = (random.normal(size=len(bins)) + 1j * random.normal(size=len(bins))) * shape
    return np.fft.irfft(spectrum, size)[:length]


def _silence(seconds: float) -> Sound:
    return np.zeros(round(seconds * RATE), np.float32)


@cache
def _phones(voice: str, text: str) -> tuple[str, ...]:
    """The sounds of `text`, without the silences."""
    return tuple(phone for phone in _flite("-voice", voice, "-ps", "-t", text, "-o", "none").split() if phone != "pau")


def _flite(*arguments: str) -> str:
    return subprocess.run(["flite", *arguments], check=True, capture_output=True, text=True).stdout
