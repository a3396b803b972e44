"""Fixtures for every test: where things are, and what happens when one is missing."""

from __future__ import annotations

import logging
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def missing(what: str) -> None:
    """Skip with the reason; where everything was promised to be there, fail instead."""
    if os.environ.get("STENOD_TEST_ALL") == "1":
        pytest.fail(f"{what} is missing, and STENOD_TEST_ALL=1 allows no skipping", pytrace=False)
    pytest.skip(f"{what} is not here")


def needs(*packages: str) -> None:
    """Skip, or fail, as `missing` does, where one of these cannot be imported."""
    for package in packages:
        if find_spec(package) is None:
            missing(f"the package {package}")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _captured(caplog: pytest.LogCaptureFixture) -> None:
    """Every record is captured: NeMo sets the level of each handler that it finds, pytest's among them."""
    caplog.handler.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The project's own spoken samples."""
    return REPOSITORY / "samples"


@pytest.fixture(scope="session")
def shared_speech() -> Path:
    """Recorded speech with references, kept beside the checkout where it is available."""
    place = Path(os.environ.get("STENOD_TEST_SPEECH", REPOSITORY.parent / "shared" / "speech"))
    if not (place / "manifest.json").is_file():
        missing("recorded speech (STENOD_TEST_SPEECH, a folder with manifest.json)")
    return place


@pytest.fixture(scope="session")
def quartznet_weights() -> Path:
    """NVIDIA's QuartzNet, kept beside the checkout where it is available."""
    models = Path(os.environ.get("STENOD_TEST_MODELS", REPOSITORY.parent / "shared" / "models"))
    place = models / "quartznet15x5-en"
    if not (place / "model.onnx").is_file():
        missing("QuartzNet's weights (STENOD_TEST_MODELS, a folder with quartznet15x5-en)")
    return place


@pytest.fixture(scope="session")
def flite() -> str:
    """The flite speech synthesiser."""
    path = shutil.which("flite")
    if path is None:
        missing("flite (Debian package flite)")
    assert path is not None
    return path
