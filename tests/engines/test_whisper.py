"""Whisper: which texts are believed (pure), and tiny random weights through faster-whisper itself."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import missing
from stenod.engines import whisper
from stenod.engines.base import Engine, LoadOptions, Model, Request
from stenod.engines.whisper import FAMILY
from stenod.engines.whisper.judging import Guards, Take, longest
from stenod.errors import BadRequest, Unavailable
from stenod.options import DecodeOptions
from support import tiny_whisper

SURE = (("log_prob_threshold", -99.0), ("compression_ratio_threshold", 99.0))
"""No second attempts, whose sampling depends on what else is in the batch."""


# ------------------------------------------------------------------------------------------------- which texts to believe


@pytest.mark.parametrize(
    ("text", "log_prob", "no_speech", "silent", "doubtful"),
    [
        ("The hatch was closed.", -0.3, 0.1, False, False),
        ("The hatch was closed.", -0.3, 0.9, False, False),  # sure of the words: somebody speaks
        ("Thank you.", -1.2, 0.9, True, False),  # what it makes of silence, known by its scores
        ("Thank you.", -1.2, 0.2, False, True),
        ("no no no no no no no no no no no no no no no no no no", -0.1, 0.1, False, True),
        ("no no no no no no no no no no no no no no no no no no", -1.2, 0.9, True, False),
        ("", -0.1, 0.2, False, False),
    ],
)
def test_silence_and_doubt(text: str, log_prob: float, no_speech: float, silent: bool, doubtful: bool):
    take = Take((1,), text, log_prob, no_speech)
    assert (Guards().silent(take), Guards().doubtful(take)) == (silent, doubtful)


def test_a_text_that_repeats_itself_is_never_the_better_one():
    loop, plain, poor = Take((1,), "la " * 60, -0.1, 0), Take((1,), "a word", -2.0, 0), Take((1,), "others", -3.0, 0)
    guards = Guards()
    assert guards.better(loop, plain) is guards.better(plain, loop) is plain
    assert guards.better(poor, plain) is guards.better(plain, poor) is plain


def test_a_loop_on_a_short_utterance_ends_early():
    assert longest(1.0) < longest(10.0) < 448
    assert longest(0.1) >= 10


# ------------------------------------------------------------------------------------------------- tiny random weights


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("faster_whisper") is None:
        missing("faster-whisper (pip install 'stenod[whisper]')")
    return tiny_whisper.make(tmp_path_factory.mktemp("whisper") / "whisper-tiny-random")


def adopted(place: Path, *params: tuple[str, Any]) -> Model:
    assert FAMILY.adopt is not None
    model = FAMILY.adopt(place)
    assert model is not None
    return replace(model, params=(*model.params, *params))


@pytest.fixture(scope="module")
def engine(place: Path) -> Engine:
    return FAMILY.load(adopted(place, *SURE), LoadOptions(precision="fp32", device="cpu", threads=1))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))).astype(np.float32)


MIXED = [
    DecodeOptions(language="en"),
    DecodeOptions(language="de-AT"),
    DecodeOptions(),
    DecodeOptions(language="fr", task="translate", target_language="en"),
    DecodeOptions(language="en", prompt="About tides."),
    DecodeOptions(language="en", hotwords=("Fundy", "Minas")),
    DecodeOptions(language="es", beam_size=1),
]


def test_a_folder_is_recognised_by_its_layout(place: Path, tmp_path: Path):
    model = adopted(place)
    assert (model.name, model.family, model.languages) == ("whisper-tiny-random", "whisper", ("*",))
    assert model.capabilities.targets == ("en",)
    english = adopted(tiny_whisper.make(tmp_path / "mine.en", multilingual=False))
    assert english.languages == ("en",)
    assert english.capabilities.targets == ()
    assert FAMILY.adopt is not None
    (tmp_path / "mine.en" / "tokenizer.json").unlink()
    assert FAMILY.adopt(tmp_path / "mine.en") is None
    assert FAMILY.adopt(tmp_path) is None


def test_another_model_of_ctranslate2_is_not_whisper(tmp_path: Path):
    for name in ("model.bin", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_text("")
    assert FAMILY.adopt is not None
    for config in ("{}", json.dumps({"bos_token": "<s>"}), "[]", "no JSON"):
        (tmp_path / "config.json").write_text(config)
        assert FAMILY.adopt(tmp_path) is None


def test_a_batch_equals_its_items(engine: Engine):
    batch = [Request(noise(1 + index / 2, index), options) for index, options in enumerate(MIXED)]
    together, alone = engine.transcribe(batch), [engine.transcribe([request])[0] for request in batch]
    assert [one.text for one in together] == [one.text for one in alone]
    assert any(one.text for one in alone)
    assert together[3].language == "en"  # what a translation is in
    for one, other in zip(together, alone, strict=True):
        assert one.language == other.language
        assert [(word.start, word.end) for word in one.words] == [(word.start, word.end) for word in other.words]
        assert [word.confidence for word in one.words] == pytest.approx(
            [word.confidence for word in other.words], abs=1e-3
        )


def test_words_lie_inside_the_audio_in_order_and_spell_the_text(engine: Engine):
    for seed in range(4):
        (found,) = engine.transcribe([Request(noise(2.5, seed), DecodeOptions(language="en"))])
        assert " ".join(found.text.split()) == found.text
        edges = [word.start for word in found.words]
        assert edges == sorted(edges)
        assert all(0 <= word.start <= word.end <= 2.5 and 0 <= (word.confidence or 0) <= 1 for word in found.words)


def test_options_arrive_as_tokens(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """Each request of a batch is prompted with its own language, task and context, whatever the others want."""
    told: list[tuple[list[int], int]] = []
    generate = engine._model.model.generate
    inner = _Spied(
        engine._model.model, lambda prompts, beam: told.extend((prompt, beam) for prompt in prompts), generate
    )
    monkeypatch.setattr(engine._model, "model", inner)
    engine.transcribe([Request(noise(1), options) for options in MIXED])
    ids = {token: index for index, token in enumerate(tiny_whisper.vocabulary())}
    sot, notime, prev = (ids[f"<|{name}|>"] for name in ("startoftranscript", "notimestamps", "startofprev"))
    asked = {
        (tuple(prompt[: prompt.index(sot)]), *prompt[prompt.index(sot) + 1 : prompt.index(notime)], beam)
        for prompt, beam in told
    }
    encode = engine._model.hf_tokenizer.encode
    about = (prev, *encode(" About tides.", add_special_tokens=False).ids)
    words = (prev, *encode(" Fundy, Minas", add_special_tokens=False).ids)
    transcribe, translate = ids["<|transcribe|>"], ids["<|translate|>"]
    language = {code: ids[f"<|{code}|>"] for code in ("en", "de", "fr", "es")}
    assert {
        ((), language["en"], transcribe, 5),
        ((), language["de"], transcribe, 5),
        ((), language["fr"], translate, 5),
        ((), language["es"], transcribe, 1),
        (about, language["en"], transcribe, 5),
        (words, language["en"], transcribe, 5),
    } <= asked
    assert len(told) == len(MIXED)


class _Spied:
    """CTranslate2's model, noting prompts and beams."""

    def __init__(self, model: Any, note: Any, generate: Any) -> None:
        self._model, self._note, self._generate = model, note, generate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def generate(self, encoded: Any, prompts: Any, **options: Any) -> Any:
        self._note(prompts, options["beam_size"])
        return self._generate(encoded, prompts, **options)


