"""Make the spoken samples and the container fixtures: `python tools/make_samples.py`. For people; nothing imports it.

Needs flite (Debian package `flite`) and stenod's own dependencies. The same flite gives the same bytes. What it writes:

- `samples/*.wav`: 16 kHz, mono, s16; `samples/manifest.json`: what is said in them, by which voice, and when each word is.
- `tests/audio/containers/*`: one sentence in every container that stenod reads.

Afterwards it has pocketsphinx decode every sample, whole and cut at its pauses, and fails unless every word is right.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

RATE: Final = 16_000
MARGIN: Final = 0.15
"""Seconds of silence before the first word of a file and after its last."""
NOISE: Final = 8.0
"""Root mean square of the noise under everything, of 32768: -72 dBFS. Only a file has digital silence, never a room."""

REPOSITORY: Final = Path(__file__).resolve().parent.parent
SAMPLES: Final = REPOSITORY / "samples"
CONTAINERS: Final = REPOSITORY / "tests" / "audio" / "containers"

Pcm = NDArray[np.int16]


@dataclass(frozen=True)
class Sample:
    """A file to make: each sentence is (voice, text), with `pause` seconds of silence between two of them."""

    file: str
    sentences: tuple[tuple[str, str], ...]
    pause: float = 0.8


WANTED: Final = (
    Sample("river.wav", (("rms", "The old man walked slowly down to the river."),)),
    Sample("tonight.wav", (("slt", "The president will speak to the nation tonight."),)),
    Sample("weather.wav", (("awb", "The weather will be warm and sunny tomorrow."),)),
    Sample(
        "morning.wav",
        (
            ("rms", "The first thing we need is more time."),
            ("rms", "The meeting will begin in about an hour."),
            ("rms", "She put the letter on the kitchen table."),
            ("rms", "The doctor said that everything was fine."),
        ),
    ),
    Sample(
        "evening.wav",
        (
            ("slt", "The children were playing in the street."),
            ("rms", "My brother works in a small hospital."),
            ("slt", "Nobody knows where the money came from."),
            ("rms", "Many people believe that the story is true."),
            ("slt", "You can see the mountains from the window."),
        ),
    ),
)


# ------------------------------------------------------------------------------------------------------------ speaking


def speak(voice: str, text: str) -> tuple[Pcm, list[tuple[str, float, float]]]:
    """One sentence without the silence around it, and its words as (word, start, end)."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as target:
        printed = flite("-voice", voice, "-psdur", "-t", text, "-o", target.name)
        with wave.open(target.name) as source:
            if (source.getframerate(), source.getnchannels(), source.getsampwidth()) != (RATE, 1, 2):
                sys.exit(f"voice {voice} does not speak at 16 kHz, mono, s16")
            pcm = np.frombuffer(source.readframes(source.getnframes()), np.int16)
    segments = [(phone, float(end)) for phone, end in (item.split(":") for item in printed.split())]
    spans = [(start, end) for (_, start), (phone, end) in pairwise([("", 0.0), *segments]) if phone != "pau"]
    names = words_of(text)
    counts = [len(phones(voice, name)) for name in names]
    if sum(counts) != len(spans):
        sys.exit(f"{voice} runs words together in {text!r}: choose another sentence")
    zero = spans[0][0]
    words = []
    for name, count in zip(names, counts, strict=True):
        own, spans = spans[:count], spans[count:]
        words.append((name, own[0][0] - zero, own[-1][1] - zero))
    return pcm[round(zero * RATE) : round((zero + words[-1][2]) * RATE)], words


def phones(voice: str, text: str) -> list[str]:
    """The sounds of `text`, without the silences."""
    return [phone for phone in flite("-voice", voice, "-ps", "-t", text).split() if phone != "pau"]


def flite(*arguments: str) -> str:
    """What flite prints; without `-o` nothing is written or played."""
    target = () if "-o" in arguments else ("-o", "none")
    return subprocess.run(["flite", *arguments, *target], check=True, capture_output=True, text=True).stdout


def words_of(text: str) -> list[str]:
    """The words of `text` as a recogniser writes them."""
    return re.sub(r"[^a-z' ]", "", text.lower()).split()


def make(sample: Sample) -> tuple[Pcm, dict[str, Any]]:
    """The samples of one file and its entry in the manifest."""
    pieces: list[Pcm] = [silence(MARGIN)]
    words: list[dict[str, Any]] = []
    sentences: list[dict[str, Any]] = []
    for voice, text in sample.sentences:
        if sentences:
            pieces.append(silence(sample.pause))
        at = sum(map(len, pieces)) / RATE
        pcm, spoken = speak(voice, text)
        pieces.append(pcm)
        words += [
            {"text": word, "start": round(at + start, 3), "end": round(at + end, 3)} for word, start, end in spoken
        ]
        stop = at + len(pcm) / RATE
        sentences.append({"text": text, "voice": voice, "start": round(at, 3), "end": round(stop, 3)})
    clean = np.concatenate([*pieces, silence(MARGIN)])
    noise = np.random.default_rng(0).normal(0, NOISE, len(clean))
    pcm = np.clip(np.rint(clean + noise), -32768, 32767).astype(np.int16)
    voices = sorted({voice for voice, _ in sample.sentences})
    text = " ".join(text for _, text in sample.sentences)
    about = {"file": sample.file, "text": text, "voice": "+".join(voices), "seconds": round(len(pcm) / RATE, 3)}
    return pcm, about | {"sentences": sentences, "words": words}


