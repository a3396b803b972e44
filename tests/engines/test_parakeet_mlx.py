"""Parakeet for MLX, on the processor: what the library's networks say of NeMo's features, item by item or together."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from _words import distance

from conftest import needs
from stenod.decoding.features import LogMel
from stenod.engines import parakeet_mlx, parakeet_nemo
from stenod.engines.base import LoadOptions, Request
from stenod.engines.parakeet_mlx import FAMILY
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.errors import BadSettings, Unavailable
from stenod.jobs import Decode, Kind
from stenod.models.store import Store
from stenod.options import RATE, DecodeOptions
from support import small_model, tiny_parakeet
from support.hearing import alike, compare, hear

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' dependencies deprecate each other


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    needs("mlx", "parakeet_mlx")
    return small_model.mlx(tmp_path_factory.mktemp("mlx") / "small")


@pytest.fixture(scope="module")
def engine(folder):
    return FAMILY.load(FAMILY.adopt(folder), LoadOptions())


@pytest.fixture(scope="module")
def takes():
    return small_model.speech("clean", "speed", "noise", "both")


def test_words_of_the_small_model_and_their_times(engine, takes):
    answers = hear(engine, *(take.samples for take in takes), language="en")
    for answer in answers:
        assert (answer.text, answer.language) == (" ".join(word.text for word in answer.words), "en")
        assert all(0 <= word.confidence <= 1 and 0 <= word.start <= word.end for word in answer.words)
    wrong, off = compare(answers, takes)
    assert wrong <= 0.08
    assert np.quantile(off, 0.9) <= 0.12


def test_token_for_token_what_the_library_decodes(engine, folder, takes):
    import mlx.core as mx  # noqa: PLC0415 heavy
    from parakeet_mlx import from_pretrained  # noqa: PLC0415

    net = from_pretrained(str(folder), dtype=mx.float32)
    for take, answer in zip(takes, hear(engine, *(take.samples for take in takes)), strict=True):
        features, _ = LogMel(128)([take.samples])
        (wanted,) = net.generate(mx.array(features.transpose(0, 2, 1)))
        assert answer.text == wanted.text
        starts = [token.start for token in wanted.tokens if token.text.startswith(" ") and token.text != " "]
        assert {round(word.start, 3) for word in answer.words} >= {round(start, 3) for start in starts}


def test_a_batch_is_its_items_in_any_order(engine, takes):
    samples = [take.samples for take in takes[::4]]
    samples += [samples[0], samples[0][:9000]]
    alone = [hear(engine, one)[0] for one in samples]
    for order in (range(len(samples)), range(len(samples) - 1, -1, -1)):
        together = hear(engine, *(samples[at] for at in order))
        assert all(alike(answer, alone[at], 1e-3) for at, answer in zip(order, together, strict=True))


@pytest.mark.parametrize(
    ("kind", "decoder"), [("tdt", ""), ("rnnt", ""), ("ctc", ""), ("hybrid", ""), ("hybrid", "ctc")]
)
def test_every_kind_says_what_nemo_says(tmp_path, takes, kind, decoder):
    needs("mlx", "parakeet_mlx", "nemo")
    net = tiny_parakeet.nemo(kind, tmp_path)
    tiny_parakeet.mlx(net, tmp_path / "mlx")
    (tmp_path / "nemo").mkdir()
    net.save_to(str(tmp_path / "nemo" / "tiny.nemo"))
    samples = [take.samples for take in takes[:4]]
    both = []
    for family, name in ((FAMILY, "mlx"), (parakeet_nemo.FAMILY, "nemo")):
        model = family.adopt(tmp_path / name)
        loaded = family.load(replace(model, params=(*model.params, ("decoder", decoder))), LoadOptions(device="cpu"))
        both.append(hear(loaded, *samples))
    assert all(alike(ours, theirs, 0.02) for ours, theirs in zip(*both, strict=True))
    assert len({answer.text for answer in both[0]}) > 1


def test_hotwords_and_scripts_are_each_request_s_own(engine):
    spoken = small_model.speech("confusable", "rare")
    plain = hear(engine, *(take.samples for take in spoken))
    asked = [DecodeOptions(hotwords=(take.about,) if at % 2 else ()) for at, take in enumerate(spoken)]
    mixed = engine.transcribe([Request(take.samples, one) for take, one in zip(spoken, asked, strict=True)])
    for one, answer, before in zip(asked, mixed, plain, strict=True):
        assert one.hotwords or alike(answer, before, 1e-3)
    terms = tuple(sorted({take.about for take in spoken}))
    found = [
        sum(take.about in answer.text.split() for take, answer in zip(spoken, answers, strict=True))
        for answers in (plain, hear(engine, *(take.samples for take in spoken), hotwords=terms))
    ]
    assert found[1] > found[0]


@pytest.mark.parametrize("count", [0, 1, 300, RATE // 10 - 1])
def test_too_little_to_hear(engine, takes, count):
    quiet, spoken = hear(engine, np.full(count, 0.1, np.float32), takes[0].samples)
    assert quiet.text == ""
    assert spoken == hear(engine, takes[0].samples)[0]


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_hears_about_the_same(engine, folder, takes, precision):
    samples = [take.samples for take in takes[:4]]
    rough = hear(FAMILY.load(FAMILY.adopt(folder), LoadOptions(precision=precision)), *samples)
    exact = hear(engine, *samples)
    wrong = sum(distance(a.text.split(), b.text.split()) for a, b in zip(exact, rough, strict=True))
    assert wrong <= 0.15 * sum(len(answer.words) for answer in exact)


@pytest.mark.parametrize(
    ("options", "params", "said"),
    [
        ({"precision": "int8"}, {}, "not as int8"),
        ({"device": "cuda"}, {}, "not on cuda"),
        ({}, {"decoder": "ctc"}, "has no ctc decoder"),
        ({}, {"decoder": "beam"}, "must be ctc or transducer"),
        ({}, {"directory": "gone"}, "incomplete: config.json, model.safetensors missing"),
    ],
)
def test_what_cannot_be_loaded_is_explained(folder, options, params, said):
    model = FAMILY.adopt(folder)
    model = replace(model, params=tuple((dict(model.params) | params).items()))
    with pytest.raises((Unavailable, BadSettings), match=said):
        FAMILY.load(model, LoadOptions(**options))


def change(folder, place, **changes):
    """A copy of the model's folder with another configuration."""
    place.mkdir()
    told = json.loads((folder / "config.json").read_text())
    for part, more in changes.items():
        told[part] |= more
    (place / "config.json").write_text(json.dumps(told))
    (place / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    return FAMILY.adopt(place)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": {"d_model": 128}}, "cannot be read by parakeet-mlx"),
        ({"encoder": {"subsampling": "striding"}}, "cannot be read by parakeet-mlx"),
        ({"preprocessor": {"normalize": "all_features"}}, "wants features of a kind"),
    ],
)
def test_what_does_not_fit_is_explained(folder, tmp_path, changes, said):
    with pytest.raises(Unavailable, match=said) as caught:
        FAMILY.load(change(folder, tmp_path / "other", **changes), LoadOptions())
    assert str(tmp_path) not in caught.value.message


