"""A Canary with random weights in the true layout: two ONNX graphs, `vocab.txt`, `config.json`. Made by hand, with onnx.

The graphs have the inputs and outputs of the exports: an encoder of one convolution, eight frames to one; a decoder of one
layer that attends to its own past (`decoder_mems`: its inputs and its outputs so far) and to the encoder's embeddings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

BANDS = 128
WIDTH = 32
LANGUAGES = ("en", "de", "es", "fr")

_ENCODER = """
<ir_version: 9, opset_import: ["": 17]>
encoder (float[B, 128, T] audio_signal, int64[B] length) => (float[B, S, 32] encoder_embeddings, int64[B, S] encoder_mask) {
    one = Constant <value = int64 {1}> ()
    zero = Constant <value = int64 {0}> ()
    eight = Constant <value = int64 {8}> ()
    ones = Constant <value = int64[1] {1}> ()
    strided = Conv <kernel_shape = [8], strides = [8], pads = [0, 7]> (audio_signal, conv)
    bent = Tanh (strided)
    steps = Transpose <perm = [0, 2, 1]> (bent)
    before = Sub (length, one)
    whole = Div (before, eight)
    count = Add (whole, one)
    counts = Unsqueeze (count, ones)
    shape = Shape <start = 1, end = 2> (steps)
    size = Squeeze (shape)
    places = Range (zero, size, one)
    inside = Less (places, counts)
    encoder_mask = Cast <to = 7> (inside)
    real = Cast <to = 1> (inside)
    last = Constant <value = int64[1] {2}> ()
    factor = Unsqueeze (real, last)
    encoder_embeddings = Mul (steps, factor)
}
"""

_DECODER = """
<ir_version: 9, opset_import: ["": 17]>
decoder (int64[B, N] input_ids, float[B, S, 32] encoder_embeddings, int64[B, S] encoder_mask,
         float[2, B, P, 32] decoder_mems) => (float[B, N, V] logits, float[2, B, Q, 32] decoder_hidden_states) {
    one = Constant <value = int64 {1}> ()
    zero = Constant <value = int64 {0}> ()
    at_one = Constant <value = int64[1] {1}> ()
    far = Constant <value = float {-10000.0}> ()
    unit = Constant <value = float {1.0}> ()
    heat = Constant <value = float {1.5}> ()
    past_shape = Shape <start = 2, end = 3> (decoder_mems)
    past = Squeeze (past_shape)
    new_shape = Shape <start = 1, end = 2> (input_ids)
    new = Squeeze (new_shape)
    total = Add (past, new)
    mine = Range (past, total, one)
    all = Range (zero, total, one)
    tokens = Gather (embedding, input_ids)
    places = Gather (positions, mine)
    x = Add (tokens, places)
    mem_in, mem_out = Split <axis = 0> (decoder_mems)
    axis = Constant <value = int64[1] {0}> ()
    past_in = Squeeze (mem_in, axis)
    past_out = Squeeze (mem_out, axis)
    seen = Concat <axis = 1> (past_in, x)
    query = MatMul (x, wq)
    key = MatMul (seen, wk)
    turned = Transpose <perm = [0, 2, 1]> (key)
    scores = MatMul (query, turned)
    rows = Unsqueeze (mine, at_one)
    later = Greater (all, rows)
    later_real = Cast <to = 1> (later)
    causal = Mul (later_real, far)
    masked = Add (scores, causal)
    weights = Softmax <axis = -1> (masked)
    value = MatMul (seen, wv)
    looked = MatMul (weights, value)
    h = Add (x, looked)
    cross_query = MatMul (h, cq)
    cross_key = MatMul (encoder_embeddings, ck)
    cross_turned = Transpose <perm = [0, 2, 1]> (cross_key)
    cross_scores = MatMul (cross_query, cross_turned)
    mask = Cast <to = 1> (encoder_mask)
    absent = Sub (unit, mask)
    hidden = Mul (absent, far)
    hidden_rows = Unsqueeze (hidden, at_one)
    cross_masked = Add (cross_scores, hidden_rows)
    cross_weights = Softmax <axis = -1> (cross_masked)
    cross_value = MatMul (encoder_embeddings, cv)
    heard = MatMul (cross_weights, cross_value)
    y = Add (h, heard)
    bent = Tanh (y)
    told = MatMul (bent, out)
    biased = Add (told, bias)
    logits = Mul (biased, heat)
    fresh_out = Concat <axis = 1> (past_out, bent)
    stack_in = Unsqueeze (seen, axis)
    stack_out = Unsqueeze (fresh_out, axis)
    decoder_hidden_states = Concat <axis = 0> (stack_in, stack_out)
}
"""


def vocabulary(*, first: bool = False) -> list[str]:
    """The named tokens, those of times, and syllables; `first`: as the first Canary-1B has them, which tells no times."""
    syllables = [start + vowel for start in "bdfklmnprst" for vowel in "aeiou"]
    text = ["▁", *(f"▁{one}" for one in syllables), *syllables, ".", ","]
    if first:
        named = ["<unk>", "<pad>", "<|endoftext|>", "<|startoftranscript|>", "<|transcribe|>", "<|translate|>"]
        return [*named, "<|pnc|>", "<|nopnc|>", "<|nospeech|>", *(f"<|{code}|>" for code in LANGUAGES), *text]
    named = ["<unk>", "<|nospeech|>", "<pad>", "<|endoftext|>", "<|startoftranscript|>", "<|pnc|>", "<|nopnc|>"]
    named += ["<|startofcontext|>", "<|itn|>", "<|noitn|>", "<|timestamp|>", "<|notimestamp|>", "<|diarize|>"]
    named += ["<|nodiarize|>", "<|emo:undefined|>", *(f"<|{code}|>" for code in (*LANGUAGES, "it"))]
    named += [f"<|{frame}|>" for frame in range(40)]
    return [*named, *text]


def make(place: Path, *, seed: int = 0, mark: str = "", first: bool = False) -> Path:
    """Write the model to the folder `place`, with the `first` vocabulary or not; `mark` (`.int8`) goes into file names."""
    random = np.random.default_rng(seed)
    tokens = vocabulary(first=first)
    place.mkdir(parents=True, exist_ok=True)

    def weight(*shape: int, scale: float) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    square = {name: weight(WIDTH, WIDTH, scale=0.4) for name in ("wq", "wk", "wv", "cq", "ck")}
    bias = np.zeros(len(tokens), np.float32)
    bias[: tokens.index("▁")] = -9.0  # names are not written
    bias[tokens.index("<|endoftext|>")] = 2.5
    weights = square | {
        "cv": weight(WIDTH, WIDTH, scale=1.0),
        "embedding": weight(len(tokens), WIDTH, scale=0.7),
        "positions": weight(1024, WIDTH, scale=0.7),
        "out": weight(WIDTH, len(tokens), scale=0.6),
        "bias": bias,
    }
    _save(place / f"encoder-model{mark}.onnx", _ENCODER, {"conv": weight(WIDTH, BANDS, 8, scale=0.05)})
    _save(place / f"decoder-model{mark}.onnx", _DECODER, weights)
    lines = [f"{token} {number}\n" for number, token in enumerate(tokens)]
    (place / "vocab.txt").write_text("".join(lines), "utf-8")
    config = {"model_type": "nemo-conformer-aed", "features_size": BANDS, "subsampling_factor": 8}
    (place / "config.json").write_text(json.dumps(config))
    return place


def _save(file: Path, text: str, weights: dict[str, Any]) -> None:
    from onnx import checker, numpy_helper, parser, save  # noqa: PLC0415 heavy, and not everywhere

    model = parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    checker.check_model(model)
    save(model, str(file))
