"""The engine that is always there, on the project's own samples: words, times, confidences, and no memory of others."""

from __future__ import annotations

import json
import re
import wave
from itertools import pairwise
from pathlib import Path

import anyio
import numpy as np
import pytest

from stenod.engines.base import LoadOptions, Request
from stenod.engines.pocketsphinx import FAMILY, PocketSphinx
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.jobs import Decode, Kind, Shed
from stenod.models.store import Store
from stenod.options import RATE, DecodeOptions

OPTIONS = DecodeOptions()
MODEL = FAMILY.models(Store(Path("nowhere")))[0]


@pytest.fixture(scope="module")
def engine():
    return FAMILY.load(MODEL, LoadOptions())


@pytest.fixture(scope="module")
def speech(samples):
    """Each sample's audio and its words, by name."""
    spoken = {}
    for entry in json.loads((samples / "manifest.json").read_text()):
        with wave.open(str(samples / entry["file"])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
            audio = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        spoken[entry["file"]] = audio, re.findall(r"[a-z']+", entry["text"].lower()), entry["words"]
    return spoken


def errors(reference, heard):
    """Least number of words to change, add or drop."""
    row = list(range(len(heard) + 1))
    for above, wanted in enumerate(reference):
        diagonal, row[0] = row[0], above + 1
        for at, word in enumerate(heard, start=1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (wanted != word))
    return row[-1]


def stream(engine, audio, size):
    state = engine.open(OPTIONS)
    pieces = [audio[at : at + size] for at in range(0, len(audio), size)]
    answers = [engine.step([state], [piece], [piece is pieces[-1]])[0] for piece in pieces]
    engine.close([state])
    return answers


@pytest.mark.parametrize("name", ["river.wav", "tonight.wav", "weather.wav"])
def test_words_times_and_confidences(engine, speech, name):
    audio, reference, words = speech[name]
    (transcript,) = engine.transcribe([Request(audio, OPTIONS)])
    heard = transcript.words
    texts = [word.text for word in heard]
    assert errors(reference, texts) <= 1
    assert transcript.text == " ".join(texts)
    assert transcript.language == "en"
    assert all(re.fullmatch(r"[a-z'.-]+", text) for text in texts)  # no marks, no numbered pronunciations
    assert all(word.start < word.end for word in heard)
    assert all(one.end <= other.start + 0.011 for one, other in pairwise(heard))
    assert all(0 < word.confidence <= 1 for word in heard)
    assert len({word.confidence for word in heard}) > 1
    at = {word["text"].strip(".,?!").lower(): word for word in words}
    off = [
        abs(word.start - at[word.text]["start"]) for word in heard if word.text in at and texts.count(word.text) == 1
    ]
    assert np.mean(off) < 0.1


def test_confidence_tells_speech_from_babble(engine, speech):
    audio, _, _ = speech["river.wav"]
    backwards = engine.transcribe([Request(audio[::-1].copy(), OPTIONS)])[0]
    assert engine.transcribe([Request(audio, OPTIONS)])[0].confidence > 0.7
    assert (backwards.confidence or 0) < 0.6


@pytest.mark.parametrize("size", [200, 512, 4800])
def test_streaming_in_any_slicing_ends_the_same(engine, speech, size):
    audio = speech["river.wav"][0][: 2 * RATE]
    answers = stream(engine, audio, size)
    assert answers[-1] == engine.transcribe([Request(audio, OPTIONS)])[0]
    if size == 4800:
        assert all(word.confidence is None for word in answers[4].words)
        assert answers[4].words


def test_what_was_heard_before_changes_nothing(speech):
    engine = PocketSphinx(MODEL.capabilities)
    audios = [speech[name][0][: 3 * RATE // 2] for name in ("tonight.wav", "weather.wav")]
    fresh = engine.transcribe([Request(audios[0], OPTIONS)])
    noise = np.random.default_rng(0).normal(0, 0.2, 3000).astype(np.float32)
    loud = np.clip(audios[1][:RATE] * 8, -1, 1)
    for before in (noise, loud, np.zeros(0, np.float32)):
        engine.transcribe([Request(before, OPTIONS)])
        assert engine.transcribe([Request(audios[0], OPTIONS)]) == fresh
    abandoned = engine.open(OPTIONS)
    engine.step([abandoned], [noise], [False])
    engine.close([abandoned])
    assert engine.transcribe([Request(audios[0], OPTIONS)]) == fresh


@pytest.mark.parametrize(
    "audio",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.zeros(RATE, np.float32),
        np.full(300, 0.5, np.float32),
        np.random.default_rng(0).normal(0, 0.001, RATE).astype(np.float32),
    ],
)
def test_where_nobody_speaks_nothing_is_said(engine, audio):
    assert engine.transcribe([Request(audio, OPTIONS)])[0].text == ""


@pytest.mark.anyio
async def test_three_times_more_streams_than_decoders(engine, speech):
    finals, shed = {}, []
    few = "pocketsphinx?workers=1&max_states=2"
    async with LocalRecognizer(Registry.installed(), model=few) as recognizer:
        await recognizer.preload()
        audio = speech["river.wav"][0][: 3 * RATE // 2]

        def job(end, kind):
            return Decode(
                job=1, utterance=1, stretch=1, kind=kind, samples=audio[:end], start=0, context=0,
                last=kind is Kind.FINAL, options=OPTIONS,
            )  # fmt: skip

        async def session(number):
            async with recognizer.lane() as lane:
                partials = [await lane.decode(job(end, Kind.PARTIAL)) for end in (RATE // 2, RATE)]
                shed.extend(isinstance(partial, Shed) for partial in partials)
                finals[number] = (await lane.decode(job(len(audio), Kind.FINAL))).transcript.text

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(session, number)
    assert len(finals) == 6
    assert set(finals.values()) == {engine.transcribe([Request(audio, OPTIONS)])[0].text}
    assert True in shed
    assert False in shed
