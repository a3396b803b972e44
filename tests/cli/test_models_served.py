"""The whole way of a model: pulled from a hub, listed, served, heard, removed. With one that really decodes words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from stenod.engines.registry import Registry
from support.hub import local_hub, repository
from support.serving import until

NAME = "parakeet-tdt-0.6b-v3"
"""The small model stands in for this one, in its layout."""

REPO = "istupakov/parakeet-tdt-0.6b-v3-onnx"
SMALL = Path(__file__).resolve().parent.parent / "models" / "small"


@pytest.fixture
def environ(tmp_path, outside):
    """Everything set that a command needs to find its models and its hub, and nothing else."""
    kept = {name: value for name, value in os.environ.items() if name not in outside}
    return kept | {"STENOD_MODEL_DIRECTORY": str(tmp_path / "models"), "HF_HUB_OFFLINE": "0"}


def test_pulled_served_removed(stenod, tmp_path, environ) -> None:
    assert "parakeet-onnx" not in Registry.installed().broken
    with local_hub({REPO: repository(SMALL)}, cut=1) as hub:
        environ |= {"HF_ENDPOINT": hub.endpoint}
        pulled = stenod("models", "pull", NAME, **environ)
        assert pulled.stdout.startswith(f"{NAME} is here, after "), pulled.stderr
    place = Path(stenod("models", "path", NAME, **environ).stdout.strip())
    assert {file.name for file in place.iterdir()} == {
        "config.json", "vocab.txt", "encoder-model.onnx", "decoder_joint-model.onnx", "stenod.json",
    }  # fmt: skip
    rows = json.loads(stenod("models", "--json", **environ).stdout)["models"]
    assert next(row["name"] for row in rows if row["installed"]) == NAME
    wrong = words = 0
    for said, heard in serve(tmp_path, environ):
        words += len(said)
        wrong += sum(word not in heard for word in said)
    assert words >= 20
    assert wrong <= 0.25 * words  # how well these weights hear is checked elsewhere; here, that it is they who do
    assert stenod("models", "remove", NAME, **environ).returncode == 0
    assert not place.exists()


def serve(directory: Path, environ: dict[str, str]) -> list[tuple[list[str], list[str]]]:
    """What is said in clear speech that the model has never heard, and what a server hears of it."""
    clips = [
        clip for clip in json.loads((SMALL / "speech" / "manifest.json").read_text()) if clip["condition"] == "clean"
    ]
    command = [sys.executable, "-m", "stenod", "serve", "--port", "0", "--log-level", "error"]
    with subprocess.Popen(command, cwd=directory, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            where, model = process.stdout.readline(), process.stdout.readline()
            assert model.startswith(f"model: {NAME} (parakeet-onnx).")
            address = where.split()[4]
            until(lambda: httpx.get(f"{address}/readyz").status_code == 200, 60)
            assert httpx.get(f"{address}/readyz").json() == {
                "status": "ready",
                "missing": [],
            }  # no other took its place
            heard = []
            for clip in clips[:5]:
                answer = httpx.post(
                    f"{address}/v1/audio/transcriptions",
                    files={"file": (clip["file"], (SMALL / "speech" / clip["file"]).read_bytes())},
                    timeout=60,
                )
                heard.append((clip["text"].split(), answer.json()["text"].lower().split()))
            return heard
        finally:
            process.terminate()
            process.wait(30)