def test_the_language_is_detected_among_those_the_model_knows(engine: Engine):
    found = engine.transcribe([Request(noise(1, seed), DecodeOptions()) for seed in range(3)])
    assert {one.language for one in found} <= {"en", "de", "fr", "es"}
    named = engine.transcribe([Request(noise(1), DecodeOptions(language="de-AT"))])
    assert named[0].language == "de"


@pytest.mark.parametrize("seconds", [0.3, 2.0, 29.9, 30.0])
def test_what_follows_the_audio_is_heard_as_silence(engine: Any, seconds: float):
    """As in training, where the samples were filled up with zeros and not the features."""
    samples = noise(seconds)
    whole = engine._model.feature_extractor(np.pad(samples, (0, 480_000 - len(samples))), padding=0)
    np.testing.assert_allclose(engine._features(samples)[:, :2990], whole[:, :2990], atol=1e-5)


def test_token_for_token_what_transformers_writes(tmp_path: Path, place: Path):
    """From the samples to the text: features, encoder, prompt and greedy search."""
    if find_spec("transformers") is None or find_spec("torch") is None:
        missing("transformers and torch (pip install transformers torch), to compare with")
    import torch  # noqa: PLC0415
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration  # noqa: PLC0415

    tokens = tiny_whisper.vocabulary()
    ids = {token: index for index, token in enumerate(tokens)}
    end = ids["<|endoftext|>"]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    named = {f"{kind}_token_id": end for kind in ("eos", "pad", "bos", "decoder_start")}
    shape = {f"{side}_{size}": count for side in ("encoder", "decoder") for size, count in SHAPE.items()}
    config = WhisperConfig(vocab_size=len(tokens), d_model=32, init_std=0.4, suppress_tokens=[], **named, **shape)
    theirs = WhisperForConditionalGeneration(config).eval()
    model = adopted(tiny_whisper.convert(tmp_path / "converted", theirs), *SURE, ("beam_size", 1))
    engine: Any = FAMILY.load(model, LoadOptions(precision="fp32", device="cpu", threads=1))
    names = ("startoftranscript", "en", "transcribe", "notimestamps")
    for seed, seconds in enumerate((1.0, 2.3, 5.0)):
        samples = noise(seconds, seed)
        features = WhisperFeatureExtractor()(samples, sampling_rate=16_000, return_tensors="pt").input_features
        np.testing.assert_allclose(engine._features(samples), features[0].numpy(), atol=1e-5)
        written = [ids[f"<|{name}|>"] for name in names]
        with torch.no_grad():
            heard = theirs.model.encoder(features)
            for step in range(16):
                logits = theirs(encoder_outputs=heard, decoder_input_ids=torch.tensor([written])).logits[0, -1]
                logits[[*engine._suppressed, *([end, ids["Ġ"]] if step == 0 else [])]] = -torch.inf
                written.append(int(logits.argmax()))
                if written[-1] == end:
                    break
        (ours,) = engine.transcribe([Request(samples, DecodeOptions(language="en"))])
        text = " ".join(engine._tokenizer("en", "transcribe").decode(written).split())
        assert ours.text[:40] == text[:40]
        assert len(text) > 40


