"""From the hub into the store: which files, whether there is room, each to its place, and the model at once or not at all.

A model that is being fetched lies in `NAME.part`, which nobody takes for a model, and is continued from there. A folder that
is there already only gains files (a further precision): each by one rename, the manifest last. Everything blocks.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Protocol

from stenod.errors import ModelNotFound, StenodError, Unavailable
from stenod.models import layouts
from stenod.models.catalogue import find
from stenod.models.checkpoint import Checkpoint
from stenod.models.hub import Hub, HubFailed, Line, Listing, Remote
from stenod.models.lock import alone
from stenod.models.manifest import NAME as MANIFEST
from stenod.models.manifest import Kept, Manifest
from stenod.models.store import PART, Store
from stenod.models.transfer import Pace, Transfer

RESERVE: Final = 500_000_000
"""Bytes that are left free on the disk."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is about to be fetched."""

    name: str
    repo: str
    licence: str
    precision: str
    """Empty where there is one form only."""
    files: tuple[Remote, ...]

    @property
    def bytes(self) -> int:
        """All files together."""
        return sum(file.size for file in self.files)


class Watch(Protocol):
    """Who looks on."""

    def waits(self) -> None:
        """Another process pulls this model; this one waits for it."""
        ...

    def begins(self, plan: Plan) -> None:
        """It is known what is to be fetched."""
        ...

    def moved(self, count: int) -> None:
        """So many bytes more are here, or fewer where some were vain."""
        ...


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here now."""

    name: str
    place: Path
    fresh: bool
    """False where it was here already."""
    seconds: float


Accept = Callable[[Path], bool]
"""Whether any engine reads the model in a folder."""


def pull(  # noqa: PLR0913 each a matter of its own, by name
    name: str,
    store: Store,
    hub: Hub,
    watch: Watch,
    *,
    precision: str = "auto",
    pace: Pace | None = None,
    reserve: int = RESERVE,
    accept: Accept | None = None,
) -> Pulled:
    """Bring the model `name` here: one of the catalogue, or any repository `owner/name` whose files an engine reads.

    `accept` is asked about a repository that is not in the catalogue. Raises ModelNotFound, BadRequest, HubFailed, and
    Unavailable (`offline`, `gated`, `checksum`, `disk`, `exists`, `unreadable`), each naming what was wrong.
    """
    began = time.monotonic()
    known = find(name)
    if known is None and "/" not in name:
        raise ModelNotFound(
            f"there is no model {name!r}: `stenod models` lists them, and owner/name means a hub's repository"
        )
    repo = known.repo if known is not None else name
    folder = known.name if known is not None else name.rpartition("/")[2]
    place = _place(store, folder)
    with alone(store.directory, folder, watch.waits):
        held = Manifest.read(place)
        if held is not None and held.repo != repo:
            raise Unavailable(
                f"a model named {folder!r} from {held.repo} is here already; remove it first", code="exists"
            )
        if place.is_dir() and _has(known, held, precision):
            return Pulled(folder, place, fresh=False, seconds=0.0)
        if hub.offline:
            raise Unavailable(
                f"{folder} is not here, and HF_HUB_OFFLINE says to leave the network alone", code="offline"
            )
        pace = pace or Pace()
        part = place.with_name(f"{folder}{PART}")
        with hub.connected() as line:
            listing = _listing(line, repo, held.revision if held is not None else "main", pace)
            plan = _plan(folder, known, precision, listing, held)
            _room(store.directory, plan, part, reserve)
            watch.begins(plan)
            manifest = _fetch(plan, part, Transfer(line, listing, pace, watch.moved), held, listing)
        if known is None and accept is not None and not accept(part):
            shutil.rmtree(part)
            raise Unavailable(f"no engine here reads what {repo} holds; it was deleted", code="unreadable")
        _settle(part, place, manifest)
    return Pulled(folder, place, fresh=True, seconds=time.monotonic() - began)


def _place(store: Store, folder: str) -> Path:
    try:
        return store.path(folder)
    except ValueError:
        raise ModelNotFound(f"a model cannot be named {folder!r}") from None


def _has(known: Checkpoint | None, held: Manifest | None, precision: str) -> bool:
    """Whether a model that is here is what is wanted. What was put there by hand is never added to."""
    if held is None or known is None or not held.precisions or precision == "auto":
        return True
    return known.precision(precision) in held.precisions


def _listing(line: Line, repo: str, revision: str, pace: Pace) -> Listing:
    for attempt in range(pace.attempts):
        try:
            return line.listing(repo, revision)
        except HubFailed as failed:
            if not failed.passing or attempt == pace.attempts - 1:
                raise
            time.sleep(max(failed.wait, min(pace.pause * 2**attempt, pace.longest)))
    raise AssertionError("the last attempt returns or raises")


def _plan(folder: str, known: Checkpoint | None, precision: str, listing: Listing, held: Manifest | None) -> Plan:
    """What to fetch. Raises ModelNotFound where the repository lacks what the model takes."""
    names = [file.path for file in listing.files]
    if known is None:
        wanted: Sequence[str] = layouts.chosen(names, precision)
        if not wanted:
            raise ModelNotFound(f"{listing.repo} holds no model in a layout that is known here")
        licence, form = listing.licence or "not stated", ""
    else:
        patterns = known.patterns(precision)
        missing = [one for one in patterns if not any(sign in one for sign in "*?[") and one not in names]
        wanted = [name for name in names if "/" not in name and any(fnmatchcase(name, one) for one in patterns)]
        if missing or not wanted:
            raise ModelNotFound(f"{listing.repo} holds no {missing[0] if missing else patterns[0]} (any more)")
        licence, form = known.licence, known.precision(precision)
    here = {file.path for file in held.files} if held is not None else set()
    files = tuple(file for file in listing.files if file.path in wanted and file.path not in here)
    return Plan(folder, listing.repo, licence, form, files)


def _room(directory: Path, plan: Plan, part: Path, reserve: int) -> None:
    """Raise Unavailable where the disk has no room for it."""
    arrived = sum(file.stat().st_size for file in part.iterdir() if file.is_file()) if part.is_dir() else 0
    needed = max(plan.bytes - arrived, 0)
    free = shutil.disk_usage(directory).free
    if free < needed + reserve:
        raise Unavailable(
            f"{plan.name} takes {needed / 1e6:,.0f} MB more, and the disk has {free / 1e6:,.0f} MB free,"
            f" of which {reserve / 1e6:,.0f} MB stay free",
            code="disk",
        )


def _fetch(plan: Plan, part: Path, transfer: Transfer, held: Manifest | None, listing: Listing) -> Manifest:
    """All files into the folder `part`, and nothing else in it. The manifest of the model as it will be."""
    part.mkdir(parents=True, exist_ok=True)
    kept = tuple(Kept(file.path, file.size, transfer.fetch(file, part / file.path)) for file in plan.files)
    for leftover in part.iterdir():
        if leftover.name not in {file.path for file in kept}:
            leftover.unlink()
    manifest = Manifest(
        repo=plan.repo,
        revision=listing.commit,
        licence=plan.licence,
        precisions=(plan.precision,) if plan.precision else (),
        files=kept,
    )
    if held is not None:
        manifest = replace(manifest, precisions=held.precisions + manifest.precisions, files=held.files + kept)
    manifest.write(part)
    return manifest


def _settle(part: Path, place: Path, manifest: Manifest) -> None:
    """Give the folder its name, or add its files to the folder that has it: what others refer to first."""
    try:
        if not place.exists():
            part.rename(place)
            return
        for file in sorted(part.iterdir(), key=lambda file: (file.suffix == ".onnx", file.name)):
            if file.name != MANIFEST:
                file.replace(place / file.name)
        manifest.write(place)
        shutil.rmtree(part)
    except OSError as error:
        raise StenodError(f"{place.name} cannot be put into its place: {error.strerror}", code="disk") from None
