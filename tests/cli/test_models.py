"""What `stenod models` prints, and what its commands do with a hub on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stenod.cli.main import app
from stenod.engines.registry import Registry
from support.hub import LocalHub, local_hub

REPO = "istupakov/parakeet-tdt-0.6b-v3-onnx"
NAME = "parakeet-tdt-0.6b-v3"
FILES = {
    "config.json": b"{}",
    "vocab.txt": b"<blk> 0\n",
    "encoder-model.int8.onnx": bytes(300_000),
    "decoder_joint-model.int8.onnx": bytes(20_000),
}


def test_every_model_and_every_broken_family_is_listed() -> None:
    done = CliRunner().invoke(app, ["models"], catch_exceptions=False)
    assert done.exit_code == 0
    heading, *lines = done.stdout.splitlines()
    registry = Registry.installed()
    models = registry.models()
    assert [line.split()[0] for line in lines[: len(models)]] == [model.name for model in models]
    for line, model in zip(lines, models, strict=False):
        assert line.index(model.expect) == heading.index("expect")
        assert line[heading.index("memory") :].startswith(f"{model.size_mb} MB")
        assert line[heading.index("download") :].startswith("-" if model.family == "fake" else ("-", *"123456789"))
    assert [line.partition(":")[0] for line in lines[len(models) :]] == sorted(registry.broken)


def test_the_list_for_programs() -> None:
    done = CliRunner().invoke(app, ["models", "--json"], catch_exceptions=False)
    told = json.loads(done.stdout)
    registry = Registry.installed()
    assert told["broken"] == registry.broken
    assert [model["name"] for model in told["models"]] == [model.name for model in registry.models()]
    embedded = next(model for model in told["models"] if model["name"] == "pocketsphinx-en-us")
    assert embedded["installed"] is True
    assert embedded["download_mb"] is None
    assert embedded["languages"] == ["en"]


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from stenod.cli.main import app\n"
        "assert CliRunner().invoke(app, ['models']).exit_code == 0\n"
        "print(sorted({'onnxruntime', 'torch', 'fastapi', 'uvicorn', 'av', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@dataclass(frozen=True)
class Desk:
    """A folder of models, and the command that works on it."""

    run: Callable[..., subprocess.CompletedProcess[str]]
    directory: Path
    hub: LocalHub

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        known = {"HF_ENDPOINT": self.hub.endpoint, "HF_HUB_OFFLINE": "0", "STENOD_MODEL_DIRECTORY": str(self.directory)}
        return self.run("models", *arguments, **known | environ)


@pytest.fixture
def desk(stenod, tmp_path):
    with local_hub({REPO: FILES, "someone/pictures": {"cat.png": b"x"}}) as hub:
        yield Desk(stenod, tmp_path / "models", hub)


def test_a_model_comes_and_goes(desk) -> None:
    done = desk("pull", NAME, "--precision", "int8")
    assert (done.returncode, done.stdout.startswith(f"{NAME} is here, after ")) == (0, True), done.stderr
    assert done.stderr == f"{NAME} from {REPO} (CC-BY-4.0, int8): 0 MB in 4 files\n"
    place = desk("path", "nvidia/parakeet-tdt-0.6b-v3").stdout.strip()
    assert Path(place) == desk.directory / NAME
    assert {file.name for file in Path(place).iterdir()} == {*FILES, "stenod.json"}
    assert desk("pull", NAME, "--offline").stdout == f"{NAME} is here already\n"
    assert desk("remove", NAME).stdout == f"{NAME} is removed: 0 MB\n"
    assert not Path(place).exists()
    gone = desk("path", NAME)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert f"`stenod models pull {NAME}`" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        (("pull", "nothing"), {}, "there is no model 'nothing'"),
        (("pull", NAME, "--precision", "fp16"), {}, f"the model '{NAME}' is published only in fp32, int8, not in fp16"),
        (("pull", NAME), {"HF_HUB_OFFLINE": "1"}, f"{NAME} is not here, and HF_HUB_OFFLINE says"),
        (("pull", NAME, "--offline"), {}, f"{NAME} is not here, and HF_HUB_OFFLINE says"),
        (("pull", NAME), {"HF_ENDPOINT": "mirror"}, "mirror is no address of a hub: see HF_ENDPOINT"),
        (("pull", "someone/pictures"), {}, "someone/pictures holds no model in a layout that is known here"),
        (("pull", NAME), {"STENOD_MODEL_PRECISION": "fp32"}, f"{REPO} holds no encoder-model.onnx (any more)"),
        (("remove", NAME), {}, f"the model '{NAME}' is not here"),
        (("remove", "../.."), {}, "there is no model '../..' here"),
        (("remove", "pocketsphinx-en-us"), {}, "the model 'pocketsphinx-en-us' is part of its engine"),
        (("path", "pocketsphinx-en-us"), {}, "the model 'pocketsphinx-en-us' is part of its engine"),
        (("path", "../.."), {}, "the model '../..' is not here"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(desk, arguments, environ, line) -> None:
    done = desk(*arguments, **environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"stenod: {line}")
    assert done.stderr.count("\n") == 1
    assert str(desk.directory) not in done.stderr


def test_what_no_engine_reads_is_not_kept(desk) -> None:
    desk.hub.repos |= {"someone/bert": {"config.json": b'{"model_type": "bert"}', "model.safetensors": bytes(2_000)}}
    done = desk("pull", "someone/bert")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no engine here reads what someone/bert holds; it was deleted" in done.stderr
    assert not list(desk.directory.glob("bert*"))
