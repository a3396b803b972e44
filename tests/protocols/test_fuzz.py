"""Whatever a client sends, a dialect answers with commands: it raises nothing, and what it keeps and repeats is bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.events import Audio, Clear, Commit, Configure, End, Fail, Failed, Ping, Stamp
from stenod.protocols.base import Close, Handshake
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.protocols.parakeet_fastapi import ParakeetFastAPI
from stenod.protocols.parakeet_fastapi_ws import ParakeetFastAPISocket
from stenod.protocols.pcm import Pcm

DIALECTS = (Pcm, OpenAITranscription, ParakeetFastAPI, ParakeetFastAPISocket)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
commands = st.fixed_dictionaries(
    {"type": st.sampled_from(["commit", "reset", "end", "ping", "Commit", ""]) | values},
    optional={"text": values, "channel": values},
)
texts = (
    st.text(max_size=200)
    | values.map(json.dumps)
    | commands.map(json.dumps)
    | st.builds(lambda value, at: json.dumps(value)[:at], commands, st.integers(0, 40))
)
queries = st.dictionaries(
    st.sampled_from([
        "sample_rate", "encoding", "channels", "split", "language", "model", "partials", "partial_interval", "min_silence",
        "max_utterance", "threshold", "hotwords", "prompt", "endpointing", "response_format", "timestamp_granularities[]",
        "timestamp_granularities", "stream", "temperature", "include_timestamps", "should_chunk",
    ]),
    st.text(max_size=30) | st.integers().map(str) | st.floats().map(str) | values.map(json.dumps)
    | st.sampled_from(["nan", "inf", "-1", "1e999", "8000", "true", "[", '["word"]', "[" * 3000, "9" * 5000, "s24le"]),
    max_size=5,
)  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=100, deadline=None)
@given(message=st.binary(max_size=200) | texts)
def test_receive_is_total(dialect: Any, message: str | bytes) -> None:
    protocol = dialect(Handshake("id"))
    said = protocol.receive(message)
    assert all(isinstance(command, Audio | Commit | Clear | End | Ping | Fail) for command in said)
    for command in said:
        if isinstance(command, Fail):
            assert len(command.message) < 200
            assert not command.fatal


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=100, deadline=None)
@given(query=queries)
def test_open_is_total(dialect: Any, query: dict[str, str]) -> None:
    [command] = dialect(Handshake("id", query)).open()
    assert isinstance(command, Configure | Fail)
    if isinstance(command, Fail):
        assert command.fatal
        assert command.detail["param"] in {*query, *(name.removesuffix("[]") for name in query)}
        assert len(command.message) < 300
    else:
        options = command.options
        assert 8_000 <= options.format.rate <= 48_000
        assert 1 <= options.format.channels <= 8
        assert 1.0 <= options.max_utterance <= 600.0


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[" * 10_000, "invalid_json"),
        ('{"type":' * 2_000, "invalid_json"),
        ("1" * 16_000, "invalid_json"),
        ("NaN", "invalid_message"),
        ('"commit"', "invalid_message"),
        ('{"type":"commit"' + " " * 20_000 + "}", "message_too_large"),
        ('{"type":"' + "x" * 10_000 + '"}', "unknown_type"),
        ('{"type":"\\ud800"}', "unknown_type"),
    ],
    ids=["deep list", "deep object", "long number", "no object", "text", "huge", "long type", "half a pair"],
)
def test_nonsense_has_a_name_and_costs_nothing(message: str, code: str) -> None:
    protocol = Pcm(Handshake("id"))
    [command] = protocol.receive(message)
    assert isinstance(command, Fail)
    assert (command.code, command.fatal) == (code, False)
    [said] = protocol.send(Failed(command.code, command.message), Stamp(1, 0.0))
    assert isinstance(said, str)
    assert len(said.encode()) < 300
    assert protocol.receive('{"type":"commit"}') == [Commit()]


def test_half_a_surrogate_pair_comes_back_as_it_was() -> None:
    [ping] = Pcm(Handshake("id")).receive('{"type":"ping","text":"\\ud800"}')
    assert ping == Ping("\ud800")


@pytest.mark.parametrize(
    ("dialect", "code", "status"),
    [
        (OpenAITranscription, "bad_audio", 400),
        (OpenAITranscription, "unsupported_value", 400),
        (OpenAITranscription, "missing_field", 400),
        (OpenAITranscription, "too_large", 413),
        (OpenAITranscription, "model_not_found", 404),
        (OpenAITranscription, "overloaded", 503),
        (OpenAITranscription, "shutting_down", 503),
        (OpenAITranscription, "engine_failed", 500),
        (ParakeetFastAPI, "bad_audio", 415),
        (ParakeetFastAPI, "missing_field", 422),
        (ParakeetFastAPI, "too_large", 413),
        (ParakeetFastAPI, "model_not_found", 404),
        (ParakeetFastAPI, "invalid_form", 400),
        (ParakeetFastAPI, "overloaded", 503),
        (ParakeetFastAPI, "internal_error", 500),
    ],
)
def test_error_shapes(dialect: Any, code: str, status: int) -> None:
    protocol = dialect(Handshake("id", {"response_format": "vtt"}))
    body, close = protocol.send(Failed(code, "why", fatal=True), Stamp(1, 0.0))
    assert isinstance(close, Close)
    assert close.status == status
    assert protocol.media_type == "application/json"
    error = json.loads(body)
    if dialect is ParakeetFastAPI:
        assert error == {"detail": "why"}
    else:
        assert error["error"].keys() == {"message", "type", "param", "code"}
        assert error["error"]["type"] == ("server_error" if status >= 500 else "invalid_request_error")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"stream": "true"}, "stream"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"response_format": "xml"}, "response_format"),
        ({"timestamp_granularities[]": "word,letter"}, "timestamp_granularities"),
        ({"temperature": "2"}, "temperature"),
        ({"language": "klingonese!"}, "language"),
    ],
)
def test_openai_names_the_field_it_cannot_honour(query: dict[str, str], param: str) -> None:
    protocol = OpenAITranscription(Handshake("id", query))
    [fail] = protocol.open()
    assert isinstance(fail, Fail)
    assert fail.code == "unsupported_value"
    body, _ = protocol.send(Failed(fail.code, fail.message, fatal=True, detail=fail.detail), Stamp(1, 0.0))
    assert isinstance(body, str)
    assert json.loads(body)["error"]["param"] == param


@pytest.mark.parametrize(
    ("query", "language"),
    [
        ({}, None),
        ({"language": ""}, None),
        ({"language": "auto"}, None),
        ({"language": "EN"}, "EN"),
        ({"language": "english"}, "en"),
        ({"language": "pt_BR"}, "pt-BR"),
    ],
)
def test_languages_are_read_however_they_are_written(query: dict[str, str], language: str | None) -> None:
    [configure] = OpenAITranscription(Handshake("id", query)).open()
    assert isinstance(configure, Configure)
    assert configure.options.decode.language == language


@pytest.mark.parametrize(
    "query",
    [
        {"timestamp_granularities[]": "word,segment"},
        {"timestamp_granularities": "segment, word"},
        {"timestamp_granularities": '["word", "segment"]'},
    ],
)
def test_granularities_are_read_however_they_are_written(query: dict[str, str]) -> None:
    protocol = OpenAITranscription(Handshake("id", query | {"response_format": "verbose_json"}))
    assert isinstance(protocol.open()[0], Configure)