def silence(seconds: float) -> Pcm:
    """So much digital silence; the noise comes later."""
    return np.zeros(round(seconds * RATE), np.int16)


# ------------------------------------------------------------------------------------------------------------ checking


def check(pcm: Pcm, entry: dict[str, Any]) -> None:
    """Leave unless pocketsphinx hears exactly what is said, in the whole file and in each sentence, at once and live."""
    sentences = entry["sentences"]
    middles = [round((left["end"] + right["start"]) / 2 * RATE) for left, right in pairwise(sentences)]
    cuts = [0, *middles, len(pcm)]
    parts = [(entry["text"], pcm)]
    parts += [(one["text"], pcm[start:stop]) for one, (start, stop) in zip(sentences, pairwise(cuts), strict=True)]
    for text, part in parts:
        for step in (len(part), 1600):
            heard = recognise(part, step)
            if heard != words_of(text):
                sys.exit(
                    f"{entry['file']}: pocketsphinx hears {' '.join(heard)!r} in {text!r}, {step} samples at a time"
                )


def recognise(pcm: Pcm, step: int) -> list[str]:
    """What a fresh pocketsphinx hears, given `step` samples at a time (all of them: as one whole utterance)."""
    decoder = Decoder(loglevel="FATAL")
    decoder.start_utt()
    for start in range(0, len(pcm), step):
        decoder.process_raw(pcm[start : start + step].tobytes(), full_utt=step >= len(pcm))
    decoder.end_utt()
    guess = decoder.hyp()
    return guess.hypstr.split() if guess else []


# ---------------------------------------------------------------------------------------------------------- containers


@dataclass(frozen=True)
class Fixture:
    """One sentence in one container; `bits` a second where the codec asks (0: as it comes)."""

    file: str
    container: str
    codec: str
    rate: int
    bits: int = 0


FIXTURES: Final = (
    Fixture("river.flac", "flac", "flac", 16_000),
    Fixture("river.mp3", "mp3", "libmp3lame", 16_000, 32_000),
    Fixture("river.ogg", "ogg", "libopus", 48_000, 24_000),
    Fixture("river.webm", "webm", "libopus", 48_000, 24_000),
    Fixture("river.m4a", "ipod", "aac", 22_050, 32_000),
    Fixture("river.aac", "adts", "aac", 16_000, 32_000),
    Fixture("river.wma", "asf", "wmav2", 16_000, 32_000),
    Fixture("river.aiff", "aiff", "pcm_s16be", 8_000),
    Fixture("river_mulaw.wav", "wav", "pcm_mulaw", 8_000),
    Fixture("river.mp4", "mp4", "aac", 44_100, 48_000),
)


def encode(pcm: Pcm, fixture: Fixture) -> None:
    """Write `pcm`; an mp4 gets a film of a few grey pictures beside it."""
    with av.open(str(CONTAINERS / fixture.file), "w", format=fixture.container) as target:
        if fixture.container == "mp4":
            film = target.add_stream("mpeg4", rate=5)
            film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        else:
            film = None
        sound = cast("av.AudioStream", target.add_stream(fixture.codec, rate=fixture.rate))
        sound.layout = "mono"
        if fixture.bits:
            sound.bit_rate = fixture.bits
        if film is not None:
            for _ in range(int(5 * len(pcm) / RATE)):
                target.mux(film.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 128, np.uint8))))
            target.mux(film.encode())
        whole = av.AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
        whole.sample_rate = RATE
        size = sound.codec_context.frame_size or 1024
        resampler = av.AudioResampler(sound.format, "mono", fixture.rate, frame_size=size)
        for frame in (*resampler.resample(whole), *resampler.resample(None)):
            target.mux(sound.encode(frame))
        target.mux(sound.encode())


# --------------------------------------------------------------------------------------------------------------- all of it


def main() -> None:
    """Make everything, check it, say how large it is."""
    CONTAINERS.mkdir(parents=True, exist_ok=True)
    manifest = []
    for sample in WANTED:
        pcm, entry = make(sample)
        check(pcm, entry)
        with wave.open(str(SAMPLES / sample.file), "wb") as target:
            target.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
            target.writeframes(pcm.tobytes())
        manifest.append(entry)
        print(f"{sample.file}: {entry['seconds']} s, {len(entry['words'])} words, every one recognised")
        if sample.file == "river.wav":
            for fixture in FIXTURES:
                encode(pcm, fixture)
    (SAMPLES / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    for folder in (SAMPLES, CONTAINERS):
        print(f"{folder.relative_to(REPOSITORY)}: {sum(sizes(folder)) // 1000} kB")


def sizes(folder: Path) -> Iterator[int]:
    """How many bytes each file of a folder has."""
    return (path.stat().st_size for path in folder.iterdir() if path.is_file())


if __name__ == "__main__":
    main()
