"""Speech to measure with, and the engine itself, without a server.

`samples/`, and a folder with a `manifest.json` (STENOD_TEST_SPEECH): of that, each English file whose reference is official.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stenod.audio.convert import Converter
from stenod.audio.files import open_audio
from stenod.engines.base import LoadOptions
from stenod.engines.registry import Registry

REPOSITORY = Path(__file__).resolve().parent.parent
SAMPLES = REPOSITORY / "samples"
SPEECH = Path(os.environ.get("STENOD_TEST_SPEECH", REPOSITORY.parent / "shared" / "speech"))
SYNTHETIC = "samples (synthetic)"

OFFICIAL = ("from repo", "published text")
"""Qualities of references that were not made by a recogniser or by hand afterwards."""

_LABEL = re.compile(r"\[\w+\]")
"""`[1688]`: who speaks, in references of dialogues."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file with what is said in it."""

    group: str
    path: Path
    reference: str
    seconds: float

    @property
    def synthetic(self) -> bool:
        """Whether it is one of the project's own samples."""
        return self.group == SYNTHETIC


def find(speech: Path, how_many: Literal["quick", "short", "all"]) -> list[Item]:
    """The items, those of a group together: the project's own samples, about eight minutes, or everything there is."""
    described = json.loads((SAMPLES / "manifest.json").read_text())
    found = [Item(SYNTHETIC, SAMPLES / one["file"], one["text"], one["seconds"]) for one in described]
    if how_many == "quick":
        return found
    if not (speech / "manifest.json").is_file():
        print(f"No recorded speech at {speech}: the project's own samples only.")
        return found
    for one in json.loads((speech / "manifest.json").read_text()):
        raw = one["file"].endswith(".raw")  # its format is nowhere to be read
        if one["language"] == "en" and one["reference_quality"] in OFFICIAL and not raw:
            reference = _LABEL.sub(" ", one["reference"])
            found.append(Item(_group(one), speech / one["file"], reference, one["duration_s"]))
    found.sort(key=lambda item: item.group)
    return found if how_many == "all" else [item for item in found if _in_short_run(item)]


def _group(described: dict[str, Any]) -> str:
    folder = described["file"].partition("/")[0]
    named = _FOLDERS.get(folder)
    if named is None or (folder == "short" and "wer-core" in described["tags"]):
        return "speeches and readings" if "wer-core" in described["tags"] else "other formats"
    return named


_FOLDERS = {
    "constructed": "chapters and dialogues",
    "ljspeech": "LJ Speech",
    "ls_misc": "LibriSpeech test-clean",
    "ls_test_other": "LibriSpeech test-other",
    "multilingual": "short phrases",
    "short": "short phrases",
    "spontaneous": "spontaneous speech",
}


def _in_short_run(item: Item) -> bool:
    match item.group:
        case "LibriSpeech test-other":
            return item.path.stem[-4:] < "0003"
        case "LJ Speech":
            return item.path.suffix == ".wav" and "LJ001-0001" <= item.path.stem <= "LJ001-0012"
        case "chapters and dialogues" | "other formats":
            return False
        case _:
            return True


def samples(path: Path) -> NDArray[np.float32]:
    """A file as the server hears it: mono, 16 kHz, shape (samples,)."""
    with open_audio(path) as reader:
        converter = Converter(reader.format)
        parts = [converter.convert(chunk)[0] for chunk in reader.chunks()]
        return np.concatenate([*parts, converter.flush()[0]])


@cache
def engine_of(model: str) -> Any:
    """The engine, loaded once a process."""
    registry = Registry.installed()
    described = registry.configure(model)
    return registry.family(described).load(described, LoadOptions())
