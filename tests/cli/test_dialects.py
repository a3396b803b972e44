"""What a client says in each dialect, and how it understands the documented frames. Tables, no socket."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from stenod.cli.dialect import Said, Wish
from stenod.cli.dialects import DIALECTS, Name, understood
from stenod.errors import BadRequest

SAMPLES = np.array([0.0, 0.5, -1.0, 1.0], np.float32)
S16LE = b"\x00\x00\x00\x40\x00\x80\xff\x7f"
F32LE = SAMPLES.tobytes()
WISH = Wish(language="en", token="key")


def made(name: str, wish: Wish = WISH):
    return DIALECTS[Name(name)](wish)


@pytest.mark.parametrize(
    ("name", "opening"),
    [
        ("ws", []),
        ("tldw", [{"type": "config", "sample_rate": 16_000, "enable_partial": True, "language": "en"}]),
        ("core", [{"type": "config", "sample_rate": 16_000, "enable_partial": True, "language": "en"}]),
        (
            "stt",
            [
                {
                    "type": "start_session",
                    "session_config": {"language": "en", "enable_timestamps": True, "chunk_size": 640},
                }
            ],
        ),
        (
            "nexa",
            [{"sample_rate": 16_000, "enable_partial_results": True, "enable_word_timestamps": True, "language": "en"}],
        ),
    ],
)
def test_how_it_begins(name, opening) -> None:
    assert [json.loads(message) for message in made(name).opening()] == opening


@pytest.mark.parametrize(
    ("name", "query", "headers"),
    [
        ("ws", {"language": "en"}, {"Authorization": "Bearer key"}),
        ("tldw", {"token": "key"}, {}),
        ("core", {}, {}),
        ("stt", {}, {"Authorization": "Bearer key"}),
        ("nexa", {}, {"Authorization": "Bearer key"}),
    ],
)
def test_what_the_request_says(name, query, headers) -> None:
    assert (made(name).query(), made(name).headers()) == (query, headers)
    assert not made(name, Wish()).headers()


def test_a_model_and_its_variant_are_asked_for_in_the_dialects_own_words() -> None:
    wish = Wish(model="parakeet", variant="onnx")
    assert json.loads(made("tldw", wish).opening()[0]).items() >= {"model": "parakeet", "variant": "onnx"}.items()
    assert json.loads(made("core", wish).opening()[0]).items() >= {"model": "parakeet", "model_variant": "onnx"}.items()
    assert made("ws", Wish(model="parakeet")).query() == {"model": "parakeet"}
    assert json.loads(made("nexa", Wish(model="parakeet")).opening()[0])["model"] == "parakeet"


@pytest.mark.parametrize(
    ("name", "wish"), [("ws", Wish(variant="onnx")), ("nexa", Wish(variant="onnx")), ("stt", Wish(model="base"))]
)
def test_what_a_dialect_cannot_ask_for_is_refused(name, wish) -> None:
    with pytest.raises(BadRequest, match="the dialect of /"):
        made(name, wish)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ws", S16LE),
        ("nexa", S16LE),
        ("stt", F32LE),
        ("tldw", {"type": "audio", "data": base64.b64encode(F32LE).decode()}),
        ("core", {"type": "audio", "data": base64.b64encode(F32LE).decode()}),
    ],
)
def test_how_audio_is_framed(name, message) -> None:
    framed = made(name).audio(SAMPLES)
    assert (json.loads(framed) if isinstance(framed, str) else framed) == message


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("ws", [{"type": "end"}]),
        ("tldw", [{"type": "commit"}, {"type": "stop"}]),
        ("core", [{"type": "commit"}, {"type": "stop"}]),
        ("stt", [{"type": "end_session"}]),
        ("nexa", [{"action": "stop"}]),
    ],
)
def test_how_it_ends(name, ending) -> None:
    assert [json.loads(message) for message in made(name).ending()] == ending


WORDS = [{"word": "hi", "start": 0.1, "end": 0.4, "confidence": None}]


@pytest.mark.parametrize(
    ("name", "frame", "said"),
    [
        ("ws", {"type": "partial", "text": "hi", "end": 0.5, "words": WORDS}, Said("partial", "hi", 0.5, 0.4)),
        ("ws", {"type": "final", "text": "", "end": 2.0, "words": []}, Said("final", "", 2.0, None)),
        ("ws", {"type": "error", "code": "x", "message": "no"}, Said("error", "no")),
        ("ws", {"type": "ended", "seconds": 1.0, "account": {}}, Said("over")),
        ("ws", {"type": "pong"}, None),
        ("tldw", {"type": "partial", "text": "hi", "segment_end": 0.8}, Said("partial", "hi", 0.8)),
        ("tldw", {"type": "final", "text": "hi", "segment_end": 1.0}, Said("final", "hi", 1.0)),
        ("tldw", {"type": "partial", "text": "hi", "is_final": False, "model": "m"}, Said("partial", "hi")),
        ("tldw", {"type": "warning", "warning_type": "w", "message": "look"}, Said("note", "look")),
        ("tldw", {"type": "warning", "state": "model_unavailable"}, Said("note", "model_unavailable")),
        ("tldw", {"type": "status", "state": "ready"}, None),
        ("tldw", {"type": "full_transcript", "text": "hi"}, None),
        ("tldw", {"type": "done"}, Said("over")),
        ("core", {"type": "error", "message": "Invalid JSON"}, Said("error", "Invalid JSON")),
        ("stt", {"type": "session_started", "session_id": "1"}, None),
        (
            "stt",
            {
                "type": "transcription_partial",
                "data": {"text": "hi", "metadata": {"sequence_start": 3, "sequence_end": 24}},
            },
            Said("partial", "hi", 1.0),
        ),
        (
            "stt",
            {"type": "transcription_partial", "data": {"text": "hi", "is_partial": True}, "metadata": {}},
            Said("partial", "hi"),
        ),
        (
            "stt",
            {
                "type": "transcription_final",
                "data": {"text": "hi", "timestamps": [{"start_ms": 100, "end_ms": 400, "word": "hi"}]},
            },
            Said("final", "hi", None, 0.4),
        ),
        ("stt", {"type": "error", "error": {"message": "no", "code": "x"}}, Said("error", "no")),
        ("stt", {"type": "session_ended", "stats": {}}, Said("over")),
        ("nexa", {"type": "partial", "text": "hi", "timestamp": 1, "is_final": False}, Said("partial", "hi")),
        ("nexa", {"type": "final", "text": "hi", "words": WORDS}, Said("final", "hi", None, 0.4)),
        ("nexa", {"type": "error", "error": "no"}, Said("error", "no")),
    ],
)
def test_what_frames_mean(name, frame, said) -> None:
    assert understood(made(name), json.dumps(frame)) == said


@pytest.mark.parametrize("name", list(Name))
@pytest.mark.parametrize(
    "message", ["", "{", b"\xff\xfe", '{"type": "error"}', '{"type": "error", "error": 1, "message": 1}']
)
def test_what_no_server_should_send_is_an_error_and_raises_nothing(name, message) -> None:
    said = understood(made(name), message)
    assert said is not None
    assert said.kind == "error"


@pytest.mark.parametrize("name", list(Name))
@pytest.mark.parametrize("message", ["[]", "1", '{"type": "news"}', "{}"])
def test_what_is_of_no_interest_is_passed_over(name, message) -> None:
    assert understood(made(name), message) is None
