"""NeMo's own forms of Parakeet: what the toolkit's `transcribe` says, in batches, with true spans, and clear errors."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from _words import distance

from conftest import missing
from stenod.engines import parakeet_nemo
from stenod.engines.base import LoadOptions, Request
from stenod.engines.parakeet_nemo import FAMILY
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.errors import BadSettings, Unavailable
from stenod.jobs import Decode, Kind
from stenod.models.store import Store
from stenod.options import RATE, DecodeOptions
from support import small_model, tiny_parakeet
from support.hearing import alike, compare, hear

pytestmark = pytest.mark.filterwarnings("ignore")  # the toolkit's dependencies deprecate each other

OPTIONS = DecodeOptions()
KINDS = ("tdt", "rnnt", "ctc", "hybrid", "hybrid?ctc", "small")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each kind with one archive in it."""
    if importlib.util.find_spec("nemo") is None:
        missing("the package nemo_toolkit[asr]")
    made = {kind: tmp_path_factory.mktemp(kind) for kind in ("tdt", "rnnt", "ctc", "hybrid", "small")}
    for kind, folder in made.items():
        if kind == "small":
            small_model.nemo(folder / "small.nemo")
        else:
            tiny_parakeet.nemo(kind, folder).save_to(str(folder / f"{kind}.nemo"))
    return made


@pytest.fixture(scope="module")
def load(folders):
    """Loads a kind, each once."""
    loaded = {}

    def get(kind, **options):
        name, _, decoder = kind.partition("?")
        model = FAMILY.adopt(folders[name])
        model = replace(model, params=(*model.params, ("decoder", decoder)))
        key = kind, *options.items()
        if key not in loaded:
            loaded[key] = FAMILY.load(model, LoadOptions(threads=1, **options))
        return loaded[key]

    return get


@pytest.fixture(scope="module")
def takes():
    return small_model.speech("clean", "speed", "noise", "both")


def test_words_of_the_small_model_and_their_times(load, takes):
    answers = hear(load("small"), *(take.samples for take in takes), language="en")
    for take, answer in zip(takes, answers, strict=True):
        assert answer.text == " ".join(word.text for word in answer.words)
        assert answer.language == "en"
        assert all(0 <= word.confidence <= 1 and 0 <= word.start <= word.end for word in answer.words)
        assert all(word.end <= len(take.samples) / RATE for word in answer.words)
    wrong, off = compare(answers, takes)
    assert wrong <= 0.08
    assert np.quantile(off, 0.9) <= 0.12


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_toolkit_itself_says(load, folders, takes, kind):
    from nemo.collections.asr.models import ASRModel  # noqa: PLC0415 heavy

    engine = load(kind)
    name, _, decoder = kind.partition("?")
    (file,) = folders[name].glob("*.nemo")
    net = ASRModel.restore_from(str(file), map_location="cpu")
    if decoder:
        net.change_decoding_strategy(decoder_type=decoder, verbose=False)
    for samples in (takes[0].samples, takes[9].samples, takes[0].samples[4000:12000]):
        (answer,) = hear(engine, samples)
        (wanted,) = net.transcribe([samples], timestamps=True, return_hypotheses=True, verbose=False)
        words = [word for word in wanted.timestamp["word"] if word["word"]]
        assert answer.text == " ".join(wanted.text.split())  # nonsense has spaces in a row
        assert [word.text for word in answer.words] == [word["word"] for word in words]
        if decoder or kind == "ctc":
            continue  # its ends are where the next token begins; ours are the token's own
        shift = max(0, RATE - len(samples)) // 2 / RATE  # it pads short audio on both sides and lets the times have it
        for word, other in zip(answer.words, words, strict=True):
            late = word.start - np.clip(other["start"] - shift, 0, len(samples) / RATE)
            assert -0.001 < late < 0.081  # where a lone word mark is ahead of the letters, it is no part of our word


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_its_items_in_any_order(load, takes, kind):
    engine = load(kind)
    samples = [take.samples for take in takes[::5]]
    samples.append(samples[0][:9000])
    alone = [hear(engine, one)[0] for one in samples]
    for order in (range(len(samples)), range(len(samples) - 1, -1, -1)):
        together = hear(engine, *(samples[at] for at in order))
        assert all(alike(answer, alone[at], 1e-4) for at, answer in zip(order, together, strict=True))
    assert len({answer.text for answer in alone}) > 1


