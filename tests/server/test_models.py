"""Models as a running server handles them: fetched behind its back, noticed, moved to, and passed over where broken.

The engines are tone readers, so that what they hear is known; the best of them takes the place of a Parakeet and must lie in
the store, and does not load where its vocabulary is spoiled.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import run

from stenod import upkeep
from stenod.engines import fake as tones
from stenod.engines.base import Family, Model
from stenod.engines.registry import Registry
from stenod.models import background
from stenod.models.catalogue import find
from stenod.models.store import Store
from stenod.options import Options
from stenod.settings import Settings
from stenod.upkeep import BEST
from support.hub import LocalHub, local_hub
from support.serving import Running, pcm, said, serving, talk, until, wav

REPO = "istupakov/parakeet-tdt-0.6b-v3-onnx"
FILES = {
    "config.json": b"{}",
    "vocab.txt": b"<blk> 0\n",
    "encoder-model.int8.onnx": bytes(100_000),
    "decoder_joint-model.int8.onnx": bytes(2_000),
}
SPOILED = FILES | {"vocab.txt": b"spoiled"}
BASE = "embedded"


def base(_store: Store) -> list[Model]:
    (model, *_) = tones.FAMILY.models(_store)
    return [replace(model, name=BASE, family="base", quality=10)]


def better(store: Store) -> list[Model]:
    place = store.find(BEST)
    known = find(BEST)
    spoiled = place is not None and (place / "vocab.txt").read_bytes() == b"spoiled"
    (model,) = base(store)
    return [
        replace(
            model,
            name=BEST,
            family="parakeet-onnx",
            installed=place is not None,
            quality=known.quality,
            aliases=known.aliases,
            params=(("nonsense", 1),) if spoiled else (),
        )
    ]


@pytest.fixture
def start(tmp_path, monkeypatch, caplog) -> Callable[..., Any]:
    """Starts a server with these engines whose folder of models is empty and whose hub is the given one."""
    families = [Family("base", base, tones.FAMILY.load), Family("parakeet-onnx", better, tones.FAMILY.load)]
    monkeypatch.setattr(Registry, "installed", classmethod(lambda cls, store: cls(families, store=store)))
    monkeypatch.setattr(upkeep, "LOOK", 0.1)
    monkeypatch.setattr(background, "MARGIN", 0.0)
    monkeypatch.setattr(background, "RESERVE", 0)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    caplog.set_level(logging.INFO, "stenod")

    @contextmanager
    def started(hub: LocalHub, **model: Any) -> Iterator[Running]:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        settings = Settings.model_validate(
            {
                "model": {"name": "auto", "directory": str(tmp_path / "models")} | model,
                "endpointing": {"vad": "energy", "min_silence": 0.4},
            }
        )
        with serving(settings) as running:
            yield running

    return started


def put(place: Path, files: dict[str, bytes]) -> None:
    """As `stenod models pull` does: the folder appears at once."""
    part = place.with_name(f"{place.name}.part")
    part.mkdir(parents=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(place)


def serves(running: Running) -> str:
    """The model that a new session gets."""
    return running.service.recognizer.resolve(Options()).model


def transcribe(running: Running, **form: str) -> httpx.Response:
    return httpx.post(
        f"{running.http}/v1/audio/transcriptions", files={"file": ("a.wav", wav(pcm([3, 1, 4])))}, data=form, timeout=30
    )


def lines(caplog) -> list[str]:
    """What was logged of models."""
    return [record.getMessage() for record in caplog.records if BEST in record.getMessage()]


def test_a_better_model_is_fetched_and_new_sessions_move_to_it(start, caplog) -> None:
    with local_hub({REPO: FILES}, slow=0.2) as hub, start(hub) as running:
        assert serves(running) == BASE
        assert transcribe(running).json()["text"] == said([3, 1, 4])
        until(lambda: hub.sent > 0, 20)
        notes = httpx.get(f"{running.http}/readyz").json().get("notes")
        assert notes == [f"the model {BEST} is being fetched"]
        until(lambda: serves(running) == BEST, 30)
        pools = running.portal.call(running.service.recognizer.snapshot)
        assert BEST in pools  # loaded before anyone was sent there
        assert transcribe(running).json()["text"] == said([3, 1, 4])
        until(lambda: len(lines(caplog)) == 1, 5)
        assert "notes" not in httpx.get(f"{running.http}/readyz").json()
        ids = [card["id"] for card in httpx.get(f"{running.http}/v1/models").json()["data"]]
        assert ids == [BEST, BASE]
    (line,) = lines(caplog)
    assert line.startswith(f"Fetched {BEST} (int8) in ")
    assert line.endswith(" s; new sessions use it")


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        pytest.param({"wants_token": "x"}, "has no istupakov/parakeet-tdt-0.6b-v3-onnx", id="closed"),
        pytest.param({"lies": True}, "its checksum differs", id="lies"),
        pytest.param({"nonsense": True}, "does not answer as a model hub", id="portal"),
    ],
)
def test_what_the_hub_does_not_give_is_said_once(start, caplog, faults, reason) -> None:
    with local_hub({REPO: FILES}, **faults) as hub, start(hub) as running:
        until(lambda: bool(lines(caplog)), 30)
        assert serves(running) == BASE
        assert transcribe(running).status_code == 200
    (line,) = lines(caplog)
    assert line.startswith(f"Stays with {BASE}, without {BEST}: ")
    assert reason in line


@pytest.mark.parametrize(("model", "environ"), [({"fetch": "never"}, "0"), ({}, "1"), ({"name": BASE}, "0")])
def test_the_network_is_left_alone(start, caplog, monkeypatch, model, environ) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", environ)
    with local_hub({REPO: FILES}) as hub, start(hub, **model) as running:
        assert transcribe(running).status_code == 200
        assert hub.asked == []
    assert lines(caplog) == []


def test_no_room_in_the_memory(start, caplog, monkeypatch) -> None:
    monkeypatch.setattr(background, "MARGIN", 1e9)
    with local_hub({REPO: FILES}) as hub, start(hub):
        until(lambda: bool(lines(caplog)), 20)
        assert hub.asked == []
    (line,) = lines(caplog)
    assert "it would want" in line


def test_a_model_that_does_not_load_is_passed_over(start, caplog, tmp_path) -> None:
    put(tmp_path / "models" / BEST, SPOILED)
    with local_hub({}) as hub, start(hub) as running:
        ready = httpx.get(f"{running.http}/readyz")
        assert ready.status_code == 200
        (note,) = ready.json()["notes"]
        assert note.startswith(f"the model {BEST} cannot be loaded: ")
        assert str(tmp_path) not in note
        assert serves(running) == BASE
        assert transcribe(running).json()["text"] == said([3, 1, 4])
        assert transcribe(running, model="parakeet").status_code == 200
        refused = transcribe(running, model=BEST)
        assert refused.status_code == 503
        assert "cannot be loaded" in refused.json()["error"]["message"]
        mended = tmp_path / "models" / BEST
        mended.rename(mended.with_suffix(".gone.part"))
        put(mended, FILES)
        until(lambda: serves(running) == BEST, 20)
        assert transcribe(running).json()["text"] == said([3, 1, 4])
        assert "notes" not in httpx.get(f"{running.http}/readyz").json()
    assert len(lines(caplog)) == 1


def test_a_spoiled_model_that_was_fetched_is_passed_over(start, caplog) -> None:
    with local_hub({REPO: SPOILED}) as hub, start(hub) as running:
        until(lambda: bool(lines(caplog)), 30)
        assert serves(running) == BASE
        assert transcribe(running).json()["text"] == said([3, 1, 4])
        assert httpx.get(f"{running.http}/readyz").status_code == 200
    assert "cannot be loaded" in lines(caplog)[0]


def test_a_checkpoint_that_is_not_here_is_refused_with_the_command_that_gets_it(start, tmp_path) -> None:
    command = f"`stenod models pull {BEST}`"
    with local_hub({}) as hub, start(hub, fetch="never") as running:
        refused = transcribe(running, model=BEST)
        assert refused.status_code == 404
        assert refused.json()["error"]["code"] == "model_not_found"
        assert command in refused.json()["error"]["message"]
        unknown = httpx.get(f"{running.http}/v1/models/{BEST}")
        assert unknown.status_code == 404
        assert command in unknown.json()["error"]["message"]
        assert httpx.get(f"{running.http}/v1/models/parakeet").status_code == 404
        assert httpx.get(f"{running.http}/v1/models/auto").json()["id"] == BASE
        heard = run(partial(talk, f"{running.ws}/ws?model={BEST}", ['{"type": "end"}']))
        (frame, *_) = [frame for frame in heard.frames if "code" in frame]
        assert frame["code"] == "model_not_found"
        assert command in frame["message"]
        put(tmp_path / "models" / BEST, FILES)  # a pull beside the running server
        until(lambda: transcribe(running, model=BEST).status_code == 200, 20)
        until(lambda: serves(running) == BEST, 20)
