"""`stenod file` as a process: which text comes out where, and what becomes of files that fail.

Most rows use the fake engine, which reads words written as tones, so that the text is known to the letter.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from stenod.engines.tones import speak
from stenod.options import RATE

FAKE = {"STENOD_MODEL_NAME": "fake", "STENOD_ENDPOINTING_VAD": "energy"}


def written(path: Path, *utterances: list[int]) -> Path:
    """A WAV file that says `utterances`, each followed by a second of silence."""
    silence = np.zeros(RATE, np.float32)
    samples = np.concatenate([part for words in utterances for part in (speak(words), silence)] or [silence])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def speech(tmp_path) -> Path:
    return written(tmp_path / "speech.wav", [1, 2, 3], [4, 5])


@pytest.mark.parametrize("form", ["text", "verbose_json", "srt"])
def test_every_format_says_the_words(stenod, speech, form) -> None:
    done = stenod("file", speech, "--format", form, **FAKE)
    assert (done.returncode, done.stderr) == (0, "")
    if form == "text":
        assert done.stdout == "w1 w2 w3 w4 w5\n"
    elif form == "verbose_json":
        assert json.loads(done.stdout)["text"] == "w1 w2 w3 w4 w5"
    else:
        assert [line for line in done.stdout.splitlines() if line.startswith("w")] == ["w1 w2 w3", "w4 w5"]


def test_timestamps(stenod, speech) -> None:
    done = stenod("file", "--timestamps", speech, **FAKE)
    first, second = done.stdout.splitlines()
    assert first.startswith("[00:00:00.0")
    assert first.endswith("] w1 w2 w3")
    assert second.startswith("[00:00:01.9")
    assert second.endswith("] w4 w5")


def test_files_go_into_a_folder(stenod, speech, tmp_path) -> None:
    other = written(tmp_path / "other.wav", [9])
    done = stenod("file", speech, other, "--format", "srt", "--output", "a/b", **FAKE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == {"speech.srt", "other.srt"}
    assert "w9" in (tmp_path / "a/b/other.srt").read_text()


def test_files_of_one_name_keep_their_kind(stenod, speech, tmp_path) -> None:
    (tmp_path / "speech.bin").write_bytes(speech.read_bytes())
    done = stenod("file", speech, "speech.bin", "--output", ".", **FAKE)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "speech.wav.txt").read_text() == (tmp_path / "speech.bin.txt").read_text()


def test_a_file_that_fails_leaves_the_others(stenod, speech, tmp_path) -> None:
    (tmp_path / "noise.wav").write_text("this is no audio")
    done = stenod("file", "gone.wav", "noise.wav", tmp_path, speech, **FAKE)
    assert done.returncode == 1
    assert done.stdout == f"==> {speech} <==\nw1 w2 w3 w4 w5\n"
    gone, noise, folder = done.stderr.splitlines()
    assert gone.startswith("gone.wav: ")
    assert "no such file" in gone.lower()
    assert noise.startswith("noise.wav: ")
    assert folder.startswith(f"{tmp_path}: ")
    assert "is a directory" in folder.lower()


def test_a_language_that_the_model_does_not_do_is_a_failure_of_the_file(stenod, speech) -> None:
    done = stenod("file", speech, "--language", "de", "--model", "pocketsphinx")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{speech}: ")
    assert "'de'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_silence_is_no_failure(stenod, tmp_path) -> None:
    done = stenod("file", written(tmp_path / "silence.wav"), **FAKE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")


def test_a_reader_that_has_seen_enough_is_no_defect(speech, tmp_path) -> None:
    line = f"{sys.executable} -m stenod file {speech} {speech} | true"
    done = subprocess.run(
        line, check=False, shell=True, cwd=tmp_path, env=os.environ | FAKE, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_ctrl_c_ends_with_130_and_no_traceback(speech, tmp_path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "stenod", "file", speech, "--model", "fake?cost=30"],
        cwd=tmp_path,
        env=os.environ | FAKE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=10)
    assert (process.returncode, out, error) == (130, "", "")


def test_real_speech_by_the_engine_that_is_always_there(stenod, samples) -> None:
    done = stenod("file", samples / "river.wav")
    assert (done.returncode, done.stderr) == (0, "")
    assert "river" in done.stdout.lower().split()
