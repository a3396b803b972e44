"""The fourth document's dialect: what each field means, what is answered, and that nothing a client sends breaks it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.events import (
    Account,
    Audio,
    Command,
    Commit,
    Configure,
    Configured,
    End,
    Ended,
    Event,
    Fail,
    Failed,
    Final,
    Interrupt,
    Interrupted,
    Partial,
    SpeechStarted,
    SpeechStopped,
    Stamp,
)
from stenod.options import DecodeOptions, Encoding, Endpointing, Options
from stenod.protocols.base import Close, Handshake
from stenod.protocols.stt_service import LARGEST_TEXT, SttService
from stenod.protocols.stt_service_config import KNOWN
from stenod.protocols.stt_service_frames import kind_of
from stenod.transcript import Transcript, Word, of_words

STAMP = Stamp(1, 1_700_000_000.0)


def opened(query: dict[str, str] | None = None, **defaults: Any) -> SttService:
    """A client whose session has been opened and started."""
    protocol = SttService(Handshake("id", query or {}, defaults=Options(**defaults)))
    [command] = protocol.open()
    assert isinstance(command, Configure)
    say(protocol, Configured(command.options))
    return protocol


def do(protocol: SttService, kind: str, **told: Any) -> list[Command]:
    return protocol.receive(json.dumps({"type": kind} | told))


def configured(protocol: SttService, **config: Any) -> Configure:
    [command] = do(protocol, "start_session", session_config=config)
    assert isinstance(command, Configure), command
    return command


def say(protocol: SttService, event: Event) -> list[dict[str, Any]]:
    return [json.loads(message) for message in protocol.send(event, STAMP) if isinstance(message, str)]


def final(utterance: int = 1, *, start: float = 0.0, end: float = 1.0, text: str = "one", **more: Any) -> Final:
    made = {"part": 1, "closes": "silence", "agrees": 0, "took": 0.1, "account": Account()} | more
    transcript = of_words([Word(text, start, end, 0.5)]) if text else Transcript()
    return Final(utterance=utterance, transcript=transcript, start=start, end=end, **made)


# ------------------------------------------------------------------------------------------------ what fields mean


@pytest.mark.parametrize(
    ("field", "value", "option", "meant"),
    [
        ("language", "de", "decode.language", "de"),
        ("language", "auto", "decode.language", None),
        ("enable_timestamps", True, "decode.words", True),
        ("enable_vad", False, "endpointing.mode", "manual"),
        ("enable_partial_transcription", False, "partials", False),
        ("partial_chunk_duration", 0.5, "partial_interval", 0.5),
        ("final_chunk_duration", 3.0, "piece", 3.0),
        ("audio_format", "int16", "format.encoding", Encoding.S16LE),
        ("sample_rate", 8_000, "format.rate", 8_000),
        ("sample_rate", "8000", "format.rate", 8_000),
    ],
)
def test_what_a_field_changes(field: str, value: Any, option: str, meant: Any) -> None:
    group, _, name = option.rpartition(".")

    def value_of(options: Options) -> Any:
        return getattr(getattr(options, group) if group else options, name)

    protocol = opened(decode=DecodeOptions(language="en"))
    assert value_of(configured(protocol).options) != meant
    assert value_of(configured(protocol, **{field: value}).options) == meant
    [frame] = say(protocol, Configured(Options()))
    assert frame["config"].keys() == set(KNOWN)
    assert value_of(configured(protocol).options) == meant, "what was said before still holds"
    assert value_of(configured(protocol, **{field: None}).options) != meant, "null takes it back"


def test_the_buffer_says_when_finals_are_due_where_there_are_no_partials() -> None:
    protocol = opened()
    assert configured(protocol, buffer_duration=4.0).options.piece == 1.0
    assert configured(protocol, enable_partial_transcription=False).options.piece == 4.0


def test_chunks_are_counted_in_the_size_that_was_asked_for() -> None:
    protocol = opened()
    for size, first, last in ((1024, 15, 31), (512, 31, 62)):
        configured(protocol, chunk_size=size)
        [frame] = say(protocol, final(start=1.0, end=2.0))
        metadata = frame["data"]["metadata"]
        assert (metadata["sequence_start"], metadata["sequence_end"]) == (first, last)
        assert metadata["chunks_count"] == last - first + 1


def test_times_of_words_come_where_they_are_asked_for() -> None:
    protocol = opened()
    assert say(protocol, final())[0]["data"]["timestamps"] is None
    configured(protocol, enable_timestamps=True)
    [word] = say(protocol, final(start=0.25, end=0.75))[0]["data"]["timestamps"]
    assert word == {"start_ms": 250.0, "end_ms": 750.0, "word": "one", "confidence": 0.5}


def test_unknown_fields_are_named_and_harmless() -> None:
    protocol = opened()
    command = configured(protocol, fasttalk_mode=True, user_id="u", chunk_size=512)
    assert command.ignored == ("fasttalk_mode", "user_id")
    [frame] = say(protocol, Configured(command.options, command.ignored))
    assert frame["ignored"] == ["fasttalk_mode", "user_id"]
    assert frame["config"]["chunk_size"] == 512


@pytest.mark.parametrize("key", ["session_config", "config"])
@pytest.mark.parametrize("kind", ["start_session", "configure"])
def test_the_configuration_has_either_name(kind: str, key: str) -> None:
    [command] = do(opened(), kind, **{key: {"sample_rate": 44_100}})
    assert isinstance(command, Configure)
    assert command.options.format.rate == 44_100


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("buffer_duration", "long"), ("buffer_duration", 0), ("buffer_duration", [1]), ("partial_chunk_duration", -1),
        ("final_chunk_duration", 1e9), ("chunk_size", 0.5), ("chunk_size", 0), ("sample_rate", 1), ("enable_vad", "perhaps"),
        ("enable_vad", 7), ("audio_format", "mp3"), ("language", "!"), ("language", {"a": 1}), ("sample_rate", True),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_changes_nothing(field: str, value: Any) -> None:
    protocol = opened()
    [fail] = do(protocol, "start_session", session_config={field: value, "conversation_id": "c"})
    assert isinstance(fail, Fail)
    assert (fail.code, fail.fatal, fail.detail) == ("invalid_value", False, {"param": field})
    assert configured(protocol) == configured(opened())
    assert say(protocol, Configured(Options()))[0]["config"]["conversation_id"] is None


def test_a_language_that_is_not_to_be_had_is_forgotten() -> None:
    protocol = opened(decode=DecodeOptions(language="en"))
    assert configured(protocol, language="tlh", chunk_size=512).options.decode.language == "tlh"
    say(protocol, Failed("unsupported_language", "no"))
    command = configured(protocol)
    assert command.options.decode.language == "en"
    frame = say(protocol, Configured(command.options))[0]
    assert (frame["config"]["language"], frame["config"]["chunk_size"]) == ("en", 512)


# --------------------------------------------------------------------------------------------------------- context


@pytest.mark.parametrize(
    ("context", "silence", "speech"),
    [
        ({}, 0.5, 0.1),
        ({"expected_response_type": "command"}, 0.3, 0.1),
        ({"expected_response_type": "question"}, 0.8, 0.1),
        ({"conversation_state": "processing"}, 0.5, 0.2),
        ({"conversation_state": "responding"}, 0.5, 0.3),
        ({"conversation_state": "responding", "expected_response_type": "command"}, 0.3, 0.3),
        ({"something": "else"}, 0.5, 0.1),
    ],
)
def test_the_context_changes_endpointing(context: dict[str, str], silence: float, speech: float) -> None:
    protocol = opened()
    [command] = do(protocol, "context_update", data=context)
    assert isinstance(command, Configure)
    turns = command.options.endpointing
    assert (turns.min_silence, turns.min_speech) == (silence, speech)
    assert configured(protocol).options.endpointing == turns, "until the next context"


def test_the_context_builds_on_the_servers_own_endpointing() -> None:
    protocol = opened(endpointing=Endpointing(min_silence=0.3, min_speech=0.2))
    [command] = do(protocol, "context_update", data={"expected_response_type": "command"})
    assert isinstance(command, Configure)
    assert command.options.endpointing == Endpointing(min_silence=0.2, min_speech=0.2), "never under the floor"


def test_a_context_without_sense_changes_nothing() -> None:
    protocol = opened()
    context = {"conversation_state": "responding", "language_context": "!"}
    for wrong in (context, {"conversation_state": "asleep"}, {"expected_response_type": 3}, 7, None):
        [fail] = do(protocol, "context_update", data=wrong)
        assert isinstance(fail, Fail)
    assert configured(protocol).options.endpointing.min_speech == 0.1


# ------------------------------------------------------------------------------------------------------- sessions


def test_the_first_thing_said_is_that_the_session_started() -> None:
    protocol = SttService(Handshake("id"))
    [command] = protocol.open()
    assert isinstance(command, Configure)
    [frame] = say(protocol, Configured(command.options))
    assert frame == {"type": "session_started", "session_id": "id", "timestamp": "2023-11-14T22:13:20+00:00"}
    assert protocol.receive(b"\0" * 8) == [Audio(b"\0" * 8)]


@pytest.mark.parametrize("first", ["audio", "start_session"])
def test_another_session_on_the_same_connection(first: str) -> None:
    protocol = opened()
    configured(protocol, chunk_size=512)
    assert do(protocol, "end_session") == [End()]
    for kind in ("end_session", "flush_buffer", "user_interrupt"):
        [fail] = do(protocol, kind)
        assert isinstance(fail, Fail)
        assert (fail.code, fail.fatal) == ("no_session", False)
    assert protocol.patience.again
    say(protocol, Ended(1.0, Account()))
    begun, *_ = protocol.receive(b"\0" * 4) if first == "audio" else do(protocol, first, session_config={})
    assert isinstance(begun, Configure)
    assert say(protocol, Configured(begun.options))[0]["session_id"] == "id-2"
    assert do(protocol, "flush_buffer") == [Commit()]
    assert say(protocol, final(start=0.0, end=1.0))[0]["data"]["metadata"]["chunks_count"] == 32


def test_a_new_session_begins_as_the_old_one_was_before_what_is_new_is_tried() -> None:
    protocol = opened()
    do(protocol, "end_session")
    old, new = do(protocol, "start_session", session_config={"language": "tlh"})
    assert isinstance(old, Configure)
    assert isinstance(new, Configure)
    assert (old.options.decode.language, new.options.decode.language) == (None, "tlh")


# --------------------------------------------------------------------------------------------------- what is said


def test_every_final_has_an_id_of_its_own_and_its_partials_have_the_same() -> None:
    protocol = opened()

    def partial(utterance: int) -> str:
        [frame] = say(protocol, Partial(utterance, Transcript("x"), 0.0, 1.0, 0))
        return str(frame["data"]["utterance_id"])

    def closing(utterance: int, part: int, closes: str | None) -> str:
        [frame] = say(protocol, final(utterance, part=part, closes=closes))
        return str(frame["data"]["utterance_id"])

    ids = [
        (partial(1), closing(1, 1, None)),
        (partial(1), closing(1, 2, None)),
        (partial(1), closing(1, 3, "silence")),
        (partial(2), closing(2, 1, "silence")),
    ]
    assert all(one == other for one, other in ids)
    assert len(set(ids)) == 4


def test_silence_before_the_speech_is_not_in_the_duration() -> None:
    protocol = opened()
    say(protocol, SpeechStarted(1, 9.5, 9.1, 0.9, 0.3))
    [frame] = say(protocol, final(start=2.0, end=10.1))
    assert frame["data"]["audio_duration_ms"] == 1000.0
    assert frame["data"]["metadata"]["sequence_start"] == int(9.1 * 16_000 / 1024)


def test_an_empty_final_is_said_where_somebody_waits_for_it() -> None:
    protocol = opened()
    assert say(protocol, final(text="")) == []
    assert say(protocol, final(text="", closes=None)) == []
    assert len(say(protocol, final(text="", closes="client"))) == 1
    say(protocol, Partial(2, Transcript("mm"), 0.0, 1.0, 0))
    assert len(say(protocol, final(2, text=""))) == 1, "it takes the partial back"


def test_the_older_frame_comes_where_it_is_asked_for() -> None:
    assert [frame["type"] for frame in say(opened(), final())] == ["transcription_final"]
    new, old = say(opened({"legacy": "true"}), final())
    assert (new["type"], old["type"]) == ("transcription_final", "transcription")
    names = ("text", "processing_time_ms", "audio_duration_ms", "timestamps", "metadata")
    assert old["data"] == {name: new["data"][name] for name in names}


def test_voice_activity() -> None:
    protocol = opened()
    configured(protocol, conversation_id="c")
    [began] = say(protocol, SpeechStarted(1, 2.1, 1.6, 0.87654, 0.12))
    [ended] = say(protocol, SpeechStopped(1, 4.0, 0.1, 0.01))
    assert began["data"] == {"confidence": 0.8765, "duration_ms": 200.0, "energy_level": 0.12, "is_speech": True}
    assert ended["data"] == {"confidence": 0.1, "duration_ms": 1600.0, "energy_level": 0.01, "is_speech": False}
    assert began["metadata"]["conversation_id"] == ended["metadata"]["conversation_id"] == "c"
    configured(protocol, barge_in_enabled=False)
    assert say(protocol, SpeechStarted(2, 8.0, 7.5, 0.9, 0.1)) == []


def test_an_interruption_says_whether_something_was_still_to_come() -> None:
    protocol = opened()
    assert do(protocol, "user_interrupt", confidence=0.9, session_id="id") == [Interrupt()]
    assert say(protocol, Interrupted(0))[0]["data"]["buffer_cleared"] is False
    assert say(protocol, Interrupted(2))[0]["data"]["buffer_cleared"] is True
    say(protocol, final(3))
    assert say(protocol, Interrupted(3))[0]["data"]["buffer_cleared"] is False


@pytest.mark.parametrize(
    ("code", "category", "severity"),
    [
        ("invalid_json", "connection", "low"),
        ("unsupported_language", "configuration", "medium"),
        ("engine_failed", "processing", "high"),
        ("bad_audio", "audio_format", "medium"),
        ("overloaded", "resource", "high"),
        ("internal_error", "system", "critical"),
    ],
)
def test_errors_have_a_category_and_no_traceback(code: str, category: str, severity: str) -> None:
    [frame] = say(opened(), Failed(code, "why", detail={"param": "x", "odd": object()}))
    error = frame["error"]
    assert error.keys() == {
        "code", "message", "category", "severity", "recoverable", "timestamp", "retry_after", "details",
    }  # fmt: skip
    assert (error["code"], error["category"], error["severity"]) == (f"{category}_{code}", category, severity)
    assert error["recoverable"] is True
    assert error["details"].keys() == {"exception_type", "context"}
    assert kind_of(code)[:2] == (category, severity)


def test_refusals_close_as_documented() -> None:
    for code, close in (
        ("overloaded", Close(1008, "Maximum connections exceeded")),
        ("shutting_down", Close(1013, "Service temporarily unavailable")),
        ("engine_failed", Close(1011, "why")),
    ):
        error, said = opened().send(Failed(code, "why", fatal=True, retry_after=7.0), STAMP)
        assert said == close
        assert isinstance(error, str)
        assert json.loads(error)["error"]["retry_after"] == 7.0
        assert json.loads(error)["error"]["recoverable"] is False


# ------------------------------------------------------------------------------------------------------- nonsense

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
configs = st.dictionaries(st.sampled_from(sorted(KNOWN)) | st.text(max_size=8), values, max_size=4)
kinds = [
    "start_session",
    "configure",
    "context_update",
    "flush_buffer",
    "end_session",
    "user_interrupt",
    "transcription",
]
messages = st.fixed_dictionaries(
    {"type": st.sampled_from(kinds) | values},
    optional={"session_config": configs | values, "config": configs | values, "data": values},
).map(json.dumps)
texts = (
    st.text(max_size=200)
    | values.map(json.dumps)
    | messages
    | st.builds(lambda s, at: s[:at], messages, st.integers(0, 60))
)


@settings(max_examples=300, deadline=None)
@given(said=st.lists(st.binary(max_size=50) | texts, max_size=6))
def test_receive_is_total(said: list[str | bytes]) -> None:
    protocol = opened()
    for message in said:
        for command in protocol.receive(message):
            assert isinstance(command, Audio | Commit | Configure | End | Interrupt | Fail)
            if isinstance(command, Fail):
                assert not command.fatal
                assert len(command.message) < 300
            if isinstance(command, Configure):
                assert 8_000 <= command.options.format.rate <= 48_000
                assert command.options.piece is not None
                assert 0.5 <= command.options.piece <= 60
                assert say(protocol, Configured(command.options, command.ignored))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("[" * 10_000, "invalid_json"),
        ("1" * 16_000, "invalid_json"),
        ('"end_session"', "invalid_message"),
        ('{"type":"end_session"' + " " * LARGEST_TEXT + "}", "message_too_large"),
        ('{"type":"' + "x" * 10_000 + '"}', "unknown_type"),
        ('{"type":"start_session","session_config":{"language":' + "[" * 500 + "]" * 500 + "}}", "invalid_value"),
    ],
    ids=["deep", "long number", "text", "huge", "long type", "deep value"],
)
def test_nonsense_has_a_name_and_costs_nothing(message: str, code: str) -> None:
    protocol = opened()
    [fail] = protocol.receive(message)
    assert isinstance(fail, Fail)
    assert fail.code == code
    [frame] = protocol.send(Failed(fail.code, fail.message, detail=fail.detail), STAMP)
    assert isinstance(frame, str)
    assert len(frame) < 700
    assert do(protocol, "flush_buffer") == [Commit()]
