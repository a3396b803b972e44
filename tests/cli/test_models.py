"""What `stenod models` prints."""

from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from stenod.cli.main import app
from stenod.engines.registry import Registry


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
    assert [line.partition(":")[0] for line in lines[len(models) :]] == sorted(registry.broken)


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from stenod.cli.main import app\n"
        "assert CliRunner().invoke(app, ['models']).exit_code == 0\n"
        "print(sorted({'onnxruntime', 'torch', 'fastapi', 'uvicorn', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