def test_hotwords_are_each_request_s_own(load):
    engine = load("small")
    spoken = small_model.speech("confusable")
    plain = hear(engine, *(take.samples for take in spoken))
    asked = [DecodeOptions(hotwords=(take.about,) if at % 2 else ()) for at, take in enumerate(spoken)]
    mixed = engine.transcribe([Request(take.samples, one) for take, one in zip(spoken, asked, strict=True)])
    for at, (answer, before) in enumerate(zip(mixed, plain, strict=True)):
        if not asked[at].hotwords:
            assert alike(answer, before, 1e-4)
    found = [
        sum(take.about in answer.text.split() for take, answer in zip(spoken, answers, strict=True))
        for answers in (plain, hear(engine, *(take.samples for take in spoken), hotwords=spoken_words(spoken)))
    ]
    assert found[1] >= found[0]
    assert hear(engine, spoken[0].samples, hotwords=("字",)) == hear(engine, spoken[0].samples)


def spoken_words(spoken):
    return tuple(sorted({take.about for take in spoken}))


def test_lists_of_hotwords_are_forgotten_again(load, monkeypatch):
    from stenod.engines.parakeet_nemo import decoders  # noqa: PLC0415 imports the toolkit

    monkeypatch.setattr(decoders, "LISTS", 2)
    engine = load("small", batch_size=1)
    (take,) = small_model.speech("rare")[:1]
    first = hear(engine, take.samples, hotwords=("seven", take.about))
    for other in ("table", "lamp", "door"):
        hear(engine, take.samples, hotwords=(other,))
    assert hear(engine, take.samples, hotwords=("seven", take.about)) == first
    assert len(engine._decoder._numbers) == 2


