"""Which folders are models, and which of their files belong together."""

from __future__ import annotations

import json

import pytest

from stenod.engines.parakeet_onnx import FAMILY
from stenod.engines.parakeet_onnx.layouts import layout, vocabulary
from stenod.errors import Unavailable
from stenod.models.catalogue import checkpoints

ASR = ("encoder-model{}.onnx", "decoder_joint-model{}.onnx")
SHERPA = ("encoder{}.onnx", "decoder{}.onnx", "joiner{}.onnx")


def names(parts, *precisions):
    return [part.format(precision) for part in parts for precision in precisions]


@pytest.mark.parametrize(
    ("files", "forms"),
    [
        (["vocab.txt", *names(ASR, "")], {"fp32": ("encoder-model.onnx", "decoder_joint-model.onnx")}),
        (["vocab.txt", *names(ASR, ".int8")], {"int8": ("encoder-model.int8.onnx", "decoder_joint-model.int8.onnx")}),
        (
            ["vocab.txt", *names(ASR, "", "_int8", ".fp16")],
            {
                "fp32": ("encoder-model.onnx", "decoder_joint-model.onnx"),
                "fp16": ("encoder-model.fp16.onnx", "decoder_joint-model.fp16.onnx"),
                "int8": ("encoder-model_int8.onnx", "decoder_joint-model_int8.onnx"),
            },
        ),
        (
            ["vocab.txt", "encoder-model.int8.onnx", "decoder_joint-model.onnx"],
            {"int8": ("encoder-model.int8.onnx", "decoder_joint-model.onnx")},
        ),
        (["tokens.txt", *names(SHERPA, "")], {"fp32": ("encoder.onnx", "decoder.onnx", "joiner.onnx")}),
        (
            ["tokens.txt", *names(SHERPA, ".int8")],
            {"int8": ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx")},
        ),
        (["vocab.txt", "model.onnx", "README.md"], {"fp32": ("model.onnx",)}),
        (["tokens.txt", "model.int8.onnx"], {"int8": ("model.int8.onnx",)}),
        (["encoder-model.onnx", "decoder_joint-model.onnx"], None),
        (["vocab.txt", "encoder-model.onnx"], None),
        (["tokens.txt", "encoder.onnx", "decoder.onnx"], None),
        (["vocab.txt", "encoder-model.onnx", "decoder-model.onnx"], None),
        (["config.json", "model.safetensors"], None),
        ([], None),
    ],
)
def test_files(tmp_path, files, forms):
    for name in files:
        (tmp_path / name).write_bytes(b"x" * 1000)
    found = layout(tmp_path)
    adopted = FAMILY.adopt(tmp_path)
    if forms is None:
        assert found is None
        assert adopted is None
        return
    assert found is not None
    assert {
        precision: (form.encoder.name, *(path.name for path in form.decoder)) for precision, form in found.forms.items()
    } == forms
    assert adopted is not None
    assert adopted.name == tmp_path.name
    assert dict(adopted.params)["directory"] == str(tmp_path)


def test_no_folder_is_no_model(tmp_path):
    assert layout(tmp_path / "nothing") is None
    (tmp_path / "file").touch()
    assert layout(tmp_path / "file") is None


def test_what_the_catalogue_knows_of_that_name(tmp_path):
    known = checkpoints("parakeet-onnx")[0]
    for name in (known.name, known.repo.rpartition("/")[2]):
        folder = tmp_path / name
        folder.mkdir()
        for file in ("vocab.txt", *names(ASR, "")):
            (folder / file).touch()
        model = FAMILY.adopt(folder)
        assert (model.languages, model.licence, model.quality) == (known.languages, known.licence, known.quality)


@pytest.mark.parametrize(
    ("config", "languages"),
    [
        ({"languages": ["de", "en"]}, ("de", "en")),
        ({"languages": []}, ("*",)),
        ({}, ("*",)),
        ([], ("*",)),
        ("{", ("*",)),
    ],
)
def test_languages_of_a_folder(tmp_path, config, languages):
    (tmp_path / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for file in ("vocab.txt", "model.onnx"):
        (tmp_path / file).touch()
    assert FAMILY.adopt(tmp_path).languages == languages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 0\nb 1\n<blk> 2\n", ["a", "b", "<blk>"]),
        ("<blk> 1\n\u2581 0\n", ["\u2581", "<blk>"]),
        ("a 0\n<blk> 2\n", None),
        ("<blk> 0\na 1\n", None),
        ("a 0\nb 1\n", None),
        ("a\n", None),
        ("a x\n", None),
        ("", None),
    ],
)
def test_vocabularies(tmp_path, text, expected):
    (tmp_path / "vocab.txt").write_text(text, encoding="utf-8")
    if expected is None:
        with pytest.raises(Unavailable, match=r"vocab\.txt"):
            vocabulary(tmp_path / "vocab.txt")
    else:
        assert vocabulary(tmp_path / "vocab.txt") == expected
