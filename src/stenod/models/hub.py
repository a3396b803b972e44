"""The model hub over HTTP: what a repository holds, and the bytes of one file. Asks once, and writes nothing.

Speaks the part of the Hugging Face hub's interface that mirrors have too: `/api/models/OWNER/NAME/revision/main?blobs=true`
for the list, `/OWNER/NAME/resolve/COMMIT/PATH` for a file. `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they
mean to the hub's own client. That client is not used: it checks no checksum of what it fetched, takes its endpoint and time
limits from the environment once at its import, and brings twenty megabytes with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from stenod.errors import ModelNotFound, Unavailable

if TYPE_CHECKING:
    import httpx  # imported where it is used: the list of models has no need of it

ENDPOINT: Final = "https://huggingface.co"
_REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which it is worth asking again."""


class HubFailed(Unavailable):
    """The hub was not reached, broke off, or is not well; `passing` where asking again may help, after `wait` seconds."""

    code = "hub_failed"

    def __init__(self, message: str, *, passing: bool = True, wait: float = 0.0) -> None:
        super().__init__(message)
        self.passing = passing
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Remote:
    """A file of a repository. One of the checksums is known: `sha256` of large files, `oid` (git's) of the others."""

    path: str
    size: int
    """Bytes."""
    sha256: str | None = None
    oid: str | None = None

    @property
    def checksum(self) -> str:
        """Whichever is known; empty where the hub told none."""
        return self.sha256 or self.oid or ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds at one commit."""

    repo: str
    commit: str
    licence: str
    """As its author wrote it; empty where it is not said."""
    files: tuple[Remote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """One hub. `patience` is how many seconds it may take to connect, and to send anything."""

    endpoint: str = ENDPOINT
    token: str | None = None
    offline: bool = False
    patience: float = 20.0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Hub:
        """The hub that the environment means."""
        return cls(
            endpoint=environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT,
            token=environ.get("HF_TOKEN") or None,
            offline=environ.get("HF_HUB_OFFLINE", "").strip().upper() in {"1", "ON", "YES", "TRUE"},
        )

    @property
    def host(self) -> str:
        """Who is asked, for people."""
        return urlsplit(self.endpoint).netloc or self.endpoint

    @contextmanager
    def connected(self) -> Iterator[Line]:
        """A line to the hub, for as long as the block lasts. Asks nothing yet. Raises HubFailed where it is offline."""
        if self.offline:
            raise HubFailed("offline: HF_HUB_OFFLINE says to leave the network alone", passing=False)
        import httpx  # noqa: PLC0415 where it is used

        headers = {"User-Agent": "stenod", "Accept-Encoding": "identity"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        with httpx.Client(follow_redirects=True, timeout=self.patience, headers=headers) as client:
            yield Line(self, client)


class Line:
    """Asks one hub. A redirection to another host carries no token."""

    def __init__(self, hub: Hub, client: httpx.Client) -> None:
        self.hub = hub
        self._client = client

    def listing(self, repo: str, revision: str = "main") -> Listing:
        """What `repo` holds. Raises ModelNotFound, HubFailed."""
        if not _REPO.fullmatch(repo):
            raise ModelNotFound(f"{repo[:80]!r} is no repository's name: that is owner/name")
        url = f"{self.hub.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"
        with self._asked(url, repo) as response:
            try:
                response.read()
                told = response.json()
                return Listing(repo, str(told["sha"]), _licence(told), tuple(map(_remote, told["siblings"])))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise HubFailed(f"{self.hub.host} does not answer as a model hub does", passing=False) from None

    @contextmanager
    def content(self, listing: Listing, path: str, start: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """The bytes of a file from `start` on: where they begin (`start`, or 0), and themselves. Raises as `listing`."""
        url = f"{self.hub.endpoint}/{listing.repo}/resolve/{listing.commit}/{quote(path)}"
        with self._asked(url, listing.repo, {"Range": f"bytes={start}-"} if start else {}) as response:
            begins = start if response.status_code == 206 else 0
            yield begins, self._bytes(response)

    def _bytes(self, response: httpx.Response) -> Iterator[bytes]:
        with self._told():
            yield from response.iter_raw()

    @contextmanager
    def _asked(self, url: str, repo: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """An answer that is well."""
        with self._told(), self._client.stream("GET", url, headers=headers) as response:
            self._check(response, repo)
            yield response

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever goes wrong on the line, in a sentence."""
        import httpx  # noqa: PLC0415 where it is used

        try:
            yield
        except httpx.TimeoutException:
            raise HubFailed(f"{self.hub.host} sent nothing for {self.hub.patience:g} s") from None
        except httpx.ConnectError as error:
            raise HubFailed(f"{self.hub.host} cannot be reached ({error})") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects):
            raise HubFailed(f"{self.hub.endpoint} is no address of a hub: see HF_ENDPOINT", passing=False) from None
        except httpx.TransportError:
            raise HubFailed(f"the connection to {self.hub.host} broke") from None

    def _check(self, response: httpx.Response, repo: str) -> None:
        status = response.status_code
        if status in {200, 206}:
            return
        problem = response.headers.get("X-Error-Code", "")
        if problem == "GatedRepo":
            raise Unavailable(
                f"{repo} is open only to those who accepted its terms: do so on {self.hub.host}, and set HF_TOKEN",
                code="gated",
            )
        if status == 401 and self.hub.token is not None and problem != "RepoNotFound":
            raise Unavailable(f"{self.hub.host} does not accept the token in HF_TOKEN", code="gated")
        if status in {401, 403, 404}:  # the hub does not tell strangers whether a private repository is there
            raise ModelNotFound(f"{self.hub.host} has no {repo}, or shows it only to some: those set HF_TOKEN")
        passing = status in _PASSING
        wait = response.headers.get("Retry-After", "")
        raise HubFailed(
            f"{self.hub.host} answered with status {status}",
            passing=passing,
            wait=min(float(wait), 120.0) if wait.isdigit() else 0.0,
        )


def _remote(told: Mapping[str, Any]) -> Remote:
    large = told.get("lfs")
    if large:
        return Remote(str(told["rfilename"]), int(large["size"]), sha256=str(large["sha256"]))
    return Remote(str(told["rfilename"]), int(told["size"]), oid=told.get("blobId"))


def _licence(told: Mapping[str, Any]) -> str:
    card = told.get("cardData") or {}
    said = card.get("license_name") or card.get("license") or ""
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)
