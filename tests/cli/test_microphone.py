"""What is spoken, by way of PortAudio and an ALSA device that is a file; and what is said where something is missing."""

from __future__ import annotations

import ctypes.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import missing
from stenod.engines.tones import speak

PLUGIN = "pcm.!default {{ type file slave.pcm null file /dev/null infile {} format raw }}\n"


@pytest.fixture
def microphone(tmp_path) -> dict[str, str]:
    """A home whose microphone hears eleven words and then silence, as the environment of a process."""
    if sys.platform != "linux":
        pytest.skip("ALSA is Linux's")
    if ctypes.util.find_library("portaudio") is None:
        missing("PortAudio (Debian package libportaudio2)")
    quiet = np.zeros(16_000, np.float32)
    words = np.concatenate([quiet[:8_000], speak(range(1, 7)), quiet, speak(range(7, 12)), np.tile(quiet, 60)])
    (tmp_path / "spoken.raw").write_bytes((words * 32767).astype("<i2").tobytes())
    (tmp_path / ".asoundrc").write_text(PLUGIN.format(tmp_path / "spoken.raw"))
    return {"HOME": str(tmp_path), "STENOD_ENDPOINTING_VAD": "energy"}


def test_it_is_transcribed_with_times(stenod, microphone) -> None:
    told = stenod("microphone", "--timestamps", "--model", "fake", "--duration", 6, **microphone)
    assert told.stdout.splitlines() == [
        "[00:00:00.50 - 00:00:02.20] w1 w2 w3 w4 w5 w6",
        "[00:00:03.30 - 00:00:04.70] w7 w8 w9 w10 w11",
    ]
    assert (told.returncode, told.stderr) == (0, "")


def test_the_client_streams_it(stenod, microphone, server) -> None:
    told = stenod("client", server.http, "--microphone", "--duration", 6, **microphone)
    finals = [line for line in told.stdout.splitlines() if not line.startswith("~")]
    assert finals == ["w1 w2 w3 w4 w5 w6", "w7 w8 w9 w10 w11"]
    assert (told.returncode, told.stderr) == (0, "")


def test_ctrl_c_is_the_end_of_the_audio(microphone, tmp_path) -> None:
    command = [sys.executable, "-m", "stenod", "microphone", "--model", "fake"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | microphone, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "w1 w2 w3 w4 w5 w6\n"
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
        assert (process.returncode, error) == (0, "")
        assert time.monotonic() - began < 15


@pytest.mark.parametrize("command", [["microphone"], ["client", "{url}", "--microphone"]])
def test_without_a_device_it_is_one_line(stenod, server, tmp_path, command) -> None:
    if ctypes.util.find_library("portaudio") is None:
        missing("PortAudio (Debian package libportaudio2)")
    if Path("/dev/snd").exists():
        pytest.skip("this machine has sound")
    told = stenod(*[each.format(url=server.http) for each in command], HOME=str(tmp_path))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.splitlines()[-1] == "stenod: this machine has no microphone that PortAudio knows of"


@pytest.mark.parametrize(
    ("module", "advice"),
    [
        ("raise OSError('PortAudio library not found')", "apt-get install libportaudio2"),
        ("raise ImportError('No module named sounddevice')", "pip install 'stenod[microphone]'"),
    ],
)
def test_what_is_missing_is_said_with_how_to_get_it(stenod, tmp_path, module, advice) -> None:
    (tmp_path / "sounddevice.py").write_text(f"{module}\n")
    told = stenod("microphone", PYTHONPATH=str(tmp_path))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("stenod: the microphone needs the ")
    assert told.stderr.endswith(f"{advice}\n")
    assert told.stderr.count("\n") == 1