@pytest.mark.parametrize("count", [0, 1, 300, RATE // 10 - 1])
def test_too_little_to_hear(load, takes, count):
    samples = np.full(count, 0.1, np.float32)
    quiet, spoken = hear(load("small"), samples, takes[0].samples)
    assert quiet.text == ""
    assert spoken == hear(load("small"), takes[0].samples)[0]


def test_half_precision_hears_about_the_same(load, takes):
    samples = [take.samples for take in takes[:8]]
    exact, rough = hear(load("small"), *samples), hear(load("small", precision="bf16"), *samples)
    wrong = sum(distance(a.text.split(), b.text.split()) for a, b in zip(exact, rough, strict=True))
    assert wrong <= 0.1 * sum(len(answer.words) for answer in exact)


@pytest.mark.parametrize(
    ("kind", "options", "params", "said"),
    [
        ("tdt", {"precision": "fp16", "device": "cpu"}, {}, "needs a CUDA GPU"),
        ("tdt", {"precision": "int8"}, {}, "not as int8"),
        ("tdt", {"device": "mps"}, {}, "not on mps"),
        ("tdt", {}, {"decoder": "ctc"}, "has no ctc decoder"),
        ("ctc", {}, {"decoder": "transducer"}, "has no transducer decoder"),
        ("tdt", {}, {"decoder": "beam"}, "must be ctc or transducer"),
        ("tdt", {}, {"directory": "gone"}, "stenod models pull"),
        ("tdt", {}, {"hub": "nvidia/nothing-of-the-kind"}, "could not be had from the model hub"),
    ],
)
def test_what_cannot_be_loaded_is_explained(folders, monkeypatch, kind, options, params, said):  # noqa: PLR0913, PLR0917
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    model = FAMILY.adopt(folders[kind])
    model = replace(model, params=tuple((dict(model.params) | params).items()))
    with pytest.raises((Unavailable, BadSettings), match=said) as caught:
        FAMILY.load(model, LoadOptions(**options))
    assert str(folders[kind]) not in caught.value.message


def test_a_damaged_file_is_explained(folders, tmp_path):
    (file,) = folders["tdt"].glob("*.nemo")
    (tmp_path / "bad.nemo").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    model = replace(FAMILY.adopt(folders["tdt"]), params=(("directory", str(tmp_path)),))
    with pytest.raises(Unavailable, match="cannot be read by NeMo") as caught:
        FAMILY.load(model, LoadOptions())
    assert str(tmp_path) not in caught.value.message


@pytest.mark.anyio
async def test_through_a_worker_process(folders, load, takes):
    registry = Registry([FAMILY])
    async with LocalRecognizer(registry, model=str(folders["small"])) as recognizer:
        await recognizer.preload()
        async with recognizer.lane() as lane:
            job = Decode(
                job=1, utterance=1, stretch=1, kind=Kind.FINAL, samples=takes[0].samples, start=0, context=0, last=True,
                options=OPTIONS,
            )  # fmt: skip
            answer = await lane.decode(job)
    assert answer.transcript.text == hear(load("small"), takes[0].samples)[0].text


def archive(path, target, mode="w", large=0):
    with tarfile.open(path, mode) as tar:
        for name, content in (("weights", b"0" * large), ("./model_config.yaml", f"a: 1\ntarget: {target}\n".encode())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize(
    ("target", "hotwords"),
    [
        ("nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel", True),
        ("nemo.collections.asr.models.EncDecHybridRNNTCTCBPEModel", True),
        ("nemo.collections.asr.models.ctc_models.EncDecCTCModel", False),
        ("nemo.collections.asr.models.aed_multitask_models.EncDecMultiTaskModel", None),
        ("nemo.collections.asr.models.EncDecRNNTBPEModelWithPrompt", None),
    ],
)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_known_by_its_class(tmp_path, target, hotwords, mode):
    folder = tmp_path / "mine"
    folder.mkdir()
    archive(folder / "model.nemo", target, mode, large=1000)
    for place, name in ((folder, "mine"), (folder / "model.nemo", "model")):
        model = FAMILY.adopt(place)
        if hotwords is None:
            assert model is None
        else:
            assert (model.name, model.family, model.capabilities.vocabulary) == (name, "parakeet-nemo", hotwords)


def test_what_is_no_archive_is_left_to_others(tmp_path):
    assert FAMILY.adopt(tmp_path) is None
    (tmp_path / "one.nemo").write_bytes(b"no archive")
    assert FAMILY.adopt(tmp_path) is None
    archive(tmp_path / "one.nemo", "a.EncDecCTCModel")
    archive(tmp_path / "two.nemo", "a.EncDecCTCModel")
    assert FAMILY.adopt(tmp_path) is None
    (tmp_path / "two.nemo").unlink()
    assert FAMILY.adopt(tmp_path) is not None


def test_without_the_toolkit_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(parakeet_nemo, "find_spec", lambda _: None)
    models = FAMILY.models(Store(Path("nowhere")))
    assert not any(model.installed for model in models)
    with pytest.raises(Unavailable, match=r"pip install 'stenod\[nemo\]'"):
        FAMILY.load(models[-1], LoadOptions())


def test_catalogued_files_lie_in_the_store(tmp_path):
    name = next(model.name for model in FAMILY.models(Store(tmp_path)) if model.name != parakeet_nemo.HUB)
    (tmp_path / name).mkdir()
    (model,) = (model for model in FAMILY.models(Store(tmp_path)) if model.name == name)
    assert model.installed
    assert dict(model.params)["directory"] == str(tmp_path / name)


def test_vocabularies_of_every_kind(folders):
    from stenod.engines.parakeet_nemo.decoders import vocabulary  # noqa: PLC0415 imports the toolkit

    letters = SimpleNamespace(tokenizer_type="char", labels_map={0: " ", 1: "a", 2: "b"})
    assert vocabulary(letters, None) == ["▁", "a", "b"]
    pieces = SimpleNamespace(vocab_size=2, ids_to_tokens=lambda ids: [["a", "##b"][at] for at in ids])
    assert vocabulary(SimpleNamespace(tokenizer_type="wpe"), pieces) == ["▁a", "b"]
