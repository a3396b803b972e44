"""The fifth document's dialect: what comes first, what the fields mean, and that nothing a client sends breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.events import Audio, Configure, End, Fail, Failed, Stamp
from stenod.options import DecodeOptions, Options
from stenod.protocols.base import Close, Handshake
from stenod.protocols.nexa import FIELDS, Nexa


def configured(**told: Any) -> Configure:
    [command] = Nexa(Handshake("id")).receive(json.dumps(told))
    assert isinstance(command, Configure), command
    return command


DEFAULTS = configured()


def test_audio_first_means_the_documented_defaults() -> None:
    protocol = Nexa(Handshake("id"))
    assert protocol.receive(b"") == []
    assert protocol.receive(b"{\0") == [DEFAULTS, Audio(b"{\0")]
    assert protocol.receive(b'{"sample_rate": 8000}') == [Audio(b'{"sample_rate": 8000}')]


def test_the_configuration_may_come_in_a_binary_message() -> None:
    [command] = Nexa(Handshake("id")).receive(b'{"sample_rate": 8000}')
    assert isinstance(command, Configure)
    assert command.options.format.rate == 8_000


def test_a_client_may_stop_before_it_has_begun() -> None:
    assert Nexa(Handshake("id")).receive('{"action": "stop"}') == [End()]


def test_the_documented_defaults() -> None:
    options = DEFAULTS.options
    assert (options.decode.model, options.decode.language, options.decode.beam_size) == ("auto", "en-US", 5)
    assert (options.format.rate, options.format.channels, options.partials) == (16_000, 1, True)
    assert (options.endpointing.mode, options.piece, options.partial_interval) == ("auto", None, 0.5)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_null_is_absent(name: str) -> None:
    assert configured(**{name: None}) == DEFAULTS


@pytest.mark.parametrize("name", ["sample_rate", "chunk_duration", "beam_size"])
def test_zero_is_the_default_where_it_can_be_nothing_else(name: str) -> None:
    assert configured(**{name: 0}) == DEFAULTS


def test_the_operator_s_own_language_goes_before_the_documented_one() -> None:
    handshake = Handshake("id", defaults=Options(decode=DecodeOptions(language="de", model="mine")))
    [command] = Nexa(handshake).receive('{"model": "NexaAI/parakeet-npu"}')
    assert isinstance(command, Configure)
    assert (command.options.decode.language, command.options.decode.model) == ("de", "mine")


def test_unknown_fields_are_ignored_and_named() -> None:
    assert configured(zeal=1, sample_rate=16_000, alpha=[{}]) == Configure(DEFAULTS.options, ignored=("alpha", "zeal"))


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({"sample_rate": "many"}, "sample_rate"),
        ({"sample_rate": 16_000.5}, "sample_rate"),
        ({"chunk_duration": 31}, "chunk_duration"),
        ({"chunk_duration": -1}, "chunk_duration"),
        ({"overlap_duration": [0.5]}, "overlap_duration"),
        ({"beam_size": float("nan")}, "beam_size"),
        ({"enable_partial_results": "perhaps"}, "enable_partial_results"),
        ({"enable_word_timestamps": 2}, "enable_word_timestamps"),
        ({"vad_enabled": {}}, "vad_enabled"),
        ({"language": "?"}, "language"),
    ],
)
def test_an_impossible_value_is_named_and_ends_it(told: dict[str, Any], names: str) -> None:
    [command] = Nexa(Handshake("id")).receive(json.dumps(told))
    assert isinstance(command, Fail)
    assert command.fatal
    assert command.message.startswith(f"Invalid configuration format: {names} must be")


@pytest.mark.parametrize(
    ("code", "close"), [("invalid_value", 1008), ("engine_failed", 1011), ("overloaded", 1013), ("shutting_down", 1012)]
)
def test_a_fatal_failure_closes(code: str, close: int) -> None:
    error, closed = Nexa(Handshake("id")).send(Failed(code, "why", fatal=True), Stamp(1, 0.0))
    assert isinstance(error, str)
    assert json.loads(error) == {"type": "error", "error": "why"}
    assert closed == Close(close, "why")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(["action", *sorted(FIELDS)]) | st.text(max_size=8), values, max_size=6)
messages = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200),
    objects.map(json.dumps),
    objects.map(lambda told: json.dumps(told).encode()),
    st.builds(lambda told, at: json.dumps(told)[:at], objects, st.integers(0, 40)),
    st.sampled_from(["[" * 10_000, '{"a":' * 2_000, "1" * 20_000, b"{" + b"[" * 20_000, '{"model":"\\ud800"}']),
)


@settings(max_examples=200, deadline=None)
@given(sent=st.lists(messages, max_size=5))
def test_receive_is_total(sent: list[str | bytes]) -> None:
    protocol = Nexa(Handshake("id"))
    commands = [command for message in sent for command in protocol.receive(message)]
    assert all(isinstance(command, Configure | Audio | End | Fail) for command in commands)
    assert sum(isinstance(command, Configure) for command in commands) <= 1
    for command in commands:
        if isinstance(command, Fail):
            assert len(command.message) < 300
            [error, *_] = protocol.send(Failed(command.code, command.message, command.fatal), Stamp(1, 0.0))
            assert isinstance(error, str)
