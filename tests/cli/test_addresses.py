"""What people type, and where it leads."""

from __future__ import annotations

import pytest

from stenod.cli.addresses import site, socket_url
from stenod.errors import BadRequest


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost:8000", "ws://localhost:8000/ws?model=a"),
        ("http://localhost:8000/", "ws://localhost:8000/ws?model=a"),
        ("https://speech.example", "wss://speech.example/ws?model=a"),
        ("wss://speech.example/other", "wss://speech.example/other?model=a"),
        ("ws://[::1]:8000", "ws://[::1]:8000/ws?model=a"),
        ("localhost:8000/ws?partials=false&x=", "ws://localhost:8000/ws?partials=false&x=&model=a"),
    ],
)
def test_a_socket(typed, url) -> None:
    assert socket_url(typed, "/ws", {"model": "a"}) == url


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("wss://speech.example/ws?token=secret", "https://speech.example"),
        ("http://127.0.0.1:1/health", "http://127.0.0.1:1"),
    ],
)
def test_a_site(typed, url) -> None:
    assert site(typed) == url


@pytest.mark.parametrize("typed", ["", "ftp://localhost", "http://", "localhost:port", "localhost:99999", "ws://[::1"])
def test_what_is_no_address(typed) -> None:
    with pytest.raises(BadRequest, match="is no address of a server"):
        site(typed)
