"""What `stenod config` prints."""

from __future__ import annotations

import tomllib

import pytest
from typer.testing import CliRunner

from stenod.cli.main import app
from stenod.settings import Settings, markdown


@pytest.fixture
def run(tmp_path, monkeypatch, outside):
    monkeypatch.chdir(tmp_path)
    for name in outside:
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["config", *arguments], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return invoke


def in_force() -> dict[str, dict[str, object]]:
    """The defaults, without what is not set."""
    masked = Settings().masked()
    return {group: {name: value for name, value in of.items() if value is not None} for group, of in masked.items()}


def test_all_in_force_is_shown_as_toml(run) -> None:
    printed = run("--show")
    assert tomllib.loads(printed) == in_force()
    assert "# api_key is not set" in printed


def test_what_was_set_is_shown_with_its_origin(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "stenod.toml").write_text("[server]\nport = 4\nhost = 'é\"\\'")
    monkeypatch.setenv("DEVICE", "cpu")
    shown = run()
    assert tomllib.loads(shown) == {"server": {"port": 4, "host": 'é"\\'}, "model": {"device": "cpu"}}
    assert "# stenod.toml: server.port" in shown
    assert "# environment: DEVICE" in shown
    assert tomllib.loads(run("--show"))["server"] == in_force()["server"] | {"port": 4, "host": 'é"\\'}


def test_nothing_set_shows_nothing(run) -> None:
    assert run() == ""


def test_the_table_of_settings(run) -> None:
    assert run("--table") == markdown()
