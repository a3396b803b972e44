"""What is said at the start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stenod.cli.serve import banner
from stenod.engines.base import Capabilities, Model
from stenod.settings import Settings
from stenod.settings.tree import ModelSettings

SMALL = Model(
    name="small",
    family="rules",
    installed=True,
    languages=("en",),
    capabilities=Capabilities(),
    licence="MIT",
    size_mb=1,
    quality=10,
    expect="every third word to be wrong",
)
LARGE = replace(SMALL, name="large", quality=90, expect="few errors")
ASKED = Settings(model=ModelSettings(device="cuda", precision="fp16"))


@pytest.mark.parametrize(
    ("settings", "models", "lines"),
    [
        (Settings(), (SMALL,), ["better: nothing that is known here; "]),
        (Settings(), (replace(LARGE, quality=0), SMALL), ["better: nothing that is known here; "]),
        (Settings(), (LARGE, SMALL), ["better: large is installed (--model large). Expect few errors"]),
        (
            Settings(),
            (replace(LARGE, installed=False), SMALL),
            ["better: large, which `stenod models pull large` gets. Expect few errors"],
        ),
        (
            Settings(),
            (replace(LARGE, name="parakeet-tdt-0.6b-v3", installed=False), SMALL),
            ["better: parakeet-tdt-0.6b-v3, which the hub is asked for in the background. Expect few errors"],
        ),
        (
            Settings(model=ModelSettings(fetch="never")),
            (replace(LARGE, name="parakeet-tdt-0.6b-v3", installed=False), SMALL),
            ["better: parakeet-tdt-0.6b-v3, which `stenod models pull parakeet-tdt-0.6b-v3` gets. Expect few errors"],
        ),
        (
            ASKED,
            (LARGE, SMALL),
            [
                "note: model.precision = fp16 has no effect on small, which has only one",
                "note: model.device = cuda has no effect on small, which offers cpu",
                "better: large is installed",
            ],
        ),
    ],
)
def test_banner(settings, models, lines) -> None:
    where, model, *others = banner(settings, SMALL, models, "http://127.0.0.1:1")
    assert where == "stenod 0.1.0 answers at http://127.0.0.1:1 (its doors: http://127.0.0.1:1/docs)"
    assert model == "model: small (rules). Expect every third word to be wrong"
    assert len(others) == len(lines)
    assert all(told.startswith(line) for told, line in zip(others, lines, strict=True))
