"""Which files of a repository are taken for a model, from their names."""

from __future__ import annotations

import pytest

from stenod.models.layouts import chosen

NEMO = "encoder-model.onnx encoder-model.onnx.data decoder_joint-model.onnx"
NEMO8 = "encoder-model.int8.onnx decoder_joint-model.int8.onnx"
SHERPA = "encoder.onnx decoder.onnx joiner.onnx"
SHERPA8 = "encoder.int8.onnx decoder.int8.onnx joiner.int8.onnx"
WHISPER = "model.bin config.json tokenizer.json vocabulary.txt"
TEXT = "config.json vocab.txt"


@pytest.mark.parametrize(
    ("there", "precision", "taken"),
    [
        pytest.param(f"{NEMO} {NEMO8} {TEXT} README.md nemo128.onnx", "auto", f"{NEMO} {TEXT}", id="onnx-asr"),
        pytest.param(f"{NEMO} {NEMO8} {TEXT}", "int8", f"{NEMO8} {TEXT}", id="onnx-asr, int8"),
        pytest.param(f"{NEMO} {NEMO8} {TEXT}", "fp16", f"{NEMO} {TEXT}", id="a precision that is not there"),
        pytest.param(f"{NEMO8} {TEXT}", "auto", f"{NEMO8} {TEXT}", id="one precision only"),
        pytest.param(f"{SHERPA} {SHERPA8} tokens.txt x.wav", "auto", f"{SHERPA} tokens.txt", id="sherpa-onnx"),
        pytest.param(f"{SHERPA} {SHERPA8} tokens.txt", "int8", f"{SHERPA8} tokens.txt", id="sherpa-onnx, int8"),
        pytest.param(
            "encoder.int8.onnx decoder.onnx joiner.int8.onnx tokens.txt",
            "int8",
            "encoder.int8.onnx decoder.onnx joiner.int8.onnx tokens.txt",
            id="mixed",
        ),
        pytest.param(f"model.onnx model.int8.onnx {TEXT}", "int8", f"model.int8.onnx {TEXT}", id="CTC"),
        pytest.param("a.nemo README.md bias.md", "auto", "a.nemo", id="NeMo"),
        pytest.param(f"{WHISPER} README.md", "auto", WHISPER, id="CTranslate2"),
        pytest.param("config.json model.safetensors README.md", "auto", "config.json model.safetensors", id="MLX"),
        pytest.param("README.md cat.png", "auto", "", id="nothing"),
        pytest.param("encoder.onnx tokens.txt", "auto", "", id="half a model"),
        pytest.param("onnx/encoder.onnx onnx/decoder.onnx onnx/joiner.onnx onnx/tokens.txt", "auto", "", id="below"),
        pytest.param("../encoder.onnx ../decoder.onnx ../tokens.txt", "auto", "", id="outside"),
    ],
)
def test_what_is_taken(there, precision, taken) -> None:
    assert sorted(chosen(there.split(), precision)) == sorted(taken.split())
