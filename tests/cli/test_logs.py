"""One line a message, at the level that was asked for."""

from __future__ import annotations

import logging

import pytest

from stenod.cli.logs import OneLine, set_up


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("DEBUG", ["stenod.a DEBUG", "stenod.a INFO", "uvicorn.error INFO", "other WARNING"]),
        ("INFO", ["stenod.a INFO", "uvicorn.error INFO", "other WARNING"]),
        ("ERROR", ["other WARNING"]),
    ],
)
def test_the_level_holds_for_stenod_and_its_server(capsys, level, said) -> None:
    set_up(level)
    logging.getLogger("stenod.a").debug("x")
    logging.getLogger("stenod.a").info("x")
    logging.getLogger("uvicorn.error").info("x")
    logging.getLogger("other").info("x")
    logging.getLogger("other").warning("x")
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert [f"{name.rstrip(':')} {level}" for _, _, level, name, _ in lines] == said


@pytest.mark.parametrize(
    ("message", "line"),
    [("plain é", "plain é"), ("two\nlines", r"two\nlines"), ("\x1b[31mred", r"\x1b[31mred"), ("a\u2028b", r"a\u2028b")],
)
def test_what_a_client_wrote_stays_one_line(message, line) -> None:
    record = logging.LogRecord("stenod", logging.INFO, "", 0, "%s", (message,), None)
    assert OneLine("%(name)s: %(message)s").format(record) == f"stenod: {line}"
