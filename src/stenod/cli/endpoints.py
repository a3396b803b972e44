"""Every HTTP endpoint of a server, asked once: which there are is read from the server's own OpenAPI description.

Endpoints that take a file get a second of tones; those with a parameter in their path are left out, and so is everything
that would change something (PUT, PATCH, DELETE).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from stenod.engines.tones import speak

DESCRIPTION: Final = "/openapi.json"

PATIENCE: Final = 60.0
"""Seconds for an answer: the recogniser may have a queue."""

BOUNDARY: Final = "stenod-part"


@dataclass(frozen=True, slots=True)
class Visit:
    """One endpoint, and what it answered."""

    method: str
    path: str
    status: int
    """0 where there was no HTTP answer at all."""
    seconds: float
    answer: str
    """Its beginning, on one line."""

    @property
    def passed(self) -> bool:
        """Whether it did what it is there for."""
        return 200 <= self.status < 300


def visits(site: str, token: str | None = None) -> Iterator[Visit]:
    """Ask the server at `site` for its description, then for everything in it, in its order."""
    headers = {"Accept": "application/json, */*;q=0.5"} | ({"Authorization": f"Bearer {token}"} if token else {})
    first, body = _ask(Request(site + DESCRIPTION, headers=headers))  # noqa: S310 - http or https, as `site` is made
    yield first
    if not first.passed:
        return
    try:
        paths = json.loads(body)["paths"]
        wanted = list(_wanted(paths))
    except (ValueError, KeyError, TypeError, AttributeError):
        yield Visit("GET", DESCRIPTION, 0, 0.0, "is no OpenAPI description")
        return
    for method, path, form in wanted:
        request = Request(site + path, headers=headers, method=method)  # noqa: S310 - likewise
        if form is not None:
            request.add_header("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
            request.data = _multipart(form)
        elif method == "POST":
            request.data = b""
        yield _ask(request)[0]


def table(rows: list[Visit]) -> list[str]:
    """A line for each, and a last one that counts."""
    widest = max(len(row.path) for row in rows)
    lines = [
        f"{'ok' if row.passed else 'FAIL':<5}{row.method:<5}{row.path:<{widest}}  {row.status or '---'}"
        f"{1000 * row.seconds:>7.0f} ms  {row.answer}".rstrip()
        for row in rows
    ]
    failed = sum(not row.passed for row in rows)
    return [*lines, f"{len(rows)} endpoints, {failed} failed"]


def _wanted(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Method, path, and the form's schema where there is one."""
    for path, methods in paths.items():
        if "{" in path:
            continue
        if "get" in methods:
            yield "GET", path, None
        if "post" in methods:
            content = methods["post"].get("requestBody", {}).get("content", {})
            form = content.get("multipart/form-data", {}).get("schema")
            if form is not None or not content:
                yield "POST", path, form


def _ask(request: Request) -> tuple[Visit, bytes]:
    began = time.perf_counter()
    status, body = 0, b""
    try:
        with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - likewise
            status, body = answer.status, answer.read()
    except HTTPError as refused:
        status, body = refused.code, refused.read()
    except (URLError, HTTPException, OSError) as error:
        body = str(getattr(error, "reason", error)).encode()
    taken = time.perf_counter() - began
    shown = " ".join(body[:400].decode(errors="replace").split())
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    return Visit(request.get_method(), request.selector, status, taken, shown), body


def _multipart(schema: Mapping[str, Any]) -> bytes:
    """The form's required fields: its file is tones, its model the server's own choice."""
    parts = []
    for name in schema.get("required", ()):
        if schema.get("properties", {}).get(name, {}).get("format") == "binary" or name == "file":
            head = f'name="{name}"; filename="tones.wav"\r\nContent-Type: audio/wav'
            parts.append((head, _wav()))
        else:
            parts.append((f'name="{name}"', b"auto"))
    written = b"".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + body + b"\r\n"
        for head, body in parts
    )
    return written + f"--{BOUNDARY}--\r\n".encode()


def _wav() -> bytes:
    data = (speak([1, 2, 3]) * 32767).astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt "
    shape = ((16, 4), (1, 2), (1, 2), (16_000, 4), (32_000, 4), (2, 2), (16, 2))  # PCM, mono, 16 kHz, 16 bit
    return (
        head
        + b"".join(n.to_bytes(size, "little") for n, size in shape)
        + b"data"
        + len(data).to_bytes(4, "little")
        + data
    )
