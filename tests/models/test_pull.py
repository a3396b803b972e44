"""Pulls from a hub that misbehaves: what arrives, what is said, and what is left behind."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from stenod.errors import BadRequest, ModelNotFound, Unavailable
from stenod.models import pull as pulling
from stenod.models.catalogue import CHECKPOINTS
from stenod.models.hub import Hub, HubFailed
from stenod.models.manifest import Manifest
from stenod.models.pull import Plan, pull
from stenod.models.store import Store
from stenod.models.transfer import Pace
from support.hub import LocalHub, local_hub

NAME = "parakeet-tdt-0.6b-v3"
REPO = "istupakov/parakeet-tdt-0.6b-v3-onnx"
BYTES = random.Random(0).randbytes
FILES = {
    "README.md": b"# A model\n",
    "config.json": b'{"model_type": "nemo-conformer-tdt"}',
    "vocab.txt": b"<unk> 0\n<blk> 1\n",
    "encoder-model.onnx": BYTES(30_000),
    "encoder-model.onnx.data": BYTES(600_000),
    "decoder_joint-model.onnx": BYTES(50_000),
    "encoder-model.int8.onnx": BYTES(200_000),
    "decoder_joint-model.int8.onnx": BYTES(20_000),
    "tests/sample.wav": BYTES(5_000),
}
FP32 = {"config.json", "vocab.txt", "encoder-model.onnx", "encoder-model.onnx.data", "decoder_joint-model.onnx"}
INT8 = {"config.json", "vocab.txt", "encoder-model.int8.onnx", "decoder_joint-model.int8.onnx"}
REPOS = {REPO: FILES}
QUICK = Pace(attempts=3, pause=0.01, longest=0.02, stall=0.3)


class Watched:
    """Who looks on, and remembers."""

    def __init__(self) -> None:
        self.waited = False
        self.plan: Plan | None = None
        self.bytes = 0

    def waits(self) -> None:
        self.waited = True

    def begins(self, plan: Plan) -> None:
        self.plan = plan

    def moved(self, count: int) -> None:
        self.bytes += count


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "models")


def hub_of(local: LocalHub, **changes) -> Hub:
    return replace(Hub(endpoint=local.endpoint, patience=1.0), **changes)


def whole(place: Path, names: set[str]) -> None:
    """The folder holds these files, each as the hub has it, and a manifest that says so."""
    assert {file.name for file in place.iterdir()} == names | {"stenod.json"}
    manifest = Manifest.read(place)
    assert manifest is not None
    assert {file.path: (file.size, file.sha256) for file in manifest.files} == {
        name: (len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest()) for name in names
    }
    for name in names:
        assert (place / name).read_bytes() == FILES[name]


@pytest.mark.parametrize(
    ("faults", "requests"),
    [
        pytest.param({}, 9, id="nothing"),
        pytest.param({"cut": 1}, 10, id="cut once"),
        pytest.param({"cut": 2}, 11, id="cut twice"),
        pytest.param({"stall": 1}, 10, id="stalls"),
        pytest.param({"broken": 2}, 11, id="status 500, twice"),
        pytest.param({"busy": 2}, 11, id="status 429, twice"),
        pytest.param({"cut": 1, "ignores_range": True}, 10, id="cut, and ranges are not served"),
    ],
)
def test_passing_faults_change_nothing(store, faults, requests) -> None:
    with local_hub(REPOS, **faults) as local:
        watched = Watched()
        pulled = pull(NAME, store, hub_of(local), watched, pace=QUICK)
        whole(pulled.place, FP32)
        assert (pulled.name, pulled.fresh) == (NAME, True)
        assert len([path for path in local.asked if "/resolve/" in path or "/api/" in path]) <= requests
        assert watched.plan is not None
        assert watched.bytes == watched.plan.bytes == sum(len(FILES[name]) for name in FP32)
    assert sorted(place.name for place in store.directory.iterdir()) == [f".{NAME}.lock", NAME]
    assert Manifest.read(pulled.place).licence == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("faults", "changes", "told"),
    [
        pytest.param({"cut": 99}, {}, (HubFailed, "hub_failed", "the connection to 127.0.0.1"), id="always cut"),
        pytest.param({"stall": 99}, {}, (HubFailed, "hub_failed", "sent nothing for 1 s"), id="always stalls"),
        pytest.param({"broken": 99}, {}, (HubFailed, "hub_failed", "status 500"), id="always 500"),
        pytest.param({"spoiled": 99}, {}, (Unavailable, "checksum", ".json is not what 127.0.0.1"), id="spoiled"),
        pytest.param({"lies": True}, {}, (Unavailable, "checksum", "its checksum differs) and was deleted"), id="lies"),
        pytest.param({"nonsense": True}, {}, (HubFailed, "hub_failed", "does not answer as a model hub"), id="portal"),
        pytest.param({"wants_token": "x"}, {}, (ModelNotFound, "model_not_found", "set HF_TOKEN"), id="private"),
        pytest.param({"wants_token": "x", "gated": True}, {}, (Unavailable, "gated", "accepted its terms"), id="gated"),
        pytest.param({}, {"offline": True}, (Unavailable, "offline", "HF_HUB_OFFLINE"), id="offline"),
        pytest.param(
            {}, {"endpoint": "http://127.0.0.1:1"}, (HubFailed, "hub_failed", "cannot be reached"), id="no network"
        ),
        pytest.param({}, {"endpoint": "mirror"}, (HubFailed, "hub_failed", "see HF_ENDPOINT"), id="no address"),
    ],
)
def test_lasting_faults_leave_no_model(store, faults, changes, told) -> None:
    error, code, says = told
    with local_hub(REPOS, **faults) as local:
        with pytest.raises(error) as failure:
            pull(NAME, store, hub_of(local, **changes), Watched(), pace=QUICK)
        asked = len(local.asked)
    assert failure.value.code == code
    assert says in failure.value.message
    assert str(store.directory) not in failure.value.message
    assert store.names() == ()
    assert asked <= 12


def test_a_token_opens_what_is_closed_and_goes_to_nobody_else(store) -> None:
    with local_hub(REPOS, wants_token="hf_x", gated=True) as local:
        whole(pull(NAME, store, hub_of(local, token="hf_x"), Watched(), pace=QUICK).place, FP32)


@pytest.mark.parametrize(
    ("name", "precision", "error", "says"),
    [
        ("nonsense", "auto", ModelNotFound, "`stenod models` lists them"),
        ("nobody/nothing", "auto", ModelNotFound, "has no nobody/nothing"),
        ("a/b/c", "auto", ModelNotFound, "owner/name"),
        ("a/..", "auto", ModelNotFound, "cannot be named"),
        (NAME, "fp16", BadRequest, "published only in fp32, int8, not in fp16"),
        ("whisper-tiny", "int8", BadRequest, "in one precision only"),
        ("someone/pictures", "auto", ModelNotFound, "no model in a layout that is known here"),
        ("parakeet-ctc-0.6b", "int8", ModelNotFound, "holds no model.int8.onnx (any more)"),
    ],
)
def test_what_cannot_be_had(store, name, precision, error, says) -> None:
    ctc = {key: FILES[key] for key in ("config.json", "vocab.txt")}
    repos = {REPO: FILES, "someone/pictures": {"cat.png": b"x" * 10}, "istupakov/parakeet-ctc-0.6b-onnx": ctc}
    repos["Systran/faster-whisper-tiny"] = {"config.json": b"{}"}
    with local_hub(repos) as local, pytest.raises(error) as failure:
        pull(name, store, hub_of(local), Watched(), precision=precision, pace=QUICK)
    assert says in failure.value.message


def test_what_was_cut_is_continued_by_the_next_pull(store) -> None:
    with local_hub(REPOS) as local:
        local.faults.cut = 99
        with pytest.raises(HubFailed):
            pull(NAME, store, hub_of(local), Watched(), pace=QUICK)
        arrived = local.sent
        assert arrived > 0
        local.faults.cut = 0
        local.asked.clear()
        watched = Watched()
        whole(pull(NAME, store, hub_of(local), watched, pace=QUICK).place, FP32)
        assert any(path.endswith("-") and "bytes=" in path for path in local.asked)
        assert local.sent == watched.bytes == sum(len(FILES[name]) for name in FP32)


def test_what_lay_there_spoiled_is_fetched_again(store) -> None:
    with local_hub(REPOS) as local:
        local.faults.cut = 99
        with pytest.raises(HubFailed):
            pull(NAME, store, hub_of(local), Watched(), pace=QUICK)
        local.faults.cut = 0
        (part,) = store.directory.glob(f"{NAME}.part/*.*[0-9a-f]")
        part.write_bytes(bytes(part.stat().st_size))
        (part.parent / "old-leftover.onnx").write_bytes(b"of an earlier revision")
        (part.parent / "vocab.txt").write_bytes(b"of an earlier revision")
        watched = Watched()
        whole(pull(NAME, store, hub_of(local), watched, pace=QUICK).place, FP32)
        assert watched.bytes == sum(len(FILES[name]) for name in FP32)


def test_a_further_precision_is_added_and_nothing_else_moves(store) -> None:
    with local_hub(REPOS) as local:
        first = pull(NAME, store, hub_of(local), Watched(), precision="int8", pace=QUICK)
        whole(first.place, INT8)
        before = {file.name: file.stat().st_ino for file in first.place.iterdir() if file.name != "stenod.json"}
        asked = len(local.asked)
        assert not pull(NAME, store, hub_of(local, offline=True), Watched(), pace=QUICK).fresh
        assert not pull(NAME, store, hub_of(local), Watched(), precision="int8", pace=QUICK).fresh
        assert len(local.asked) == asked
        assert pull(NAME, store, hub_of(local), Watched(), precision="fp32", pace=QUICK).fresh
        whole(first.place, INT8 | FP32)
        assert before.items() <= {file.name: file.stat().st_ino for file in first.place.iterdir()}.items()
        assert local.asked[-1].split("/resolve/")[0] != ""
    manifest = Manifest.read(first.place)
    assert manifest is not None
    assert manifest.precisions == ("int8", "fp32")


def test_a_full_disk_is_told_before_anything_is_fetched(store, monkeypatch) -> None:
    class Usage:
        free = 1_500_000

    monkeypatch.setattr(pulling.shutil, "disk_usage", lambda _place: Usage)
    with local_hub(REPOS) as local:
        with pytest.raises(Unavailable, match=r"takes 1 MB more, and the disk has 2 MB free, of which 1 MB") as failure:
            pull(NAME, store, hub_of(local), Watched(), pace=QUICK, reserve=1_000_000)
        assert failure.value.code == "disk"
        assert len(local.asked) == 1
        pull(NAME, store, hub_of(local), Watched(), pace=QUICK, reserve=100_000)


def test_any_repository_whose_files_an_engine_reads(store) -> None:
    with local_hub({"someone/mine-v1": FILES, "other/mine-v1": FILES}) as local:
        seen = []
        with pytest.raises(Unavailable) as failure:
            pull("someone/mine-v1", store, hub_of(local), Watched(), pace=QUICK, accept=lambda _place: False)
        assert failure.value.code == "unreadable"
        assert store.names() == ()
        pulled = pull(
            "someone/mine-v1", store, hub_of(local), Watched(), pace=QUICK, accept=lambda place: not seen.append(place)
        )
        assert pulled.place == store.find("mine-v1")
        assert seen == [store.directory / "mine-v1.part"]
        whole(pulled.place, FP32)
        with pytest.raises(Unavailable, match="from someone/mine-v1 is here already"):
            pull("other/mine-v1", store, hub_of(local), Watched(), pace=QUICK)


def test_a_slow_hub_is_not_a_stalled_one_and_a_trickle_is(store) -> None:
    with local_hub(REPOS, slow=0.01) as local:
        whole(pull(NAME, store, hub_of(local), Watched(), pace=QUICK).place, FP32)
    trickle = replace(QUICK, stall=0.05, trickle=1e8)
    with local_hub(REPOS, slow=0.05) as local, pytest.raises(HubFailed, match="next to nothing"):
        pull(NAME, Store(store.directory / "other"), hub_of(local), Watched(), pace=trickle)


def test_a_rate_is_kept(store) -> None:
    with local_hub(REPOS) as local:
        pulled = pull(NAME, store, hub_of(local), Watched(), precision="int8", pace=replace(QUICK, rate=400_000))
    assert pulled.seconds >= 0.4  # 220 kB


def test_two_at_once_fetch_once(store) -> None:
    with local_hub(REPOS, slow=0.02) as local:
        hub, watched, results = hub_of(local), [Watched(), Watched()], []

        def one(watch: Watched) -> None:
            results.append(pull(NAME, store, hub, watch, pace=QUICK))

        threads = [threading.Thread(target=one, args=(watch,)) for watch in watched]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result.fresh for result in results) == [False, True]
        assert sorted(watch.waited for watch in watched) == [False, True]
        assert local.sent == sum(len(FILES[name]) for name in FP32)
    whole(results[0].place, FP32)


def test_a_killed_pull_leaves_nothing_that_looks_like_a_model(store) -> None:
    script = (
        "import sys; from stenod.models.pull import pull; from stenod.models.hub import Hub; from pathlib import Path\n"
        "from stenod.models.store import Store; from unittest.mock import Mock\n"
        f"pull({NAME!r}, Store(Path(sys.argv[1])), Hub(endpoint=sys.argv[2]), Mock())"
    )
    with local_hub(REPOS, slow=0.05) as local:
        child = subprocess.Popen([sys.executable, "-c", script, str(store.directory), local.endpoint])
        try:
            while local.sent < 100_000:
                assert child.poll() is None
        finally:
            child.kill()
            child.wait()
        assert store.names() == ()
        local.faults.slow = 0
        before = local.sent
        whole(pull(NAME, store, hub_of(local), Watched(), pace=QUICK).place, FP32)
        assert local.sent - before < sum(len(FILES[name]) for name in FP32)


def test_environment() -> None:
    assert Hub.of({}) == Hub()
    assert Hub.of({"HF_ENDPOINT": "https://mirror.example/hub/", "HF_TOKEN": "t", "HF_HUB_OFFLINE": "on"}) == Hub(
        endpoint="https://mirror.example/hub", token="t", offline=True
    )
    assert not Hub.of({"HF_HUB_OFFLINE": "0"}).offline


def test_the_catalogue() -> None:
    names = [name for one in CHECKPOINTS for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))
    for one in CHECKPOINTS:
        assert Store(Path(os.devnull)).path(one.name).name == one.name
        assert one.quality > 0
        assert one.download_mb <= one.memory_mb
        assert one.patterns("auto")
        assert one.repo.count("/") == 1
        for precision, _ in one.precisions:
            assert one.patterns(precision)
