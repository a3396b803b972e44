"""The whole engine on tiny graphs of random weights, in every layout and precision, beside onnx-asr and NeMo."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import onnx
import pytest

from conftest import missing
from stenod.decoding.transducer import Batch
from stenod.engines.base import LoadOptions, Request
from stenod.engines.parakeet_onnx import FAMILY
from stenod.engines.parakeet_onnx.engine import terms
from stenod.engines.parakeet_onnx.groups import Costs
from stenod.engines.parakeet_onnx.networks import Dissected, Whole
from stenod.errors import BadSettings, Unavailable
from stenod.options import DecodeOptions
from support import small_model, tiny_onnx, tiny_parakeet

KINDS = {
    "tdt": {"kind": "tdt"},
    "rnnt": {"kind": "rnnt"},
    "softmax": {"kind": "rnnt", "softmax": True},
    "whole": {"kind": "tdt", "seam": True},
    "sherpa": {"kind": "tdt", "sherpa": True},
    "ctc": {"kind": "ctc"},
    "blind": {"kind": "blind", "config": False},
}
TRANSDUCERS = ("tdt", "rnnt", "softmax", "whole", "sherpa")


def sounds(*counts):
    rng = np.random.default_rng(5)
    return [(rng.standard_normal(count) * 0.1).astype(np.float32) for count in counts]


def load(folder, **options):
    return FAMILY.load(FAMILY.adopt(folder), LoadOptions(**({"device": "cpu", "threads": 1} | options)))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: tiny_onnx.write(tmp_path_factory.mktemp(name), **wanted) for name, wanted in KINDS.items()}


@pytest.fixture(scope="module")
def engines(folders):
    return {name: load(folder) for name, folder in folders.items()}


def transcribe(engine, samples, options=DecodeOptions()):  # noqa: B008 frozen
    return engine.transcribe([Request(one, options) for one in samples])


def same(left, right):
    """The same words; times to the frame, confidences as far as sums in another order allow."""
    assert left.text == right.text
    assert [(word.start, word.end) for word in left.words] == [(word.start, word.end) for word in right.words]
    np.testing.assert_allclose(
        [word.confidence for word in left.words], [word.confidence for word in right.words], atol=1e-3
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_its_items_get_alone(engines, kind):
    engine = engines[kind]
    samples = sounds(16000, 48000, 30000, 100, 0, 1600, 8000, 64000, 160, 320)
    together = transcribe(engine, samples)
    assert len(together[1].words) > 2
    assert together[3].text == together[4].text == ""
    for one, alone in zip(together, samples, strict=True):
        same(one, transcribe(engine, [alone])[0])
    order = np.random.default_rng(1).permutation(len(samples))
    for at, one in zip(order, transcribe(engine, [samples[at] for at in order]), strict=True):
        same(one, together[at])


@pytest.mark.parametrize("costs", [Costs(), Costs(run=1e9), Costs(run=100), Costs(run=1e9, most=400)])
def test_how_the_encoder_is_run_changes_nothing(folders, engines, costs):
    samples = sounds(16000, 48000, 30000, 1600, 8000, 64000)
    engine = load(folders["tdt"])
    engine.costs = costs
    for one, other in zip(transcribe(engine, samples), transcribe(engines["tdt"], samples), strict=True):
        same(one, other)


def test_layouts_of_the_same_weights_say_the_same(engines):
    samples = sounds(48000, 30000)
    for one, sherpas, wholes in zip(
        *(transcribe(engines[kind], samples) for kind in ("tdt", "sherpa", "whole")), strict=True
    ):
        assert one.text == sherpas.text
        assert one.text == wholes.text


def test_decoders_are_taken_apart_where_they_can_be(engines):
    kinds = {kind: type(engines[kind].decoder) for kind in TRANSDUCERS}
    assert kinds == dict.fromkeys(TRANSDUCERS, Dissected) | {"whole": Whole}


@pytest.mark.parametrize("kind", KINDS)
def test_words_have_times_and_confidences(engines, kind):
    (one,) = transcribe(engines[kind], sounds(48000))
    assert [word.start for word in one.words] == sorted(word.start for word in one.words)
    for word in one.words:
        assert 0 <= word.start <= word.end <= 3.0 + 4 * 0.08
        assert 0 <= word.confidence <= 1


def test_durations_end_words(engines):
    """A TDT label lasts as long as its duration says, in frames of 80 ms."""
    engine = engines["tdt"]
    features, lengths = engine.features(sounds(48000))
    (tokens,) = engine.decode(features, lengths, [DecodeOptions()])
    spans = np.array([round((token.end - token.start) / 0.08) for token in tokens])
    assert set(spans.tolist()) <= {1, 2, 3, 4}
    assert len(set(spans.tolist())) > 1
    np.testing.assert_allclose([token.start % 0.08 % 0.0799999 for token in tokens], 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["tdt", "sherpa", "ctc"])
def test_options_are_each_request_s_own(engines, kind):
    engine = engines[kind]
    samples = sounds(48000)[0]
    options = [
        DecodeOptions(),
        DecodeOptions(language="en"),
        DecodeOptions(language="ru"),
        DecodeOptions(hotwords=("limo",)),
    ]
    together = engine.transcribe([Request(samples, one) for one in options])
    for one, wanted in zip(together, options, strict=True):
        same(one, engine.transcribe([Request(samples, wanted)])[0])
    texts = [one.text for one in together]
    assert not any("а" <= char <= "я" for char in texts[1])
    assert not any("a" <= char <= "z" for char in texts[2])
    assert any("а" <= char <= "я" for char in texts[0])
    assert [one.language for one in together] == [None, "en", "ru", None]


@pytest.mark.parametrize(
    ("prompt", "hotwords", "expected"),
    [
        (None, (), ()),
        (None, ("a", "b"), ("a", "b")),
        ("Kubernetes, Istio; Envoy proxy", ("Istio",), ("Istio", "Kubernetes", "Envoy proxy")),
        ("This is a meeting about many things.", ("x",), ("x",)),
        (" ,, \n", (), ()),
    ],
)
def test_what_a_prompt_lists(prompt, hotwords, expected):
    assert terms(DecodeOptions(prompt=prompt, hotwords=hotwords)) == expected


@pytest.mark.parametrize("kind", ["tdt", "sherpa", "ctc"])
def test_precisions(folders, tmp_path, kind, caplog):
    folder = shutil.copytree(folders[kind], tmp_path / kind)
    stems = [path.stem for path in folder.glob("*.onnx")]
    with caplog.at_level(logging.ERROR), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tools' own
        tiny_onnx.quantize(folder, *stems)
        tiny_onnx.halve(folder, *stems)
    samples = sounds(16000, 48000)
    exact = load(folder, precision="fp32")
    features, lengths = exact.features(samples)
    encoded, _ = exact.encode(features, lengths)
    for precision in ("fp16", "int8", "auto"):
        engine = load(folder, precision=precision)
        nearly, _ = engine.encode(features, lengths)
        assert nearly.dtype == np.float32
        assert np.corrcoef(nearly.ravel(), encoded.ravel())[0, 1] > 0.99, precision
        assert nearly.tobytes() != encoded.tobytes() or precision == "auto"
        found = transcribe(engine, samples)
        assert all(one.words for one in found), "random weights: which words is chance once numbers are rounded"
        if precision == "fp16":
            assert [one.text[:6] for one in found] == [one.text[:6] for one in transcribe(exact, samples)]


def test_an_encoder_of_one_precision_with_a_decoder_of_another(folders, tmp_path, caplog):
    folder = shutil.copytree(folders["tdt"], tmp_path / "mixed")
    with caplog.at_level(logging.ERROR):
        tiny_onnx.quantize(folder, "encoder-model")
        tiny_onnx.halve(folder, "decoder_joint-model")
    (folder / "encoder-model.onnx").unlink()
    (folder / "decoder_joint-model.onnx").unlink()
    engine = load(folder)
    assert transcribe(engine, sounds(16000))[0].words
    features, lengths = engine.features(sounds(48000, 16000))
    assert engine.decoder.project(engine.encode(features, lengths)[0]).dtype == np.float16


# -------------------------------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize("kind", ["tdt", "sherpa", "ctc"])
@pytest.mark.parametrize("damage", ["cut", "zeros", "empty"])
def test_damaged_files(folders, tmp_path, kind, damage):
    for number, path in enumerate(sorted(folders[kind].glob("*.onnx"))):
        folder = shutil.copytree(folders[kind], tmp_path / str(number))
        content = path.read_bytes()
        worse = {"cut": content[: len(content) // 2], "zeros": bytes(len(content)), "empty": b""}[damage]
        (folder / path.name).write_bytes(worse)
        with pytest.raises(Unavailable) as caught:
            load(folder)
        assert "pull" in caught.value.message
        assert str(tmp_path) not in caught.value.message


def test_graphs_of_another_kind(folders, tmp_path):
    folder = shutil.copytree(folders["tdt"], tmp_path / "odd")
    shutil.copy(folder / "encoder-model.onnx", folder / "decoder_joint-model.onnx")
    with pytest.raises(Unavailable, match="not of a kind known here"):
        load(folder)


def test_a_vocabulary_of_another_model(folders, tmp_path):
    folder = shutil.copytree(folders["tdt"], tmp_path / "long")
    (folder / "vocab.txt").write_text("".join(f"t{number} {number}\n" for number in range(60)) + "<blk> 60\n")
    with pytest.raises(Unavailable, match="more tokens than the model"):
        load(folder)


def test_files_that_went(folders, tmp_path):
    folder = shutil.copytree(folders["tdt"], tmp_path / "gone")
    model = FAMILY.adopt(folder)
    shutil.rmtree(folder)
    with pytest.raises(Unavailable, match="stenod models pull gone"):
        FAMILY.load(model, LoadOptions())
    with pytest.raises(Unavailable, match="not all there"):
        FAMILY.load(replace(model, params=()), LoadOptions())


def test_devices(folders):
    import onnxruntime  # noqa: PLC0415 heavy

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(Unavailable, match=r"stenod\[cuda\]"):
            load(folders["ctc"], device="cuda")
        assert load(folders["ctc"], device="auto")
    with pytest.raises(BadSettings, match="'mps'"):
        load(folders["ctc"], device="mps")


# ------------------------------------------------------------------------------------------------- beside the libraries


@pytest.mark.parametrize("batch", [1, 2, 3, 5, 8, 13, 17])
@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
def test_it_decodes_what_onnx_asr_decodes(folders, engines, kind, batch):
    """Label for label, from the same encodings."""
    if find_spec("onnx_asr") is None:
        missing("the package onnx-asr")
    import onnx_asr  # noqa: PLC0415 optional

    theirs = onnx_asr.load_model(f"nemo-conformer-{kind}", folders[kind], providers=["CPUExecutionProvider"])
    engine = engines[kind]
    lengths = np.random.default_rng(batch).integers(1600, 80000, batch).tolist()
    features, frames = engine.features(sounds(*lengths))
    encoded, ends = engine.encode(features, frames)
    expected = list(theirs.asr._decoding(encoded.transpose(0, 2, 1), ends, need_logprobs=True))
    found = engine.decode(features, frames, [DecodeOptions()] * batch)
    for (labels, starts, log_probs), tokens in zip(expected, found, strict=True):
        assert [token.id for token in tokens] == list(labels)
        assert [round(token.start / 0.08) for token in tokens] == list(starts)
        np.testing.assert_allclose([token.log_prob for token in tokens], log_probs, atol=1e-4)
    assert sum(map(len, found)) > batch


@pytest.mark.parametrize("batch", [1, 4, 16])
def test_the_small_model_says_what_it_says_in_onnx_asr(batch):
    """Trained weights and speech: label for label from the same encodings, in any order; end to end the same words."""
    if find_spec("onnx_asr") is None:
        missing("the package onnx-asr")
    import onnx_asr  # noqa: PLC0415 optional

    theirs = onnx_asr.load_model("nemo-conformer-tdt", small_model.SMALL, providers=["CPUExecutionProvider"])
    engine = load(small_model.SMALL, precision="fp32")
    takes = small_model.speech()
    chosen = [takes[at].samples for at in np.random.default_rng(batch).permutation(len(takes))[:batch]]
    features, frames = engine.features(chosen)
    encoded, ends = engine.encode(features, frames)
    decoded = theirs.asr._decoding(encoded.transpose(0, 2, 1), ends)
    expected = [(list(labels), list(starts)) for labels, starts, _ in decoded]
    projected = engine.decoder.project(encoded)
    found = engine.search(Batch(projected, ends))
    assert [(one.labels.tolist(), one.frames.tolist()) for one in found] == expected
    heard = transcribe(engine, chosen)
    assert [one.text for one in heard] == theirs.recognize(chosen)
    assert sum(len(one.words) for one in heard) >= batch


@pytest.mark.filterwarnings("ignore")  # the toolkit's dependencies deprecate each other
@pytest.mark.parametrize("kind", ["tdt", "rnnt", "ctc"])
def test_it_decodes_what_nemo_decodes(tmp_path, kind):
    """NeMo's own export of a random model, beside NeMo.

    The encodings agree as far as two runtimes do; from the same encodings a transducer's search gives the same labels on the
    same frames. (End to end, random scores that nearly tie may fall to either side; CTC's are far enough apart.)
    """
    if find_spec("nemo") is None:
        missing("the NeMo toolkit")
    import torch  # noqa: PLC0415 heavy
    from nemo.collections.asr.modules.rnnt import RNNTDecoderJoint  # noqa: PLC0415

    nets = tiny_parakeet.nemo(kind, tmp_path / "nemo")
    nets.preprocessor.featurizer.dither = 0.0
    folder = tmp_path / kind
    folder.mkdir()
    vocabulary = list(nets.tokenizer.vocab)
    samples = sounds(16000, 48000, 30000, 64000, 8000)
    counts = torch.tensor([len(one) for one in samples])
    waves = torch.zeros(len(samples), int(counts.max()))
    for row, one in zip(waves, samples, strict=True):
        row[: len(one)] = torch.from_numpy(one)
    with torch.no_grad():
        features, frames = nets.preprocessor(input_signal=waves, length=counts)
        encoded, ends = nets.encoder(audio_signal=features, length=frames)
        if kind == "ctc":
            scores = nets.decoder(encoder_output=encoded)
            expected = nets.decoding.ctc_decoder_predictions_tensor(scores, ends, return_hypotheses=True)
        else:
            expected = nets.decoding.rnnt_decoder_predictions_tensor(encoded, ends, return_hypotheses=True)
    if kind == "ctc":
        nets.export(str(folder / "model.onnx"))
    else:
        nets.encoder.export(str(folder / "encoder-model.onnx"))
        RNNTDecoderJoint(nets.decoder, nets.joint).export(str(folder / "decoder_joint-model.onnx"))
    lines = [f"{token} {number}\n" for number, token in enumerate([*vocabulary, "<blk>"])]
    (folder / "vocab.txt").write_text("".join(lines), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"max_tokens_per_step": 3}))  # as tiny_parakeet has it
    engine = load(folder)
    ours, lengths = engine.features(samples)
    if kind == "ctc":
        found = engine.decode(ours, lengths, [DecodeOptions()] * len(samples))
        for hypothesis, tokens in zip(expected, found, strict=True):
            frames = hypothesis.y_sequence.tolist()  # repeats and blanks included
            labels = [b for a, b in zip([-1, *frames], frames, strict=False) if a != b and b != len(vocabulary)]
            assert [token.id for token in tokens] == labels
        assert sum(map(len, found)) > 20
        return
    own, own_ends = engine.encode(ours, lengths)
    assert own_ends.tolist() == ends.tolist()
    for item, end in enumerate(own_ends.tolist()):
        np.testing.assert_allclose(own[item, :, :end], encoded[item, :, :end].numpy(), atol=5e-3)
    searched = engine.search(Batch(engine.decoder.project(encoded.numpy()), ends.numpy()))
    for hypothesis, one in zip(expected, searched, strict=True):
        assert one.labels.tolist() == hypothesis.y_sequence.tolist()
        assert one.frames.tolist() == [int(at) for at in hypothesis.timestamp]
    assert sum(len(one.labels) for one in searched) > 20


def test_the_graphs_are_untouched(folders):
    """Taking apart happens in memory."""
    for path in folders["tdt"].glob("*.onnx"):
        onnx.checker.check_model(str(path))
    assert sorted(path.name for path in folders["tdt"].iterdir()) == [
        "config.json",
        "decoder_joint-model.onnx",
        "encoder-model.onnx",
        "vocab.txt",
    ]
