"""The portable core's dialect: each field of a config is an option, and nothing a client sends breaks it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.events import Audio, Clear, Commit, Configure, Configured, End, Fail, Failed, Ping, Stamp
from stenod.options import Options
from stenod.protocols.base import Handshake
from stenod.protocols.core_parakeet import CoreParakeet

STAMP = Stamp(1, 0.0)


def configured(protocol: CoreParakeet, **told: Any) -> Options:
    [command] = protocol.receive(json.dumps({"type": "config"} | told))
    assert isinstance(command, Configure)
    return command.options


@pytest.mark.parametrize(
    ("told", "option", "value"),
    [
        ({"model": "other"}, "decode.model", "other"),
        ({"model_variant": "onnx"}, "decode.model", "parakeet-onnx"),
        ({"model": "parakeet", "variant": "standard"}, "decode.model", "parakeet"),
        ({"sample_rate": 8000}, "format.rate", 8_000),
        ({"chunk_duration": 1.5}, "piece", 1.5),
        ({"overlap_duration": 15}, "context", 15.0),
        ({"max_buffer_duration": 20}, "max_utterance", 20.0),
        ({"language": "german"}, "decode.language", "de"),
        ({"enable_partial": False}, "partials", False),
        ({"partial_interval": 0.2}, "partial_interval", 0.2),
        ({"min_partial_duration": 1}, "min_partial", 1.0),
        ({"diarization": True}, "diarize", True),
        ({"diarization": {"enabled": True, "num_speakers": 2}}, "diarize", True),
        ({"diarize": True}, "diarize", True),
        ({"insights": {"provider": "mine"}}, "analyze", True),
        ({"insights_enabled": True}, "analyze", True),
    ],
)
def test_each_field(told: dict[str, Any], option: str, value: Any) -> None:
    protocol = CoreParakeet(Handshake("id"))
    before, after = configured(protocol), configured(protocol, **told)
    assert _dotted(after, option) == value != _dotted(before, option)


def _dotted(value: Any, name: str) -> Any:
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_a_later_config_changes_what_it_names_and_nothing_else() -> None:
    protocol = CoreParakeet(Handshake("id"))
    configured(protocol, chunk_duration=1.0, language="en")
    options = configured(protocol, language="de")
    assert (options.piece, options.decode.language) == (1.0, "de")


def test_overlap_is_reported_from_the_config_on_that_was_answered() -> None:
    protocol = CoreParakeet(Handshake("id"))
    assert protocol.send(Configured(Options()), STAMP) == []
    protocol.send(Configured(configured(protocol, overlap_duration=0.25)), STAMP)
    assert protocol._segments.overlap == 0.25


@pytest.mark.parametrize("wrap", ["{}", "{}\n", " {} "])
@pytest.mark.parametrize("size", [4, 5, 6, 7, 8, 400])
@pytest.mark.parametrize("padded", [True, False])
def test_base64_as_it_comes(size: int, wrap: str, *, padded: bool) -> None:
    sound = bytes(range(256)) * 2
    text = base64.b64encode(sound[:size]).decode()
    data = wrap.format(text if padded else text.rstrip("="))
    [command] = CoreParakeet(Handshake("id")).receive(json.dumps({"type": "audio", "data": data}))
    assert command == Audio(sound[: size // 4 * 4])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from([
    "model", "model_variant", "sample_rate", "chunk_duration", "overlap_duration", "max_buffer_duration", "language",
    "enable_partial", "partial_interval", "min_partial_duration", "diarization", "diarize", "insights", "data", "enable_vad",
])  # fmt: skip
kinds = st.sampled_from(["config", "audio", "commit", "reset", "stop", "ping", "Config", ""]) | values
objects = st.builds(
    lambda kind, more: {"type": kind} | more, kinds, st.dictionaries(names | st.text(max_size=8), values, max_size=6)
)
messages = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200),
    objects.map(json.dumps),
    st.builds(lambda told, at: json.dumps(told)[:at], objects, st.integers(0, 60)),
    st.sampled_from(["[" * 10_000, '{"type":' * 2_000, '{"type":"audio","data":"' + "=" * 5_000 + '"}', "1" * 5_000]),
    st.sampled_from(
        ['{"type":"\\ud800"}', '{"type":"audio","data":"\\u00e9\\ud800"}', '{"type":"config","\\ud800":1}']
    ),
)


@settings(max_examples=200, deadline=None)
@given(sent=st.lists(messages, max_size=5))
def test_receive_is_total(sent: list[str | bytes]) -> None:
    protocol = CoreParakeet(Handshake("id"))
    for command in [command for message in sent for command in protocol.receive(message)]:
        assert isinstance(command, Configure | Audio | Commit | Clear | End | Ping | Fail)
        if isinstance(command, Configure):
            assert 8_000 <= command.options.format.rate <= 48_000
            assert all(
                isinstance(said, str) for said in protocol.send(Configured(command.options, command.ignored), STAMP)
            )
        if isinstance(command, Fail):
            assert not command.fatal
            assert len(command.message) < 300
            [error] = protocol.send(Failed(command.code, command.message), STAMP)
            assert isinstance(error, str)
    assert len(protocol._config.told) < 60
