"""The command as a process, in a folder of its own, with nothing set from outside."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from stenod.cli.logs import OURS
from stenod.settings import catalogue
from support.serving import Running, fake, serving


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command called in this process sets logging up; the tests after it find it as it was."""
    root = logging.getLogger()
    before = root.handlers[:], {logger: logger.level for logger in (root, *map(logging.getLogger, OURS))}
    yield
    root.handlers[:], levels = before
    for logger, level in levels.items():
        logger.setLevel(level)


@pytest.fixture(scope="session")
def outside() -> set[str]:
    """Every name in the environment that sets something."""
    names = {name for setting in catalogue().values() for name in (setting.env, setting.alias) if name}
    return names | {"STENOD_CONFIG"}


@pytest.fixture
def stenod(tmp_path, outside) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `stenod` with arguments, and environment variables as keywords."""
    kept = {name: value for name, value in os.environ.items() if name not in outside}

    def run(*arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stenod", *map(str, arguments)],
            cwd=tmp_path,
            env=kept | environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    """One server with the tone reader for the tests of clients."""
    with serving(fake()) as running:
        yield running
