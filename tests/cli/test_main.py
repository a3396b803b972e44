"""The command as a process: help, exit codes, and errors of one line."""

from __future__ import annotations

import pytest


def test_help_names_the_commands(stenod) -> None:
    done = stenod("--help")
    assert done.returncode == 0
    listed = done.stdout[done.stdout.index("Commands:") :].split("\n")[1:-1]
    assert [line.split()[0] for line in listed] == ["serve", "file", "models", "config"]
    assert "\x1b" not in done.stdout


def test_version(stenod) -> None:
    assert stenod("--version").stdout == "stenod 0.1.0\n"


@pytest.mark.parametrize("command", ["serve", "websocket"])
def test_serve_and_its_alias_show_the_same_flags(stenod, command) -> None:
    done = stenod(command, "-h", COLUMNS="40")
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
def test_wrong_calls_end_with_2(stenod, arguments) -> None:
    done = stenod(*arguments)
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
def test_bad_settings_end_with_1_and_one_line(stenod, arguments, environ, line) -> None:
    done = stenod(*arguments, **environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"stenod: {line}")
    assert done.stderr.count("\n") == 1
