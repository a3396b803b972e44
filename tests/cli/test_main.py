"""The command as a process: help, exit codes, and errors of one line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def stenod(*arguments, directory, **environ) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STENOD_") and name != "LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-m", "stenod", *map(str, arguments)],
        cwd=directory,
        env=kept | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_the_commands(tmp_path) -> None:
    done = stenod("--help", directory=tmp_path)
    assert done.returncode == 0
    listed = done.stdout[done.stdout.index("Commands:") :].split("\n")[1:-1]
    assert [line.split()[0] for line in listed] == ["serve", "file", "models", "config"]
    assert "\x1b" not in done.stdout


def test_version(tmp_path) -> None:
    assert stenod("--version", directory=tmp_path).stdout == "stenod 0.1.0\n"


@pytest.mark.parametrize("command", ["serve", "websocket"])
def test_serve_and_its_alias_show_the_same_flags(tmp_path, command) -> None:
    done = stenod(command, "-h", directory=tmp_path, COLUMNS="40")
    for flag in ("--host", "--port", "--max-connections", "--grace", "--model", "--log-level", "--config"):
        assert f"  {flag} " in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("dance",),
        ("file",),
        ("file", "a.wav", "--format", "pdf"),
        ("file", "a.wav", "b.wav", "--format", "srt"),
        ("file", "x/a.wav", "y/a.wav", "--output", "out"),
        ("serve", "--port", "http"),
        ("serve", "--colour"),
    ],
    ids=" ".join,
)
def test_wrong_calls_end_with_2(tmp_path, arguments) -> None:
    done = stenod(*arguments, directory=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        (("serve",), {"TARGET_SR": "8000"}, 'environment: TARGET_SR = "8000": audio.target_rate must be 16000: '),
        (("serve", "--port", "70000"), {}, "flag --port = 70000: server.port must be a whole number from 0 to 65535"),
        (("serve", "--config", "gone.toml"), {}, "gone.toml: there is no such file to read settings from"),
        (("file", "a.wav"), {"STENOD_MODLE_NAME": "x"}, 'environment: STENOD_MODLE_NAME = "x": no such setting; did'),
        (("config",), {"LOG_LEVEL": "loud"}, 'environment: LOG_LEVEL = "loud": server.log_level must be DEBUG, '),
        (("serve", "--model", "gone"), {}, "there is no model 'gone' here"),
    ],
)
def test_bad_settings_end_with_1_and_one_line(tmp_path, arguments, environ, line) -> None:
    done = stenod(*arguments, directory=tmp_path, **environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"stenod: {line}")
    assert done.stderr.count("\n") == 1
