"""Addresses as a person types them: where a dialect's WebSocket is, and the server's HTTP. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from stenod.errors import BadRequest


def socket_url(url: str, path: str, query: Mapping[str, str]) -> str:
    """The WebSocket's URL. `url` may be host and port alone, or http; a path and a query in it stay. Raises BadRequest."""
    parts = _parts(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    asked = urlencode(parse_qsl(parts.query, keep_blank_values=True) + list(query.items()))
    return urlunsplit((scheme, parts.netloc, path if parts.path in {"", "/"} else parts.path, asked, ""))


def site(url: str) -> str:
    """The server's address for HTTP, without a path. Raises BadRequest."""
    parts = _parts(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, "", "", ""))


def _parts(url: str) -> SplitResult:
    """Raises BadRequest where it is no address; a port that is none is noticed here, too."""
    try:
        parts = urlsplit(url if "://" in url else f"ws://{url}")
        known = parts.scheme in {"ws", "wss", "http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise BadRequest(f"{url} is no address of a server; an example: localhost:8000")
    return parts
