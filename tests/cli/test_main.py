"""Help, exit codes, and errors of one line."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from stenod.cli.main import main


@dataclass(frozen=True)
class Called:
    """What came of a call."""

    code: int | str | None
    out: str
    error: str


@pytest.fixture
def call(monkeypatch, tmp_path, capsys, outside):
    """Calls the entry point in this process, in an empty folder with nothing set but what is given."""
    monkeypatch.chdir(tmp_path)
    for name in outside:
        monkeypatch.delenv(name, raising=False)

    def called(*arguments: str, **environ: str) -> Called:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["stenod", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return Called(left.value.code, *capsys.readouterr())

    return called


def test_help_names_the_commands(call) -> None:
    done = call("--help")
    assert done.code == 0
    listed = done.out[done.out.index("Commands:") :].split("\n")[1:-1]
    assert [line.split()[0] for line in listed] == ["serve", "file", "microphone", "client", "config", "models"]
    assert "\x1b" not in done.out


def test_version(call) -> None:
    assert call("--version") == Called(0, "stenod 0.1.0\n", "")


@pytest.mark.parametrize("command", ["serve", "websocket"])
def test_serve_and_its_alias_show_the_same_flags(call, command) -> None:
    done = call(command, "-h", COLUMNS="40")
    for flag in ("--host", "--port", "--max-connections", "--grace", "--model", "--log-level", "--config"):
        assert f"  {flag} " in done.out


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
        ("models", "pull"),
        ("models", "dance"),
    ],
    ids=" ".join,
)
def test_wrong_calls_end_with_2(call, arguments) -> None:
    done = call(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error: " in done.error


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        (("serve",), {"TARGET_SR": "8000"}, 'environment: TARGET_SR = "8000": audio.target_rate must be 16000: '),
        (("serve", "--port", "70000"), {}, "flag --port = 70000: server.port must be a whole number from 0 to 65535"),
        (("serve", "--config", "gone.toml"), {}, "gone.toml: there is no such file to read settings from"),
        (("file", "a.wav"), {"STENOD_MODLE_NAME": "x"}, 'environment: STENOD_MODLE_NAME = "x": no such setting; did'),
        (("config",), {"LOG_LEVEL": "loud"}, 'environment: LOG_LEVEL = "loud": server.log_level must be DEBUG, '),
    ],
)
def test_bad_settings_end_with_1_and_one_line(call, arguments, environ, line) -> None:
    done = call(*arguments, **environ)
    assert (done.code, done.out) == (1, "")
    assert done.error.startswith(f"stenod: {line}")
    assert done.error.count("\n") == 1


def test_as_a_process_all_this_is_the_same(stenod) -> None:
    done = stenod("serve", "--model", "gone")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stenod: there is no model 'gone' here")
    assert done.stderr.count("\n") == 1
    assert stenod("file").returncode == 2
