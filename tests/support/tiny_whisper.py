"""A Whisper with random weights in the layout and with the vocabulary of the true ones, made without any download.

CTranslate2 writes it itself, from its own description of the model: 1 + 1 layers, 32 features, 80 mels, 51 865 tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 32
HEADS = 2
TEXT = 50_257
"""Tokens that are text in a multilingual model; the end token follows."""


def vocabulary(*, multilingual: bool = True) -> list[str]:
    """The tokens by their ids: bytes and made-up syllables, then the named ones where the true models have them.

    The empty token is what CTranslate2 knows a multilingual model by.
    """
    from faster_whisper.tokenizer import _LANGUAGE_CODES  # noqa: PLC0415 heavy, and not everywhere
    from tokenizers.pre_tokenizers import ByteLevel  # noqa: PLC0415 heavy, and not everywhere

    bytes_ = sorted(ByteLevel.alphabet())
    letters = "aeiourstlnmdkp"
    made = [
        ("Ġ" if number % 2 else "") + "".join(letters[number // 14**place % 14] for place in range(5))
        for number in range(TEXT - 1 - len(bytes_))
    ]
    languages = [code for code in _LANGUAGE_CODES if code != "yue"]  # came with the large model's third version
    names = ["endoftext", "startoftranscript", *languages, "translate", "transcribe"]
    names += ["startoflm", "startofprev", "nospeech", "notimestamps", *(f"{0.02 * step:.2f}" for step in range(1501))]
    return [*bytes_, *made, *([""] if multilingual else []), *(f"<|{name}|>" for name in names)]


def make(place: Path, *, seed: int = 0, multilingual: bool = True) -> Path:
    """Write the model to the folder `place`."""
    from ctranslate2.specs import WhisperSpec  # noqa: PLC0415 heavy, and not everywhere

    place.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary(multilingual=multilingual)
    ids = {token: index for index, token in enumerate(tokens)}
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    _fill(spec, np.random.default_rng(seed), len(tokens), ids["<|endoftext|>"])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in ("en", "de", "fr", "es")]
    spec.config.alignment_heads = [(0, 0), (0, 1)]
    spec.register_vocabulary(tokens)
    spec.validate()
    spec.optimize()
    spec.save(str(place))
    _tokenizer(tokens).save(str(place / "tokenizer.json"))
    return place


def convert(place: Path, model: Any) -> Path:
    """Write `model`, a WhisperForConditionalGeneration of transformers with this vocabulary, to the folder `place`."""
    from ctranslate2.converters.transformers import WhisperLoader  # noqa: PLC0415 heavy, and not everywhere

    place.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary()
    told = model.generation_config
    told.suppress_tokens, told.begin_suppress_tokens, told.alignment_heads = [], [], [[0, 0]]
    told.lang_to_id = {"<|en|>": tokens.index("<|en|>")}
    loader = WhisperLoader()
    spec = loader.get_model_spec(model)
    loader.set_config(spec.config, model, None)
    loader.set_vocabulary(spec, tokens)
    spec.validate()
    spec.optimize()
    spec.save(str(place))
    _tokenizer(tokens).save(str(place / "tokenizer.json"))
    return place


def _fill(spec: Any, random: np.random.Generator, size: int, end: int) -> None:
    def weight(*shape: int, scale: float = 0.4) -> np.ndarray:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(layer: Any, out: int, into: int) -> None:
        layer.weight, layer.bias = weight(out, into), weight(out)

    def attention(layer: Any, *, across: bool) -> None:
        norm(layer.layer_norm)
        shapes = (WIDTH, 2 * WIDTH, WIDTH) if across else (3 * WIDTH, WIDTH)
        for part, out in zip(layer.linear, shapes, strict=True):
            linear(part, out, WIDTH)

    def feed_forward(layer: Any) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, 2 * WIDTH, WIDTH)
        linear(layer.linear_1, WIDTH, 2 * WIDTH)

    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = weight(WIDTH, 80, 3, scale=0.3), weight(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = weight(WIDTH, WIDTH, 3, scale=0.3), weight(WIDTH)
    encoder.position_encodings.encodings = weight(1500, WIDTH)
    decoder.position_encodings.encodings = weight(448, WIDTH, scale=1.0)
    decoder.embeddings.weight = weight(size, WIDTH, scale=1.0)
    decoder.projection.weight = weight(size, WIDTH, scale=1.0)
    decoder.projection.bias = np.zeros(size, np.float32)
    decoder.projection.bias[end] = 18.0  # ends a text now and then
    for layer in (*encoder.layer, *decoder.layer):
        attention(layer.self_attention, across=False)
        feed_forward(layer.ffn)
    for layer in decoder.layer:
        attention(layer.attention, across=True)
    norm(encoder.layer_norm)
    norm(decoder.layer_norm)


def _tokenizer(tokens: list[str]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers  # noqa: PLC0415 heavy, and not everywhere
    from tokenizers.models import BPE  # noqa: PLC0415 heavy, and not everywhere

    named = tokens.index("<|endoftext|>")
    made = Tokenizer(BPE(vocab={token: index for index, token in enumerate(tokens[:named])}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in tokens[named:]])
    return made
