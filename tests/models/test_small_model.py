"""The small model through real servers: in every form, as a file and in every live dialect, it gives the words."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import httpx
import numpy as np
import pytest
from _speech import samples as recorded
from _words import Score, score, words

from conftest import needs
from stenod.cli.dialect import Wish
from stenod.cli.dialects import DIALECTS, Name
from stenod.cli.streaming import stream
from stenod.jobs import Samples
from stenod.options import RATE
from stenod.settings import Settings
from support import small_model
from support.serving import Running, serving
from support.small_model import SMALL, Spoken

HELD_OUT = ("clean", "speed", "noise", "both")
"""Phrases that the training did not hear: at speeds, and in noise, that it did not hear either."""

WRONG = 0.08
"""Largest share of words that may be wrong."""

LATE = 0.12
"""Seconds by which a word's beginning and end may differ from the synthesiser's on average."""

TAIL = np.zeros(RATE, np.float32)
"""Silence after a phrase, so that the detector ends it."""


def _archive(folder: Path) -> Path:
    return small_model.nemo(folder / "small.nemo").parent


FORMS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "onnx": (lambda _: SMALL, ()),
    "int8": (small_model.int8, ()),
    "nemo": (_archive, ("torch", "nemo")),
    "mlx": (small_model.mlx, ("mlx", "parakeet_mlx")),
}
"""How each form is made, and the packages it is for."""


@dataclass(frozen=True)
class Serving:
    form: str
    running: Running


@pytest.fixture(scope="module", params=FORMS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    make, packages = FORMS[request.param]
    needs(*packages)
    folder = tmp_path_factory.mktemp("models") / f"small-{request.param}"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the toolkits' dependencies deprecate each other
        place = make(folder)
    settings = Settings.model_validate({"model": {"name": str(place), "fetch": "never", "precision": "auto"}})
    with serving(settings, patience=120) as running:
        yield Serving(request.param, running)


def transcribe(server: Serving, take: Spoken) -> dict[str, object]:
    answer = httpx.post(
        f"{server.running.http}/v1/audio/transcriptions",
        files={"file": ("take.wav", take.wav)},
        data={"response_format": "verbose_json", "timestamp_granularities[]": "word"},
        timeout=60,
    )
    body: dict[str, object] = answer.raise_for_status().json()
    return body


def off(take: Spoken, heard: list[dict[str, object]]) -> list[float]:
    """How far the times of each word are from the synthesiser's, seconds; nothing where the words are others."""
    if [str(word["word"]) for word in heard] != [text for text, _, _ in take.words]:
        return []
    return [
        abs(float(str(word[edge])) - moment)
        for word, (_, start, end) in zip(heard, take.words, strict=True)
        for edge, moment in (("start", start), ("end", end))
    ]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_files(server: Serving) -> None:
    total, distances = Score(), list[float]()
    for take in small_model.speech(*HELD_OUT):
        heard = transcribe(server, take)
        total += score(take.text, str(heard["text"]))
        listed = heard["words"]
        assert isinstance(listed, list)
        distances += off(take, listed)
    assert total.rate <= WRONG, total
    assert len(distances) > total.words  # most phrases are right to the word, and each word has two times
    assert fmean(distances) <= LATE
    assert np.percentile(distances, 90) <= LATE


def spoken(folder: Path) -> list[tuple[str, Samples]]:
    """What is said, and its sound: held-out phrases, some at speeds that the model never heard, and the project's samples.

    None in noise: there the voice activity detector, not the model, loses words.
    """
    takes = [(take.text, take.samples) for take in small_model.speech("clean", "speed")]
    described = json.loads((folder / "manifest.json").read_text())
    return takes + [(one["text"], recorded(folder / one["file"])) for one in described]


async def chunks(sound: Samples) -> AsyncGenerator[Samples]:
    whole = np.concatenate([sound, TAIL])
    for start in range(0, len(whole), RATE // 10):
        yield whole[start : start + RATE // 10]


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("kind", list(Name))
async def test_live(server: Serving, kind: Name, samples: Path) -> None:
    """All at once, so that they share batches."""
    takes = spoken(samples)

    async def hear(sound: Samples) -> str:
        dialect = DIALECTS[kind](Wish())
        heard = await stream(f"{server.running.ws}{dialect.path}", dialect, chunks(sound), pace=2, tell=lambda _: None)
        assert heard.of("error") == []
        return " ".join(one.said.text for one in heard.of("final") if one.said.text)

    texts = await asyncio.gather(*(hear(sound) for _, sound in takes))
    total = sum((score(said, text) for (said, _), text in zip(takes, texts, strict=True)), Score())
    assert all(map(words, texts))
    assert total.rate <= WRONG, list(zip([said for said, _ in takes], texts, strict=True))
