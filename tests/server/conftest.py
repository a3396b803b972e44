"""One server with the tone reader for all tests of this folder that do not need their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.serving import Running, fake, serving


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with serving(fake()) as running:
        yield running
