"""Out of the store: a model vanishes at once, and its files after it. What an engine has open it keeps until it ends."""

from __future__ import annotations

import shutil

from stenod.errors import ModelNotFound, Unavailable
from stenod.models.catalogue import find
from stenod.models.lock import alone
from stenod.models.store import PART, Store


def remove(name: str, store: Store) -> int:
    """Delete the model `name`, or the part of it that is here. The bytes that freed. Raises ModelNotFound, Unavailable."""
    known = find(name)
    folder = known.name if known is not None else name.rpartition("/")[2]
    try:
        place = store.path(folder)
    except ValueError:
        raise ModelNotFound(f"there is no model {name!r} here") from None
    part = place.with_name(f"{folder}{PART}")
    if not place.is_dir() and not part.is_dir():
        raise ModelNotFound(f"the model {folder!r} is not here")
    with alone(store.directory, folder, waits=lambda: None):
        freed = 0
        for doomed in (place, part):
            if doomed.is_dir():
                freed += sum(file.stat().st_size for file in doomed.rglob("*") if file.is_file())
                gone = place.with_name(f".{folder}.gone{PART}")
                try:
                    doomed.rename(gone)
                    shutil.rmtree(gone)
                except OSError as error:
                    raise Unavailable(f"{folder} cannot be deleted: {error.strerror}", code="disk") from None
    return freed
