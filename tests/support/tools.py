"""The scripts under `tools/` as modules; they are no package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from conftest import REPOSITORY


def tool(name: str) -> ModuleType:
    """A script by its path below `tools/`, without the ending."""
    path = REPOSITORY / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
