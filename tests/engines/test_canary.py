"""Canary: its prompt and its tokens (pure), and tiny random weights in the true layout, compared with onnx-asr."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import missing, needs
from stenod.engines.base import Engine, LoadOptions, Model, Request
from stenod.engines.canary import FAMILY
from stenod.engines.canary.prompt import FRAME, Said, Vocabulary, longest, loop
from stenod.errors import BadRequest, Unavailable
from stenod.options import DecodeOptions
from support import tiny_canary

TOKENS = tiny_canary.vocabulary()
VOCABULARY = Vocabulary(TOKENS, tiny_canary.LANGUAGES)
FIRST_TOKENS = tiny_canary.vocabulary(first=True)
FIRST = Vocabulary(FIRST_TOKENS, tiny_canary.LANGUAGES)


# ------------------------------------------------------------------------------------------------------------ the prompt


@pytest.mark.parametrize(
    ("options", "source", "target", "pnc"),
    [
        (DecodeOptions(), "en", "en", "pnc"),
        (DecodeOptions(language="de-AT"), "de", "de", "pnc"),
        (DecodeOptions(language="DE", punctuation=False), "de", "de", "nopnc"),
        (DecodeOptions(language="fr", task="translate"), "fr", "en", "pnc"),
        (DecodeOptions(language="en", task="translate", target_language="es-MX"), "en", "es", "pnc"),
        (DecodeOptions(task="translate", target_language="de"), "en", "de", "pnc"),
        (DecodeOptions(language="fr", target_language="de"), "fr", "fr", "pnc"),  # the task decides
    ],
)
def test_options_become_the_prompt(options: DecodeOptions, source: str, target: str, pnc: str):
    prompt = VOCABULARY.prompt(VOCABULARY.wish(options, timed=False))
    assert [TOKENS[number] for number in prompt] == [
        "▁",
        "<|startofcontext|>",
        "<|startoftranscript|>",
        "<|emo:undefined|>",
        f"<|{source}|>",
        f"<|{target}|>",
        f"<|{pnc}|>",
        "<|noitn|>",
        "<|notimestamp|>",
        "<|nodiarize|>",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (DecodeOptions(), "en transcribe en pnc"),
        (DecodeOptions(language="de", punctuation=False), "de transcribe de nopnc"),
        (DecodeOptions(language="fr", task="translate"), "fr translate en pnc"),
        (DecodeOptions(task="translate", target_language="es"), "en translate es pnc"),
        (DecodeOptions(task="translate"), "en transcribe en pnc"),
    ],
)
def test_the_first_canary_is_told_its_task(options: DecodeOptions, told: str):
    prompt = FIRST.prompt(FIRST.wish(options, timed=False))
    names = ["startoftranscript", *told.split()]
    assert [FIRST_TOKENS[number] for number in prompt] == [f"<|{name}|>" for name in names]


def test_the_first_canarys_prompt_is_nemos():
    needs("nemo")
    with warnings.catch_warnings(action="ignore"):  # the toolkit's dependencies deprecate each other
        from nemo.collections.common.prompts.canary import CanaryPromptFormatter  # noqa: PLC0415 heavy

    template = CanaryPromptFormatter.TEMPLATE["user"]["template"]
    slots = {"source_lang": "<|de|>", "task": "<|translate|>", "target_lang": "<|en|>", "pnc": "<|pnc|>"}
    for name, value in slots.items():
        template = template.replace(f"|{name}|", value)
    ours = FIRST.prompt(FIRST.wish(DecodeOptions(language="de", task="translate"), timed=False))
    assert "".join(FIRST_TOKENS[number] for number in ours) == template


@pytest.mark.parametrize("gone", ["<|endoftext|>", "<|startoftranscript|>", "<|translate|>"])
def test_a_vocabulary_of_neither_kind(gone: str):
    with pytest.raises(Unavailable, match=r"no vocabulary of Canary's"):
        Vocabulary([token for token in FIRST_TOKENS if token != gone], tiny_canary.LANGUAGES)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (DecodeOptions(language="ja"), "'ja', only en, de, es, fr"),
        (DecodeOptions(language="it"), "'it', only en, de, es, fr"),  # a token of it there is, training there was none
        (DecodeOptions(task="translate", target_language="ja"), "'ja'"),
        (
            DecodeOptions(language="de", task="translate", target_language="fr"),
            "from en to de, es, fr and from them to en, not from de to fr",
        ),
    ],
)
def test_pairs_it_was_not_trained_on_are_refused_with_the_list(options: DecodeOptions, said: str):
    with pytest.raises(BadRequest, match=said) as caught:
        VOCABULARY.wish(options, timed=False)
    assert caught.value.code == "unsupported_language"


def said(text: str, confidence: float = 0.5) -> list[Said]:
    return [Said(TOKENS.index(token), -0.1, confidence) for token in text.split()]


def test_times_the_model_wrote_are_the_words_times():
    found = VOCABULARY.transcript(said("<|2|> ▁ba ba <|5|> <|7|> ▁do . <|9|>"), 1.0, "en")
    assert found.text == "baba do."
    assert [(word.start, word.end) for word in found.words] == [
        pytest.approx((2 * FRAME, 5 * FRAME)),
        pytest.approx((7 * FRAME, 9 * FRAME)),
    ]


def test_times_are_kept_in_order_and_inside_the_audio():
    found = VOCABULARY.transcript(said("<|9|> ▁ba <|3|> <|39|> ▁do <|39|> ▁da"), 1.0, "en")
    edges = [edge for word in found.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[-1] <= 1.0


def test_without_times_words_share_the_audio_and_keep_their_confidence():
    tokens = [*said("▁ba", 0.9), *said("▁do da", 0.3)]
    found = VOCABULARY.transcript(tokens, 2.0, "de")
    assert (found.text, found.language) == ("ba doda", "de")
    assert [word.confidence for word in found.words] == pytest.approx([0.9, 0.3])
    assert [word.start for word in found.words] == pytest.approx([0.0, 0.75])
    assert found.words[-1].end == pytest.approx(2.0)
    assert VOCABULARY.transcript([], 1.0, "en").text == ""


@pytest.mark.parametrize(
    ("ids", "again"),
    [
        ([], 0),
        ([1] * 11, 0),
        ([1] * 12, 11),
        ([9, *[1] * 12], 11),
        ([*[1] * 12, 9], 0),
        ([1, 2] * 5, 0),
        ([1, 2] * 6, 10),
        (list(range(16)) * 3, 0),
        (list(range(16)) * 4, 48),
        (list(range(17)) * 5, 0),
        (list(range(50)), 0),
    ],
)
def test_a_text_that_goes_round_in_circles_is_noticed(ids: list[int], again: int):
    assert loop(ids) == again


def test_length_is_bounded_by_the_audio():
    assert longest(0.1, timed=False) < longest(1.0, timed=False) < longest(1.0, timed=True) < longest(40, timed=False)


# ---------------------------------------------------------------------------------------------------- tiny random weights


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("onnx") is None:
        missing("onnx (pip install onnx), which writes the tiny model")
    return tiny_canary.make(tmp_path_factory.mktemp("canary") / "canary-tiny-random")


def adopted(place: Path) -> Model:
    assert FAMILY.adopt is not None
    model = FAMILY.adopt(place)
    assert model is not None
    return model


CPU = LoadOptions(device="cpu", threads=1)


@pytest.fixture(scope="module")
def engine(place: Path) -> Engine:
    return FAMILY.load(adopted(place), CPU)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))).astype(np.float32)


MIXED = [
    (DecodeOptions(language="en"), {"language": "en"}),
    (DecodeOptions(language="de-AT"), {"language": "de"}),
    (DecodeOptions(), {}),
    (DecodeOptions(language="fr", task="translate"), {"language": "fr", "target_language": "en"}),
    (DecodeOptions(punctuation=False), {"pnc": False}),
    (DecodeOptions(task="translate", target_language="es"), {"language": "en", "target_language": "es"}),
]


def test_a_folder_is_recognised_by_its_layout(place: Path, tmp_path: Path):
    model = adopted(place)
    assert (model.name, model.family, model.languages) == ("canary-tiny-random", "canary", tiny_canary.LANGUAGES)
    other = tiny_canary.make(tmp_path / "other")
    (other / "config.json").write_text('{"model_type": "nemo-conformer-tdt"}')
    assert FAMILY.adopt is not None
    assert FAMILY.adopt(other) is None
    (other / "config.json").unlink()
    assert FAMILY.adopt(other) is not None
    (other / "vocab.txt").write_text("<blk> 0\n")
    assert FAMILY.adopt(other) is None
    assert FAMILY.adopt(tmp_path) is None


def test_a_batch_of_many_wishes_equals_its_items(engine: Engine):
    batch = [Request(noise(0.7 + index, index), options) for index, (options, _) in enumerate(MIXED)]
    alone = [engine.transcribe([request])[0] for request in batch]
    for order in (range(6), reversed(range(6)), (3, 1, 4, 0, 5, 2)):
        shuffled = list(order)
        together = engine.transcribe([batch[index] for index in shuffled])
        for found, index in zip(together, shuffled, strict=True):
            assert found.text == alone[index].text
            assert found.language == alone[index].language
            assert [word.confidence for word in found.words] == pytest.approx(
                [word.confidence for word in alone[index].words], abs=1e-3
            )
    assert sum(len(one.words) for one in alone) > 20


def test_the_wish_changes_what_is_written(engine: Engine):
    texts = {engine.transcribe([Request(noise(2), options)])[0].text for options, _ in MIXED}
    assert len(texts) >= 4  # the default and English are one wish


def test_token_for_token_what_onnx_asr_writes(engine: Engine, place: Path):
    if find_spec("onnx_asr") is None:
        missing("onnx-asr (pip install onnx-asr), to compare with")
    import onnx_asr  # noqa: PLC0415

    theirs: Any = onnx_asr.load_model("nemo-conformer-aed", str(place))
    compared = 0
    for index, (options, told) in enumerate(MIXED):
        for seed in range(2):
            samples = noise(1.0 + 0.5 * index, seed)
            (ours,) = engine.transcribe([Request(samples, options)])
            whole = theirs.recognize(samples, **told).strip()
            assert ours.text
            assert whole == ours.text or whole.startswith(
                ours.text
            )  # ours ends where speech cannot be longer, or in a loop
            compared += whole == ours.text
    assert compared >= 6


def test_the_first_canary_decodes_a_batch_as_its_items(tmp_path: Path):
    engine = FAMILY.load(adopted(tiny_canary.make(tmp_path / "first", first=True)), CPU)
    wishes = [
        DecodeOptions(),
        DecodeOptions(language="de", punctuation=False),
        DecodeOptions(language="fr", task="translate"),
        DecodeOptions(task="translate", target_language="es"),
    ]
    requests = [Request(noise(1.0 + 0.5 * index), options) for index, options in enumerate(wishes)]
    together = engine.transcribe(requests)
    assert [one.text for one in together] == [engine.transcribe([request])[0].text for request in requests]
    assert all(one.text and "<|" not in one.text for one in together)
    assert len({engine.transcribe([Request(noise(2), options)])[0].text for options in wishes}) == len(wishes)


def test_silence_gives_nothing(engine: Engine):
    quiet = [np.zeros(0, np.float32), np.zeros(32_000, np.float32), noise(2) / 4000, noise(0.05)]
    found = engine.transcribe([Request(samples, DecodeOptions(language="de")) for samples in quiet])
    assert [(one.text, one.words, one.language) for one in found] == [("", (), "de")] * 4
    mixed = engine.transcribe([Request(quiet[1], DecodeOptions()), Request(noise(2), DecodeOptions())])
    assert (mixed[0].text, mixed[1].text) == ("", engine.transcribe([Request(noise(2), DecodeOptions())])[0].text)
    assert mixed[1].text


def test_it_ends_even_where_the_decoder_does_not(place: Path, monkeypatch: pytest.MonkeyPatch):
    engine: Any = FAMILY.load(adopted(place), CPU)
    real = engine._step
    monkeypatch.setattr(engine, "_step", lambda tokens, heard: _endless(real(tokens, heard)))
    (found,) = engine.transcribe([Request(noise(2), DecodeOptions())])
    assert 0 < len(found.words) <= longest(2, timed=False)


def _endless(log_probs: np.ndarray) -> np.ndarray:
    log_probs[:, VOCABULARY.end] = -np.inf
    return log_probs


def test_asked_for_times_it_is_prompted_so(place: Path, monkeypatch: pytest.MonkeyPatch):
    model = adopted(place)
    engine: Any = FAMILY.load(replace(model, capabilities=replace(model.capabilities, words=True)), CPU)
    told: list[list[int]] = []
    real: Callable[..., Any] = engine._step
    monkeypatch.setattr(engine, "_step", lambda tokens, heard: told.append(tokens[0].tolist()) or real(tokens, heard))
    engine.transcribe([Request(noise(1), DecodeOptions())])
    assert TOKENS.index("<|timestamp|>") in told[0]


def test_the_form_that_is_there_is_taken(tmp_path: Path):
    tiny_canary.make(tmp_path, seed=1, mark=".int8")
    model = adopted(tmp_path)
    for precision in ("auto", "int8", "fp32", "fp16"):
        FAMILY.load(model, replace(CPU, precision=precision))
    tiny_canary.make(tmp_path, seed=2)
    texts = {
        precision: FAMILY.load(model, replace(CPU, precision=precision))
        .transcribe([Request(noise(2), DecodeOptions())])[0]
        .text
        for precision in ("auto", "int8", "fp32")
    }
    assert texts["auto"] == texts["int8"] != texts["fp32"]


def test_broken_files_are_told_without_a_path(place: Path, tmp_path: Path):
    tiny_canary.make(tmp_path)
    model = adopted(tmp_path)
    (tmp_path / "encoder-model.onnx").write_bytes(b"\0" * 100)
    with pytest.raises(Unavailable, match="cannot be loaded") as caught:
        FAMILY.load(model, CPU)
    assert str(tmp_path) not in caught.value.message
    (tmp_path / "encoder-model.onnx").unlink()
    with pytest.raises(Unavailable, match="incomplete"):
        FAMILY.load(model, CPU)
    tiny_canary.make(tmp_path)
    for text, reason in (("nonsense", "cannot be read"), ("<blk> 0\n", "no vocabulary of Canary's")):
        (tmp_path / "vocab.txt").write_text(text)
        with pytest.raises(Unavailable, match=reason):
            FAMILY.load(model, CPU)
