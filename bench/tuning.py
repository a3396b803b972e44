"""What the settings of the pocketsphinx engine are worth: word errors and speed beside the library's own ways.

Each file is heard as a whole, by a decoder that remembers nothing of the one before. Prints a table.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _speech import SPEECH, SYNTHETIC, Item, engine_of, find, samples
from _words import Score, score
from numpy.typing import NDArray
from pocketsphinx import Decoder

from stenod.engines.base import Request
from stenod.options import DecodeOptions

CHUNK = 3200
"""Bytes of a live chunk: 0.1 s."""


READ = (SYNTHETIC, "LJ Speech", "LibriSpeech test-clean", "LibriSpeech test-other")
"""Books read aloud: what the model has some chance with."""


@dataclass(frozen=True, slots=True)
class Result:
    """One file, heard one way."""

    score: Score
    seconds: float
    """Of work."""


@cache
def _decoder(second_pass: bool) -> tuple[Any, str]:
    """A decoder, and the mean cepstrum that it starts with."""
    decoder = Decoder(loglevel="FATAL", fwdflat=second_pass)
    return decoder, decoder.get_cmn(False)


def _library(audio: NDArray[np.float32], *, second_pass: bool, live: bool) -> str:
    decoder, mean = _decoder(second_pass)
    decoder.set_cmn(mean)
    data = np.clip(np.rint(audio * 32767), -32768, 32767).astype("<i2").tobytes()
    decoder.start_utt()
    for start in range(0, len(data), CHUNK if live else len(data)):
        decoder.process_raw(data[start : start + CHUNK] if live else data, full_utt=not live)
    decoder.end_utt()
    said = decoder.hyp()
    return said.hypstr if said else ""


def _stenod(audio: NDArray[np.float32]) -> str:
    text: str = engine_of("pocketsphinx").transcribe([Request(audio, DecodeOptions())])[0].text
    return text


WAYS: dict[str, Callable[[NDArray[np.float32]], str]] = {
    "the library's, the whole file known at once": lambda audio: _library(audio, second_pass=True, live=False),
    "the library's, live": lambda audio: _library(audio, second_pass=True, live=True),
    "the library's, live, without its second pass": lambda audio: _library(audio, second_pass=False, live=True),
    "stenod's, live": _stenod,
}


def hear(path: Path, reference: str) -> list[Result]:
    """One file, all ways."""
    audio = samples(path)
    return [_timed(way, audio, reference) for way in WAYS.values()]


def _timed(way: Callable[[NDArray[np.float32]], str], audio: NDArray[np.float32], reference: str) -> Result:
    way(audio[:1600])  # a decoder is loaded, and that is not counted
    began = time.process_time()
    text = way(audio)
    return Result(score(reference, text), time.process_time() - began)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="the project's own samples only")
    arguments.add_argument("--speech", type=Path, default=SPEECH, help="folder with manifest.json")
    chosen = arguments.parse_args()
    items = [item for item in find(chosen.speech, "quick" if chosen.quick else "short") if item.group in READ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(hear, [item.path for item in items], [item.reference for item in items]))
    print("\n".join(table(items, results)))
    return 0


def table(items: list[Item], results: list[list[Result]]) -> list[str]:
    """A Markdown table, a row for each way."""
    seconds = sum(item.seconds for item in items)
    lines = ["| decoder | word errors | work for a second of audio |", "|---|---|---|"]
    for index, name in enumerate(WAYS):
        mine = [each[index] for each in results]
        rate = sum((one.score for one in mine), Score()).rate
        work = sum(one.seconds for one in mine) / seconds
        lines.append(f"| {name} | {100 * rate:.1f} % | {1000 * work:.0f} ms |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