SHAPE = {"layers": 1, "attention_heads": 2, "ffn_dim": 64}


def test_silence_gives_nothing(engine: Engine, place: Path):
    quiet = [np.zeros(0, np.float32), np.zeros(16_000, np.float32), noise(2) / 4000]
    assert [one.text for one in engine.transcribe([Request(samples, DecodeOptions()) for samples in quiet])] == [""] * 3
    never = FAMILY.load(
        adopted(place, ("no_speech_threshold", -1.0), ("log_prob_threshold", 1.0)),
        LoadOptions(precision="fp32", device="cpu", threads=1),
    )
    assert never.transcribe([Request(noise(2), DecodeOptions(language="en"))])[0].text == ""


def test_attempts_are_bounded(place: Path, monkeypatch: pytest.MonkeyPatch):
    engine: Any = FAMILY.load(
        adopted(place, ("log_prob_threshold", 1.0), ("no_speech_threshold", 2.0)),
        LoadOptions(precision="fp32", device="cpu", threads=1),
    )
    calls: list[int] = []
    model = engine._model.model
    monkeypatch.setattr(engine._model, "model", _Spied(model, lambda _, beam: calls.append(beam), model.generate))
    engine.transcribe(
        [Request(noise(1), DecodeOptions(language="en")), Request(noise(2), DecodeOptions(language="en"))]
    )
    assert calls == [5, 1, 1]


def test_thirty_seconds_and_a_long_prompt_fit(engine: Engine):
    options = DecodeOptions(language="en", prompt="tide " * 300, hotwords=("word",) * 100)
    (found,) = engine.transcribe([Request(noise(30), options)])
    assert found.language == "en"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (DecodeOptions(language="tlh"), "'tlh'"),
        (DecodeOptions(language="en", task="translate", target_language="de"), "into English only"),
    ],
)
def test_what_whisper_cannot_do_is_said(engine: Engine, options: DecodeOptions, said: str):
    with pytest.raises(BadRequest, match=said) as caught:
        engine.transcribe([Request(noise(1), options)])
    assert caught.value.code == "unsupported_language"


def test_an_english_model_asks_for_no_language(tmp_path: Path, place: Path):
    model = adopted(tiny_whisper.make(tmp_path / "small.en", multilingual=False), *SURE)
    engine = FAMILY.load(model, LoadOptions(precision="int8", device="cpu", threads=1))
    found = engine.transcribe([Request(noise(1), DecodeOptions()), Request(noise(1), DecodeOptions(language="en"))])
    assert found[0].language == found[1].language == "en"
    assert found[0].text == found[1].text


@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16", "int8"])
def test_every_precision_loads_here(place: Path, precision: str):
    engine: Any = FAMILY.load(adopted(place, *SURE), LoadOptions(precision=precision, threads=1, device="cpu"))
    assert engine._model.model.compute_type in {"int8", "int8_float32", "float32", "float16"}


def test_broken_files_are_told_without_a_path(place: Path, tmp_path: Path):
    for name in ("config.json", "tokenizer.json", "vocabulary.json"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    (tmp_path / "model.bin").write_bytes(b"\0" * 100)
    with pytest.raises(Unavailable) as caught:
        FAMILY.load(adopted(tmp_path), LoadOptions(device="cpu"))
    assert str(tmp_path) not in caught.value.message
    (tmp_path / "model.bin").unlink()
    with pytest.raises(Unavailable, match=r"model\.bin missing"):
        FAMILY.load(replace(adopted(place), params=(("directory", str(tmp_path)),)), LoadOptions(device="cpu"))


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(whisper, "find_spec", lambda _: None)
    model = Model(
        name="whisper-tiny",
        family="whisper",
        installed=True,
        languages=("*",),
        capabilities=whisper._can(("*",), translates=True),
        licence="MIT",
        size_mb=1,
        quality=1,
        expect="",
        params=(("directory", str(tmp_path)),),
    )
    with pytest.raises(Unavailable, match=r"pip install 'stenod\[whisper\]'"):
        FAMILY.load(model, LoadOptions())
