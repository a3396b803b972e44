"""The detectors: right about real speech, the same in any batch and slicing, cheap about digital silence."""

from __future__ import annotations

import json
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.vad.energy import Energy
from stenod.vad.silero import FADE, GATE, Silero

FRAME = 512


def framed(samples):
    whole = len(samples) // FRAME * FRAME
    return np.asarray(samples[:whole], np.float32).reshape(-1, FRAME)


@pytest.fixture(scope="module")
def silero():
    return Silero()


@pytest.fixture(scope="module")
def speech(samples):
    """Every sample's frames, by name."""
    found = {}
    for entry in json.loads((samples / "manifest.json").read_text()):
        with wave.open(str(samples / entry["file"])) as source:
            pcm = np.frombuffer(source.readframes(source.getnframes()), np.int16)
        found[entry["file"]] = (entry, framed(pcm.astype(np.float32) / 32768))
    return found


@pytest.fixture(scope="module")
def frames(speech):
    return speech["evening.wav"][1]


def alone(vad, frames):
    return vad.score([vad.open()], [frames])[0]


@pytest.mark.parametrize("name", ["river.wav", "tonight.wav", "weather.wav", "morning.wav", "evening.wav"])
def test_speech_is_speech_and_pauses_are_not(silero, speech, name):
    entry, frames = speech[name]
    probabilities = alone(silero, frames)
    middles = (np.arange(len(frames)) + 0.5) * FRAME / 16_000
    inside = np.zeros(len(frames), bool)
    outside = np.ones(len(frames), bool)
    for sentence in entry["sentences"]:
        inside |= (middles > sentence["start"]) & (middles < sentence["end"])
        outside &= (middles < sentence["start"] - 0.1) | (middles > sentence["end"] + 0.2)
    assert (probabilities[inside] > 0.5).mean() > 0.9
    assert (probabilities[outside] < 0.35).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 7))
def test_probabilities_depend_neither_on_batch_nor_on_slicing(silero, frames, seed, count):
    """Several streams, each a stretch of speech with a hole of digital silence, in ragged calls."""
    dice = np.random.default_rng(seed)
    streams = [frames[start : start + 60].copy() for start in dice.integers(0, 300, count)]
    for stream in streams:
        stream[20 : 20 + dice.integers(0, 20)] = 0
    wanted = [alone(silero, stream) for stream in streams]
    states = [silero.open() for _ in streams]
    got = [[] for _ in streams]
    rest = streams
    while any(map(len, rest)):
        takes = dice.integers(0, 25, count)
        answers = silero.score(states, [stream[:take] for stream, take in zip(rest, takes, strict=True)])
        for mine, answer in zip(got, answers, strict=True):
            mine.append(answer)
        rest = [stream[take:] for stream, take in zip(rest, takes, strict=True)]
    for mine, answer in zip(got, wanted, strict=True):
        np.testing.assert_allclose(np.concatenate(mine), answer, atol=1e-6)


@pytest.mark.parametrize(
    "silence",
    [
        pytest.param(np.zeros((40, FRAME)), id="zeros"),
        pytest.param(np.full((40, FRAME), 8 / 32768), id="A-law's offset"),
        pytest.param(np.random.default_rng(1).integers(-1, 2, (40, FRAME)) / 32768, id="dither"),
    ],
)
def test_digital_silence_is_no_speech_and_costs_nothing(silero, silence, monkeypatch):
    state = silero.open()
    silence = silence.astype(np.float32)
    assert silence.std() < GATE
    assert not silero.score([state], [silence[:FADE]])[0].any()
    monkeypatch.setattr(silero, "_sequence", None)  # from here on a call of the network would fail
    assert not silero.score([state], [silence[FADE:]])[0].any()


def test_speech_after_digital_silence_is_heard_as_if_the_network_had_never_rested(silero, frames, monkeypatch):
    hole = np.zeros((100, FRAME), np.float32)
    audio = np.concatenate((frames[:60], hole, frames[60:120]))
    rested = alone(silero, audio)
    monkeypatch.setattr("stenod.vad.silero.FADE", 1000)
    awake = alone(silero, audio)
    assert np.abs(rested - awake)[160:].mean() < 0.02
    assert (rested[160:] > 0.5).sum() == pytest.approx((awake[160:] > 0.5).sum(), abs=1)


def test_a_long_stretch_is_the_same_in_one_call(silero, frames):
    long = np.tile(frames, (2, 1))
    state = silero.open()
    pieces = [silero.score([state], [long[at : at + 50]])[0] for at in range(0, len(long), 50)]
    np.testing.assert_allclose(alone(silero, long), np.concatenate(pieces), atol=1e-6)


def test_recorded_speech_is_mostly_speech(silero, shared_speech):
    with wave.open(str(shared_speech / "ljspeech" / "LJ001-0002.wav")) as source:
        assert source.getframerate() in (16_000, 22_050)
        pcm = np.frombuffer(source.readframes(source.getnframes()), np.int16)
    probabilities = alone(silero, framed(pcm.astype(np.float32) / 32768))
    assert (probabilities > 0.5).mean() > 0.6


@pytest.mark.parametrize(
    ("level", "probability"), [(0.0, 0), (-70, 0), (-60, 0), (-52.5, 0.25), (-45, 0.5), (-30, 1), (-3, 1)]
)
def test_energy_is_a_function_of_level(level, probability):
    amplitude = 10 ** (level / 20) if level else 0.0
    frames = np.full((3, FRAME), amplitude, np.float32)
    frames[:, ::2] *= -1
    (answer,) = Energy().score([None], [frames])
    np.testing.assert_allclose(answer, [probability] * 3, atol=1e-4)
    assert answer.dtype == np.float32
