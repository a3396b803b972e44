"""The clients, as their users have them: files that know nothing of this project."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from conftest import REPOSITORY, missing
from support.serving import Running, fake, serving


@pytest.fixture(scope="session")
def clients(samples) -> Path:
    return samples.parent / "clients"


@pytest.fixture(scope="session")
def stenod_client(clients) -> ModuleType:
    """The Python client, imported from where it lies."""
    spec = importlib.util.spec_from_file_location("stenod_client", clients / "python" / "stenod_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["stenod_client"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with serving(fake()) as running:
        yield running


@pytest.fixture(scope="session")
def node() -> Path:
    """The folder in which Node finds the npm package ws, which the documents' examples need. Nothing is downloaded here."""
    folder = REPOSITORY / "clients" / "javascript" / "node_modules"
    if shutil.which("node") is None or not (folder / "ws").is_dir():
        missing("Node with the npm package ws (make node)")
    return folder
