"""The unified endpoint's dialect: total whatever comes, and every field of a config where it belongs."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod import events
from stenod.events import Audio, Command, Configure, Configured, Fail, Failed, Stamp
from stenod.options import Encoding, Options
from stenod.protocols.base import Close, Handshake
from stenod.protocols.tldw import LARGEST, LARGEST_CONTROL, Tldw
from stenod.protocols.tldw_config import FORMATS, understand

FIELDS = [
    "model", "variant", "model_variant", "sample_rate", "language", "auto_detect_language", "chunk_duration",
    "overlap_duration", "max_buffer_duration", "enable_partial", "partial_interval", "min_partial_duration", "enable_vad",
    "vad_threshold", "min_silence_ms", "turn_stop_secs", "min_utterance_secs", "task", "beam_size", "whisper_model_size",
    "target_language", "punctuation",
    "diarization", "diarize", "diarization_enabled", "insights", "meeting_insights", "insights_enabled", "audio_format",
    "protocol_version", "mode", "channels", "data", "token", "action", "unknown",
]  # fmt: skip
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1", "parakeet", "AAAA", *FORMATS]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
kinds = (
    st.sampled_from(["config", "audio", "commit", "reset", "stop", "ping", "pong", "auth", "control", "Config"])
    | values
)
frames = st.builds(
    lambda kind, fields: {"type": kind} | fields, kinds, st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
)
messages = (
    st.binary(max_size=100)
    | st.text(max_size=100)
    | frames.map(json.dumps)
    | st.builds(lambda frame, at: json.dumps(frame)[:at], frames, st.integers(0, 60))
)


@settings(max_examples=300, deadline=None)
@given(conversation=st.lists(messages, max_size=6))
def test_receive_and_send_are_total(conversation: list[str | bytes]) -> None:
    protocol = Tldw(Handshake("id"))
    for message in conversation:
        for command in protocol.receive(message):
            assert isinstance(command, get_args(Command))
            if isinstance(command, Fail):
                assert len(command.message) < 250
                said = protocol.send(
                    Failed(command.code, command.message, command.fatal, detail=command.detail), Stamp(1, 0.0)
                )
                assert isinstance(said[-1], Close) == command.fatal
            if isinstance(command, Configure):
                _sane(command.options)
                ready = protocol.send(Configured(command.options, command.ignored), Stamp(1, 0.0))
                assert json.loads(str(ready[0]))["type"] == "status"
                assert len(str(ready[0])) < 10_000


def _sane(options: Options) -> None:
    assert 8_000 <= options.format.rate <= 48_000
    assert options.piece is not None
    assert 0.2 <= options.piece <= 30.0
    assert 0.1 <= options.partial_interval <= 60.0
    assert 0.2 <= options.endpointing.min_silence <= 1.5
    assert 0.1 <= options.endpointing.threshold <= 0.9
    assert len(options.decode.model) < 300


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("[" * 10_000, "Invalid JSON message"),
        ('{"type":"audio","data":"\\ud800"}', "Invalid base64 audio frame"),
        ('{"type":"config","x":"' + "y" * LARGEST_CONTROL + '"}', "the limit is"),
        ('{"type":"audio","data":"' + "A" * LARGEST + '"}', "the limit is"),
        ('{"type":"' + "x" * 10_000 + '"}', "Unknown type"),
    ],
    ids=["deep", "half a pair", "huge config", "huge audio", "long type"],
)
def test_nonsense_has_a_name_and_costs_nothing(message: str, text: str) -> None:
    protocol = Tldw(Handshake("id"))
    [command] = protocol.receive(message)
    assert isinstance(command, Fail)
    assert text in command.message
    assert not command.fatal
    assert isinstance(protocol.receive('{"type":"commit"}')[0], Configure)


@pytest.mark.parametrize(
    ("told", "name", "value"),
    [
        ({}, "decode.model", "auto"),
        ({"model": "parakeet"}, "decode.model", "parakeet"),
        ({"model": "Parakeet"}, "decode.model", "parakeet"),
        ({"model": "parakeet-onnx"}, "decode.model", "parakeet-onnx"),
        ({"model": "parakeet", "variant": "mlx"}, "decode.model", "parakeet-mlx"),
        ({"model_variant": "onnx"}, "decode.model", "parakeet-onnx"),
        ({"model": "pocketsphinx-en-us", "variant": "standard"}, "decode.model", "pocketsphinx-en-us"),
        ({"model": "whisper", "whisper_model_size": "small"}, "decode.model", "whisper-small"),
        ({"language": "fr"}, "decode.language", "fr"),
        ({"language": "English"}, "decode.language", "en"),
        ({"language": "fr", "auto_detect_language": True}, "decode.language", None),
        ({"model": "Whisper", "whisper_model_size": "whisper-base"}, "decode.model", "whisper-base"),
        ({"task": "translate"}, "decode.task", "translate"),
        ({"task": "translate", "target_language": "German"}, "decode.target_language", "de"),
        ({"target_language": "fr-FR"}, "decode.task", "translate"),
        ({"target_language": "fr", "task": "transcribe"}, "decode.task", "transcribe"),
        ({"punctuation": False}, "decode.punctuation", False),
        ({"beam_size": 3}, "decode.beam_size", 3),
        ({"beam_size": 1000}, "decode.beam_size", 100),
        ({}, "decode.beam_size", None),
        ({"sample_rate": "8000"}, "format.rate", 8_000),
        ({"audio_format": "pcm16", "protocol_version": 2}, "format.encoding", Encoding.S16LE),
        ({"audio_format": "opus"}, "format.encoding", Encoding.OPUS),
        ({"audio_format": "webm"}, "format.encoding", Encoding.CONTAINER),
        ({"chunk_duration": 4}, "piece", 4.0),
        ({"overlap_duration": 20}, "context", 20.0),
        ({"enable_partial": "false"}, "partials", False),
        ({"enable_partial": 0}, "partials", False),
        ({"partial_interval": 1}, "partial_interval", 1.0),
        ({"min_partial_duration": 2}, "min_partial", 2.0),
        ({"max_buffer_duration": 10}, "max_utterance", 10.0),
        ({}, "endpointing.mode", "manual"),
        ({"enable_vad": True}, "endpointing.mode", "auto"),
        ({"vad_threshold": 0.4}, "endpointing.mode", "auto"),
        ({"enable_vad": False, "vad_threshold": 0.4}, "endpointing.mode", "manual"),
        ({"vad_threshold": 2}, "endpointing.threshold", 0.9),
        ({"min_silence_ms": 1000}, "endpointing.min_silence", 1.0),
        ({"enable_vad": True, "turn_stop_secs": 0.5}, "endpointing.hold", 0.5),
        ({"enable_vad": True, "min_utterance_secs": 1}, "endpointing.min_speech", 1.0),
        ({"diarization": True}, "diarize", True),
        ({"diarization": {"num_speakers": 2}}, "diarize", True),
        ({"diarization": {"enabled": False}}, "diarize", False),
        ({"diarization": False, "diarize": True}, "diarize", True),
        ({"insights": {"enabled": True}}, "analyze", True),
        ({"insights_enabled": True}, "analyze", True),
    ],
)
def test_each_field_has_its_place(told: dict[str, Any], name: str, value: object) -> None:
    config = understand({"type": "config"} | told, Options())
    found: Any = config.options
    for part in name.split("."):
        found = getattr(found, part)
    assert found == value
    assert config.problem is None


@pytest.mark.parametrize(
    ("told", "ignored"),
    [
        ({"vad_filter": True, "parakeet_rnnt_device": "cpu"}, ("parakeet_rnnt_device", "vad_filter")),
        ({"enable_vad": False, "min_silence_ms": 400}, ("min_silence_ms",)),
        ({"channels": 2, "é": 1}, ("channels", "é")),
        ({"model": "parakeet", "chunk_duration": 1}, ()),
    ],
)
def test_what_has_no_effect_is_named(told: dict[str, Any], ignored: tuple[str, ...]) -> None:
    assert understand({"type": "config"} | told, Options()).ignored == ignored


def test_a_later_config_changes_single_fields() -> None:
    protocol = Tldw(Handshake("id"))
    protocol.receive('{"type":"config","sample_rate":8000,"chunk_duration":1,"unknown":1}')
    [command] = protocol.receive('{"type":"config","chunk_duration":3}')
    assert isinstance(command, Configure)
    assert (command.options.format.rate, command.options.piece, command.ignored) == (8_000, 3.0, ())


def test_binary_audio_is_taken_outside_strict_protocol_v1() -> None:
    protocol = Tldw(Handshake("id"))
    assert protocol.receive(b"\0\0\0\0")[1:] == [Audio(b"\0\0\0\0")]
    assert protocol.receive(b"") == []


@pytest.mark.parametrize(
    "event", [one for one in get_args(events.Event) if one.__name__ in {"Heard", "Identified", "Described"}]
)
def test_what_the_dialect_has_no_words_for_is_not_said(event: Any) -> None:
    made = {"Heard": {"upto": 1.0}, "Identified": {"principal": "x"}, "Described": {"models": ()}}[event.__name__]
    assert Tldw(Handshake("id")).send(event(**made), Stamp(1, 0.0)) == []


@pytest.mark.parametrize(
    ("query", "headers", "name"),
    [({"request_id": "q"}, {"x-request-id": "h"}, "q"), ({}, {"x-request-id": "h"}, "h"), ({}, {}, "id")],
)
def test_errors_carry_the_name_of_the_request(query: dict[str, str], headers: dict[str, str], name: str) -> None:
    protocol = Tldw(Handshake("id", query, headers))
    [error] = protocol.send(Failed("validation_error", "why"), Stamp(1, 0.0))
    assert json.loads(str(error))["request_id"] == name