@pytest.mark.anyio
async def test_through_a_worker_process(folder, engine, takes):
    registry = Registry([FAMILY])
    async with LocalRecognizer(registry, model=str(folder)) as recognizer:
        await recognizer.preload()
        async with recognizer.lane() as lane:
            job = Decode(
                job=1, utterance=1, stretch=1, kind=Kind.FINAL, samples=takes[0].samples, start=0, context=0, last=True,
                options=DecodeOptions(),
            )  # fmt: skip
            answer = await lane.decode(job)
    assert answer.transcript.text == hear(engine, takes[0].samples)[0].text


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({"target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel"}, True),
        ({"target": "nemo.collections.asr.models.EncDecHybridRNNTCTCBPEModel"}, True),
        ({"target": "nemo.collections.asr.models.EncDecMultiTaskModel"}, False),
        ({"model_type": "whisper"}, False),
        ([], False),
    ],
)
def test_a_folder_is_known_by_its_configuration(tmp_path, told, known):
    (tmp_path / "config.json").write_text(json.dumps(told))
    assert FAMILY.adopt(tmp_path) is None  # without weights
    (tmp_path / "model.safetensors").write_bytes(b"")
    model = FAMILY.adopt(tmp_path)
    assert (model is not None) == known
    assert not known or (model.name, model.family) == (tmp_path.name, "parakeet-mlx")


def test_without_the_library_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(parakeet_mlx, "find_spec", lambda _: None)
    models = FAMILY.models(Store(tmp_path))
    assert models
    assert not any(model.installed for model in models)
    with pytest.raises(Unavailable, match=r"pip install 'stenod\[mlx\]'"):
        FAMILY.load(models[0], LoadOptions())
