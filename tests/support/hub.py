"""A model hub on loopback: a real HTTP server that speaks the hub's interface, and misbehaves where it is told to.

As the real one it answers `/api/models/OWNER/NAME/revision/REV?blobs=true` with the list, and
`/OWNER/NAME/resolve/COMMIT/PATH` of a large file with a redirection that carries `X-Repo-Commit`, `X-Linked-Etag` and
`X-Linked-Size`; ranges are served.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

LARGE = 1000
"""Bytes from which on a file is kept as a large one, with a SHA-256."""


@dataclass
class Faults:
    """What goes wrong; each number is how many times it still does."""

    cut: int = 0
    """Answers with content that end after half of it."""
    stall: int = 0
    """Answers with content that stop for good after half of it."""
    broken: int = 0
    """Requests answered with status 500."""
    busy: int = 0
    """Requests answered with status 429 and a time to come back."""
    spoiled: int = 0
    """Answers whose content has a wrong byte."""
    ignores_range: bool = False
    lies: bool = False
    """The list has wrong checksums."""
    gated: bool = False
    wants_token: str | None = None
    nonsense: bool = False
    """The list is no list."""
    slow: float = 0.0
    """Seconds between pieces of 16 KiB."""


@dataclass
class LocalHub:
    """Repositories by name, each files by path."""

    repos: Mapping[str, Mapping[str, bytes]]
    faults: Faults = field(default_factory=Faults)
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Paths asked for, each with its range where one was asked for."""
    sent: int = 0
    """Bytes of content."""
    sums: dict[int, tuple[bytes, str]] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def commit(self, repo: str) -> str:
        """Follows from the content."""
        sums = sorted((path, self.sum(content)) for path, content in self.repos[repo].items())
        return hashlib.sha1(repr(sums).encode()).hexdigest()

    def sum(self, content: bytes) -> str:
        """The SHA-256, worked out once."""
        if id(content) not in self.sums:
            self.sums[id(content)] = content, hashlib.sha256(content).hexdigest()
        return self.sums[id(content)][1]

    def listing(self, repo: str) -> bytes:
        if self.faults.nonsense:
            return b"<html>welcome to the captive portal</html>"
        siblings = []
        for path, content in self.repos[repo].items():
            sibling: dict[str, object] = {
                "rfilename": path,
                "size": len(content),
                "blobId": _oid(content, self.faults.lies),
            }
            if len(content) >= LARGE:
                told = self.sum(content) if not self.faults.lies else "0" * 64
                sibling["lfs"] = {"size": len(content), "sha256": told, "pointerSize": 130}
            siblings.append(sibling)
        card = {"license": "cc-by-4.0"}
        return json.dumps({"id": repo, "sha": self.commit(repo), "siblings": siblings, "cardData": card}).encode()


def _oid(content: bytes, lies: bool) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content + b"!" * lies).hexdigest()


@contextmanager
def local_hub(repos: Mapping[str, Mapping[str, bytes]], **faults: object) -> Iterator[LocalHub]:
    """Serve until the block is left."""
    hub = LocalHub(repos, Faults(**faults))  # type: ignore[arg-type]

    class Handler(_Handler):
        state = hub

    server = _Server(("127.0.0.1", 0), Handler)
    hub.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def repository(folder: Path) -> dict[str, bytes]:
    """The files of a folder, as a repository holds them."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go away in the middle here; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    state: LocalHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Quiet."""

    def do_GET(self) -> None:
        faults, path = self.state.faults, unquote(urlsplit(self.path).path)
        self.state.asked.append(f"{path} {self.headers.get('Range', '')}".strip())
        if faults.busy > 0:
            faults.busy -= 1
            self._answer(429, b"", {"Retry-After": "0"})
        elif faults.broken > 0:
            faults.broken -= 1
            self._answer(500, b"out of order")
        elif path.startswith("/cdn/"):
            self._content(path.removeprefix("/cdn/"))
        elif faults.wants_token is not None and self.headers.get("Authorization") != f"Bearer {faults.wants_token}":
            self._answer(401, b"", {"X-Error-Code": "GatedRepo" if faults.gated else "RepoNotFound"})
        elif path.startswith("/api/models/"):
            repo = "/".join(path.split("/")[3:5])
            if repo in self.state.repos:
                self._answer(200, self.state.listing(repo), {"Content-Type": "application/json"})
            else:
                self._answer(404, b'{"error":"Repository not found"}', {"X-Error-Code": "RepoNotFound"})
        else:
            self._resolve(path)

    def _resolve(self, path: str) -> None:
        owner, name, _, commit, *rest = path[1:].split("/")
        repo, file = f"{owner}/{name}", "/".join(rest)
        content = self.state.repos.get(repo, {}).get(file)
        if content is None or commit != self.state.commit(repo):
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if len(content) < LARGE:
            self._content(f"{repo}/{file}")
            return
        digest = self.state.sum(content)
        told = {"X-Repo-Commit": commit, "X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{digest}"'}
        # another name for the same machine, as the real hub leads to another host
        self._answer(302, b"", told | {"Location": f"http://localhost:{self.state.port}/cdn/{repo}/{file}"})

    def _content(self, where: str) -> None:
        faults = self.state.faults
        owner, name, *rest = where.split("/")
        content = self.state.repos[f"{owner}/{name}"]["/".join(rest)]
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(content):
            self._answer(416, b"")
            return
        start = 0 if faults.ignores_range else start
        if faults.spoiled > 0:
            faults.spoiled -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        body = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        whole = not (faults.cut > 0 or faults.stall > 0)
        for at in range(0, len(body) if whole else len(body) // 2, 16_384):
            piece = body[at : min(at + 16_384, len(body) if whole else len(body) // 2)]
            self.wfile.write(piece)
            self.state.sent += len(piece)
            time.sleep(faults.slow)
        if faults.cut > 0:
            faults.cut -= 1
            self.close_connection = True
        elif faults.stall > 0:
            faults.stall -= 1
            self.wfile.flush()
            time.sleep(3)
            self.close_connection = True

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
