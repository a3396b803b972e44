"""Live translation, and what takes the place of missing models: a real server with a tiny Canary or a tiny Whisper."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from conftest import missing
from stenod.engines.base import LoadOptions, Request
from stenod.engines.canary import FAMILY
from stenod.options import DecodeOptions
from stenod.settings import Settings
from support import tiny_canary, tiny_whisper
from support.serving import Running, serving, talk, wav

pytestmark = pytest.mark.anyio

NOISE = (0.1 * np.random.default_rng(7).standard_normal(32_000)).astype(np.float32)
"""Two seconds, in which random weights read something."""

WISHES: list[tuple[dict[str, str], DecodeOptions]] = [
    ({"language": "en"}, DecodeOptions(language="en")),
    ({"language": "de", "task": "translate"}, DecodeOptions(language="de", task="translate")),
    (
        {"language": "en", "task": "translate", "target_language": "fr"},
        DecodeOptions(language="en", task="translate", target_language="fr"),
    ),
    ({"language": "en", "target_language": "es"}, DecodeOptions(task="translate", target_language="es")),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("onnx") is None:
        missing("onnx (pip install onnx), which writes the tiny model")
    place = tmp_path_factory.mktemp("models")
    tiny_canary.make(place / "canary-tiny-random")
    return place


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Running]:
    settings = {"name": "canary-tiny-random", "directory": str(models), "fetch": "never", "device": "cpu"}
    with serving(Settings.model_validate({"model": settings, "endpointing": {"vad": "energy"}})) as running:
        yield running


def expected(models: Path, options: DecodeOptions) -> str:
    assert FAMILY.adopt is not None
    model = FAMILY.adopt(models / "canary-tiny-random")
    assert model is not None
    (found,) = FAMILY.load(model, LoadOptions(device="cpu")).transcribe([Request(NOISE, options)])
    return found.text


def audio(samples: np.ndarray = NOISE) -> str:
    return json.dumps({"type": "audio", "data": base64.b64encode(samples.tobytes()).decode()})


async def spoken(server: Running, door: str, **told: Any) -> list[dict[str, Any]]:
    config = json.dumps({"type": "config", "chunk_duration": 30, "enable_partial": False} | told)
    heard = await talk(server.ws + door, [config, audio(), '{"type":"commit"}', '{"type":"stop"}'])
    return heard.frames


def whole(frames: list[dict[str, Any]]) -> str:
    """The answer to the commit."""
    return str(next(frame["text"] for frame in frames if frame["type"] == "full_transcript"))


DOORS = ("/api/v1/audio/stream/transcribe", "/core/parakeet/stream")


def test_the_wishes_differ(models: Path) -> None:
    assert len({expected(models, options) for _, options in WISHES}) == len(WISHES)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("told", "options"), WISHES, ids=lambda value: str(value)[:40] if isinstance(value, dict) else ""
)
async def test_a_live_session_is_translated(
    server: Running, models: Path, door: str, told: dict[str, str], options: DecodeOptions
) -> None:
    frames = await spoken(server, door, model="canary", **told)
    assert whole(frames) == expected(models, options)
    assert not [frame for frame in frames if frame["type"] in {"warning", "error"}]


async def test_a_pair_that_the_model_does_not_do_is_told(server: Running) -> None:
    frames = await spoken(server, DOORS[0], model="canary", language="de", task="translate", target_language="fr")
    (error,) = [frame for frame in frames if frame["type"] == "error"]
    assert error["code"] == "unsupported_language"
    assert "from en to de, es, fr and from them to en, not from de to fr" in error["message"]


@pytest.mark.parametrize(
    ("told", "options"), WISHES, ids=lambda value: str(value)[:40] if isinstance(value, dict) else ""
)
def test_a_file_is_translated(server: Running, told: dict[str, str], options: DecodeOptions, models: Path) -> None:
    data = (NOISE * 32767).astype("<i2")
    answer = httpx.post(
        f"{server.http}/v1/audio/transcriptions",
        data={"model": "canary", "response_format": "verbose_json", "should_chunk": "false"} | told,
        files={"file": ("noise.wav", wav(data.tobytes()))},
        timeout=30,
    ).json()
    assert answer["task"] == options.task
    target = (options.target_language or "en") if options.task == "translate" else (options.language or "en")
    assert answer["language"] == {"en": "english", "fr": "french", "es": "spanish"}[target]
    assert answer["text"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ({"model": "parakeet", "variant": "standard"}, "parakeet"),
        ({"model": "whisper"}, "whisper"),
        ({"model": "whisper", "whisper_model_size": "distil-large-v3"}, "whisper-distil-large-v3"),
        ({"model": "canary-1b-v2"}, "canary-1b-v2"),
    ],
)
async def test_what_takes_the_place_of_a_missing_model_is_told(
    server: Running, door: str, told: dict[str, str], asked: str
) -> None:
    frames = await spoken(server, door, **told)
    (warning,) = [frame for frame in frames if frame["type"] == "warning"]
    assert (warning["fallback"], warning["original_model"]) == (True, asked)
    assert warning["active_model"] == "canary-tiny-random"
    assert whole(frames)


def test_a_checkpoint_that_is_not_installed_is_not_found(server: Running) -> None:
    answer = httpx.post(
        f"{server.http}/v1/audio/transcriptions",
        data={"model": "canary-1b-v2"},
        files={"file": ("noise.wav", wav(bytes(3200)))},
        timeout=30,
    )
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "stenod models pull canary-1b-v2" in answer.json()["error"]["message"]


async def test_nor_is_it_live(server: Running) -> None:
    heard = await talk(f"{server.ws}/ws?model=canary-1b-v2", [b"\0" * 3200])
    (error,) = heard.of("error")
    assert error["code"] == "model_not_found"
    assert "stenod models pull canary-1b-v2" in error["message"]


@pytest.fixture(scope="module")
def whispering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if find_spec("faster_whisper") is None:
        missing("faster-whisper (pip install 'stenod[whisper]')")
    place = tiny_whisper.make(tmp_path_factory.mktemp("whispers") / "whisper-tiny-random")
    sure = "log_prob_threshold=-99&compression_ratio_threshold=99"  # no second attempts
    settings = {"name": f"{place}?{sure}", "directory": str(place.parent), "fetch": "never", "device": "cpu"}
    with serving(Settings.model_validate({"model": settings, "endpointing": {"vad": "energy"}})) as running:
        yield running


async def test_whisper_translates_into_english_alone(whispering: Running) -> None:
    texts = {
        told["task"]: whole(await spoken(whispering, DOORS[0], language="de", **told))
        for told in ({"task": "transcribe"}, {"task": "translate"})
    }
    assert texts["transcribe"] != texts["translate"]
    frames = await spoken(whispering, DOORS[0], language="en", target_language="de")
    (error,) = [frame for frame in frames if frame["type"] == "error"]
    assert error["code"] == "unsupported_language"
    assert "translates into en, not 'de'" in error["message"]
