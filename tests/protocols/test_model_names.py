"""The models that clients of each dialect name, down to the model that they get.

What is best takes the place of a kind that is not here, with a warning; a checkpoint that is not here is refused, but where
the documents have it fall back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from stenod.engines.base import Capabilities, Family, Model
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.errors import ModelNotFound
from stenod.events import Configure
from stenod.options import Options
from stenod.protocols.base import Handshake, WireProtocol
from stenod.protocols.core_parakeet import CoreParakeet
from stenod.protocols.nexa import Nexa
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.protocols.parakeet_fastapi import ParakeetFastAPI
from stenod.protocols.pcm import Pcm
from stenod.protocols.stt_service import SttService
from stenod.protocols.tldw import Tldw

CATALOGUE = {
    "parakeet-tdt-0.6b-v3": ("parakeet-onnx", 85),
    "parakeet-tdt-0.6b-v2": ("parakeet-onnx", 80),
    "parakeet-tdt-0.6b-v3-nemo": ("parakeet-nemo", 86),
    "canary-1b-v2": ("canary", 75),
    "whisper-large-v3": ("whisper", 61),
    "whisper-distil-large-v3": ("whisper", 62),
    "pocketsphinx-en-us": ("pocketsphinx", 10),
}

ONNX = ("parakeet-tdt-0.6b-v3", "pocketsphinx-en-us")
ALL = tuple(CATALOGUE)
BARE = ("pocketsphinx-en-us",)


def registry(installed: Sequence[str]) -> Registry:
    def family(name: str) -> Family:
        models = [
            Model(
                name=model,
                family=name,
                installed=model in installed,
                languages=("*",),
                capabilities=Capabilities(targets=("en", "de", "fr", "es") if name in {"canary", "whisper"} else ()),
                licence="",
                size_mb=1,
                quality=quality,
                expect="",
            )
            for model, (belongs, quality) in CATALOGUE.items()
            if belongs == name
        ]
        return Family(name, lambda _: models, lambda *_: pytest.fail("nothing is loaded"))

    return Registry([family(name) for name in dict.fromkeys(belongs for belongs, _ in CATALOGUE.values())])


def _query(make: Callable[[Handshake], WireProtocol]) -> Callable[[dict[str, str]], Options]:
    return lambda told: _options(make(Handshake("1", told)).open())


def _frame(make: Callable[[Handshake], WireProtocol]) -> Callable[[dict[str, str]], Options]:
    def options(told: dict[str, str]) -> Options:
        protocol = make(Handshake("1"))
        commands = protocol.open()
        return _options([*commands, *protocol.receive(json.dumps({"type": "config"} | told))])

    return options


def _service(told: dict[str, str]) -> Options:
    return _options(SttService(Handshake("1")).receive(json.dumps({"type": "start_session", "session_config": told})))


def _options(commands: Sequence[object]) -> Options:
    return [command.options for command in commands if isinstance(command, Configure)][-1]


DIALECTS: dict[str, Callable[[dict[str, str]], Options]] = {
    "ws": _query(Pcm),
    "openai": _query(OpenAITranscription),
    "parakeet": _query(ParakeetFastAPI),
    "tldw": _frame(Tldw),
    "core": _frame(CoreParakeet),
    "nexa": lambda told: _options(Nexa(Handshake("1")).receive(json.dumps(told))),
    "stt": _service,
}
DOCUMENTED = ("tldw", "core")
"""Dialects of the second and third document, which name families, variants and sizes, and fall back from anything."""

V3, V2, NEMO, SPHINX = "parakeet-tdt-0.6b-v3", "parakeet-tdt-0.6b-v2", "parakeet-tdt-0.6b-v3-nemo", "pocketsphinx-en-us"
DISTIL, LARGE, CANARY = "whisper-distil-large-v3", "whisper-large-v3", "canary-1b-v2"


@pytest.mark.parametrize("dialect", DOCUMENTED)
@pytest.mark.parametrize(
    ("installed", "told", "given", "instead_of"),
    [
        (ONNX, {}, V3, None),
        (ONNX, {"model": "parakeet"}, V3, None),
        (ONNX, {"model": "parakeet", "variant": "standard"}, V3, None),
        (ONNX, {"model": "parakeet", "variant": "onnx"}, V3, None),
        (ONNX, {"model": "parakeet-onnx"}, V3, None),
        (ONNX, {"model": "parakeet", "variant": "mlx"}, V3, "parakeet-mlx"),
        (ONNX, {"model": "canary"}, V3, "canary"),
        (ONNX, {"model": "whisper"}, V3, "whisper"),
        (ONNX, {"model": "whisper", "whisper_model_size": "distil-large-v3"}, V3, DISTIL),
        (ONNX, {"model": "whisper", "whisper_model_size": "enormous"}, V3, "whisper-enormous"),
        (ONNX, {"model": "whisper-1"}, V3, "whisper-1"),
        (ONNX, {"model": "qwen3-asr"}, V3, "qwen3-asr"),
        (ONNX, {"model": V2}, V3, V2),
        (ONNX, {"model": "NexaAI/parakeet-npu"}, V3, None),
        (ALL, {}, NEMO, None),
        (ALL, {"model": "parakeet", "variant": "onnx"}, V3, None),
        (ALL, {"model": "parakeet", "variant": "standard"}, V3, None),  # the documents' usual one, so ours
        (ALL, {"model": "parakeet", "variant": "nemo"}, NEMO, None),  # ours, beside those of the documents
        (ALL, {"model": "canary", "language": "de"}, CANARY, None),
        (ALL, {"model": "whisper"}, DISTIL, None),
        (ALL, {"model": "whisper", "whisper_model_size": "large-v3"}, LARGE, None),
        (ALL, {"model": "whisper-1"}, DISTIL, None),
        (ALL, {"model": V2}, V2, None),
        (ALL, {"task": "translate", "target_language": "de"}, CANARY, None),
        (BARE, {"model": "parakeet"}, SPHINX, "parakeet"),
        (BARE, {"model": "parakeet", "variant": "onnx"}, SPHINX, "parakeet-onnx"),
        (BARE, {"model": "canary"}, SPHINX, "canary"),
    ],
)
def test_the_documents_names(
    dialect: str, installed: Sequence[str], told: dict[str, str], given: str, instead_of: str | None
) -> None:
    resolved = LocalRecognizer(registry(installed)).resolve(DIALECTS[dialect](told))
    assert (resolved.model, resolved.instead_of) == (given, instead_of)


@pytest.mark.parametrize(
    ("dialect", "installed", "told", "given", "instead_of"),
    [
        ("ws", ONNX, {}, V3, None),
        ("ws", ONNX, {"model": "parakeet"}, V3, None),
        ("ws", ONNX, {"model": "onnx"}, V3, None),
        ("ws", ONNX, {"model": "standard"}, V3, None),
        ("ws", ONNX, {"model": "mlx"}, V3, "mlx"),
        ("ws", ONNX, {"model": "canary"}, V3, "canary"),
        ("ws", ALL, {"model": "canary"}, CANARY, None),
        ("ws", ALL, {"model": "whisper-1"}, DISTIL, None),
        ("openai", ONNX, {}, V3, None),
        ("openai", ONNX, {"model": "whisper-1"}, V3, None),  # what programs written for the hosted service say
        ("openai", ALL, {"model": "whisper-1", "task": "translate"}, CANARY, None),
        ("openai", ONNX, {"model": "parakeet"}, V3, None),
        ("openai", ONNX, {"model": "canary"}, V3, "canary"),
        ("openai", ALL, {"model": "whisper"}, DISTIL, None),
        ("openai", ALL, {"model": LARGE}, LARGE, None),
        ("parakeet", ONNX, {"model": "canary"}, V3, None),  # this form has no model
        ("nexa", ONNX, {}, V3, None),
        ("nexa", ONNX, {"model": "NexaAI/parakeet-npu"}, V3, None),
        ("nexa", BARE, {"model": "NexaAI/parakeet-npu"}, SPHINX, None),
        ("nexa", ONNX, {"model": "canary"}, V3, "canary"),
        ("stt", ONNX, {}, V3, None),
    ],
)
def test_names_elsewhere(
    dialect: str, installed: Sequence[str], told: dict[str, str], given: str, instead_of: str | None
) -> None:
    resolved = LocalRecognizer(registry(installed)).resolve(DIALECTS[dialect](told))
    assert (resolved.model, resolved.instead_of) == (given, instead_of)


@pytest.mark.parametrize("dialect", ["ws", "openai", "nexa"])
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (CANARY, f"stenod models pull {CANARY}"),
        (V2, f"stenod models pull {V2}"),
        (LARGE, f"stenod models pull {LARGE}"),
        ("parakeet-tdt-9b", f"installed: {V3}"),
    ],
)
def test_a_checkpoint_that_is_not_installed_is_refused_with_what_gets_it(dialect: str, asked: str, said: str) -> None:
    with pytest.raises(ModelNotFound, match=said) as caught:
        LocalRecognizer(registry(ONNX)).resolve(DIALECTS[dialect]({"model": asked}))
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("dialect", ["ws", "openai", *DOCUMENTED])
@pytest.mark.parametrize(
    ("told", "task", "target"),
    [
        ({}, "transcribe", None),
        ({"task": "translate"}, "translate", None),
        ({"task": "translate", "target_language": "de"}, "translate", "de"),
        ({"target_language": "German"}, "translate", "de"),
        ({"task": "transcribe", "target_language": "de"}, "transcribe", "de"),
    ],
)
def test_a_translation_is_asked_for_alike(dialect: str, told: dict[str, str], task: str, target: str | None) -> None:
    decode = DIALECTS[dialect](told).decode
    assert (decode.task, decode.target_language) == (task, target)


@pytest.mark.parametrize("dialect", ["ws", "openai", *DOCUMENTED])
@pytest.mark.parametrize(("told", "wanted"), [({}, True), ({"punctuation": "false"}, False)])
def test_punctuation_is_left_out_where_that_is_asked(dialect: str, told: dict[str, str], wanted: bool) -> None:
    assert DIALECTS[dialect](told).decode.punctuation is wanted
