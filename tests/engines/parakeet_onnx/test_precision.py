"""Which precision is loaded."""

from __future__ import annotations

import json
import logging

import pytest

from stenod.engines.parakeet_onnx.layouts import layout
from stenod.engines.parakeet_onnx.precision import MEMORY, choose
from stenod.errors import Unavailable

SECONDS = {"fp32": 2.0, "fp16": 1.0, "int8": 3.0}


@pytest.fixture
def made(tmp_path):
    """Makes a folder with a model in these precisions."""

    def make(*precisions):
        (tmp_path / "vocab.txt").touch()
        for precision in precisions:
            (tmp_path / ("model.onnx" if precision == "fp32" else f"model.{precision}.onnx")).touch()
        return layout(tmp_path)

    return make


@pytest.mark.parametrize(
    ("there", "wanted", "device", "expected"),
    [
        (("fp32",), "auto", "cpu", "fp32"),
        (("int8",), "auto", "cpu", "int8"),
        (("fp16",), "auto", "cpu", "fp16"),
        (("fp32", "fp16"), "auto", "cpu", "fp32"),
        (("fp32", "fp16", "int8"), "auto", "cpu", "fp32"),
        (("fp32", "int8"), "int8", "cpu", "int8"),
        (("fp32", "fp16", "int8"), "fp16", "cpu", "fp16"),
        (("fp32", "fp16", "int8"), "auto", "cuda", "fp16"),
        (("fp32", "int8"), "auto", "cuda", "fp32"),
        (("int8",), "auto", "tensorrt", "int8"),
    ],
)
def test_table(made, there, wanted, device, expected):
    assert choose(made(*there), wanted, device, SECONDS.__getitem__) == expected


def test_what_is_not_there(made):
    with pytest.raises(Unavailable, match="not here in fp16, only in fp32, int8"):
        choose(made("fp32", "int8"), "fp16", "cpu", SECONDS.__getitem__)


def test_it_measures_once_and_remembers(made, caplog):
    found = made("fp32", "int8")
    tried = []

    def trial(precision):
        tried.append(precision)
        return {"fp32": 2.0, "int8": 1.0}[precision]

    with caplog.at_level(logging.INFO):
        assert choose(found, "auto", "cpu", trial) == "int8"
    assert tried == ["fp32", "int8"]
    assert "int8 is the fastest" in caplog.text
    assert choose(found, "auto", "cpu", trial) == "int8"
    assert len(tried) == 2


def test_another_machine_measures_for_itself(made):
    found = made("fp32", "int8")
    (found.folder / MEMORY).write_text(json.dumps({"another machine": "int8"}))
    assert choose(found, "auto", "cpu", SECONDS.__getitem__) == "fp32"
    assert len(json.loads((found.folder / MEMORY).read_text())) == 2


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_memory_that_makes_no_sense(made, text):
    found = made("fp32", "int8")
    (found.folder / MEMORY).write_text(text)
    assert choose(found, "auto", "cpu", SECONDS.__getitem__) == "fp32"


def test_a_folder_that_cannot_be_written(made):
    found = made("fp32", "int8")
    (found.folder / MEMORY).mkdir()  # holds for root too
    assert choose(found, "auto", "cpu", SECONDS.__getitem__) == "fp32"
