"""One file from the hub to its place: continued where it was cut, tried again so many times, checked to the last bit.

What has not arrived whole lies beside its place under a name that holds its checksum: it is only continued as what it is.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stenod.errors import Unavailable
from stenod.models.hub import HubFailed, Line, Listing, Remote

_BLOCK: Final = 1 << 20
_PROGRESS: Final = 1 << 20
"""Bytes that an attempt must bring to count as one that went on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long and how fast. Seconds, and bytes per second."""

    attempts: int = 6
    """Attempts in a row that bring next to nothing, before it is given up."""
    pause: float = 1.0
    """Before the second attempt; doubled before each further one, up to `longest`."""
    longest: float = 30.0
    stall: float = 30.0
    """A stretch of this length must bring at least `trickle` bytes a second."""
    trickle: float = 1000.0
    rate: float | None = None
    """At most so fast; None: as fast as it comes."""


class Transfer:
    """Fetches files of one listing. `moved` is called with the bytes that came; fewer than none: some were vain."""

    def __init__(self, line: Line, listing: Listing, pace: Pace, moved: Callable[[int], None]) -> None:
        self._line = line
        self._host = line.hub.host
        self._listing = listing
        self._pace = pace
        self._moved = moved

    def fetch(self, remote: Remote, place: Path) -> str:
        """Put `remote` at `place` and give its SHA-256. Raises ModelNotFound, HubFailed, and Unavailable."""
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():  # whole, from an earlier time: of this content or of another
            digest = _Digest(remote, place)
            if digest.fits(place.stat().st_size):
                self._moved(remote.size)
                return digest.sha256
            place.unlink()
        part = place.with_name(f"{place.name}.{remote.checksum[:16]}")
        kept = part.stat().st_size if part.exists() else 0
        self._moved(kept)
        self._fill(remote, part)
        digest = _Digest(remote, part)
        if kept and not digest.fits(part.stat().st_size):  # what lay there was no good: once more from the beginning
            self._discard(part)
            self._fill(remote, part)
            digest = _Digest(remote, part)
        if not digest.fits(part.stat().st_size):
            self._discard(part)
            raise Unavailable(
                f"{remote.path} is not what {self._host} says it is (its checksum differs) and was deleted",
                code="checksum",
            )
        with part.open("rb") as file:
            os.fsync(file.fileno())  # the name it gets says that it is whole, also after the power failed
        part.replace(place)
        return digest.sha256

    def _fill(self, remote: Remote, part: Path) -> None:
        """Attempts until everything is there."""
        part.touch()
        vain = 0
        while (had := part.stat().st_size) != remote.size:
            if had > remote.size:
                self._discard(part)
                part.touch()
            try:
                self._attempt(remote, part)
                failed = HubFailed(f"{self._host} ended {remote.path} before its end")
            except HubFailed as error:
                failed = error
            except OSError as error:
                raise Unavailable(f"{remote.path} cannot be written: {error.strerror}", code="disk") from None
            if part.stat().st_size == remote.size:
                return
            vain = 0 if part.stat().st_size - had >= _PROGRESS else vain + 1
            if not failed.passing or vain >= self._pace.attempts:
                raise failed
            time.sleep(max(failed.wait, min(self._pace.pause * 2 ** max(vain - 1, 0), self._pace.longest)))

    def _attempt(self, remote: Remote, part: Path) -> None:
        start = part.stat().st_size
        with self._line.content(self._listing, remote.path, start) as (begins, content), part.open("r+b") as file:
            file.seek(begins)
            file.truncate()
            self._moved(begins - start)
            for data in self._paced(content):
                file.write(data)
                self._moved(len(data))
                if file.tell() > remote.size:
                    raise HubFailed(f"{remote.path} is longer than {self._host} says", passing=False)

    def _paced(self, content: Iterator[bytes]) -> Iterator[bytes]:
        """Not faster than allowed; raises HubFailed where next to nothing comes."""
        pace = self._pace
        began = mark = time.monotonic()
        total = since = 0
        for data in content:
            yield data
            total += len(data)
            since += len(data)
            now = time.monotonic()
            if now - mark >= pace.stall:
                if since < pace.trickle * pace.stall:
                    raise HubFailed(f"{self._host} sends next to nothing")
                mark, since = now, 0
            if pace.rate is not None:
                time.sleep(max(0.0, total / pace.rate - (now - began)))

    def _discard(self, part: Path) -> None:
        self._moved(-part.stat().st_size)
        part.unlink()


class _Digest:
    """Both checksums of a file on disk."""

    def __init__(self, remote: Remote, place: Path) -> None:
        self._remote = remote
        large, small = hashlib.sha256(), hashlib.sha1(usedforsecurity=False)
        small.update(f"blob {place.stat().st_size}\0".encode())
        with place.open("rb") as file:
            while block := file.read(_BLOCK):
                large.update(block)
                if remote.oid is not None:
                    small.update(block)
        self.sha256 = large.hexdigest()
        self._oid = small.hexdigest()

    def fits(self, size: int) -> bool:
        """Whether it is what the hub said."""
        remote = self._remote
        if size != remote.size:
            return False
        if remote.sha256 is not None:
            return self.sha256 == remote.sha256
        return remote.oid is None or self._oid == remote.oid
