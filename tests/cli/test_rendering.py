"""A transcription as a document, in each format."""

from __future__ import annotations

import json

import pytest

from stenod.cli.rendering import Format, Wish, render
from stenod.refine.words import Segment
from stenod.transcript import Word, of_words

HEARD = [
    Segment(0, 2, of_words([Word("Hello", 0.5, 0.9), Word("there.", 1.0, 1.4)])),
    Segment(2, 3662.5, of_words([Word("Bye.", 3661.5, 3662)])),
]


def rendered(form: Format, *, timestamps: bool = False) -> str:
    return render(HEARD, seconds=3662.5, language="en", wish=Wish(form, timestamps))


@pytest.mark.parametrize(
    ("form", "timestamps", "document"),
    [
        (Format.TEXT, False, "Hello there. Bye.\n"),
        (Format.TEXT, True, "[00:00:00.50 - 00:00:01.40] Hello there.\n[01:01:01.50 - 01:01:02.00] Bye.\n"),
        (
            Format.SRT,
            False,
            "1\n00:00:00,500 --> 00:00:01,400\nHello there.\n\n2\n01:01:01,500 --> 01:01:02,000\nBye.\n",
        ),
        (
            Format.VTT,
            False,
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.400\nHello there.\n\n01:01:01.500 --> 01:01:02.000\nBye.\n",
        ),
    ],
)
def test_text(form, timestamps, document) -> None:
    assert rendered(form, timestamps=timestamps) == document


def test_json() -> None:
    document = json.loads(rendered(Format.JSON))
    assert document["text"] == "Hello there. Bye."
    assert "timestamps" not in document


def test_json_with_timestamps() -> None:
    timestamps = json.loads(rendered(Format.JSON, timestamps=True))["timestamps"]
    assert timestamps["words"][1] == {"text": "there.", "start": 1.0, "end": 1.4}
    assert [segment["text"] for segment in timestamps["segments"]] == ["Hello there.", "Bye."]
    assert "".join(char["text"] for char in timestamps["chars"]) == "Hellothere.Bye."


@pytest.mark.parametrize("timestamps", [False, True])
def test_verbose_json(timestamps) -> None:
    document = json.loads(rendered(Format.VERBOSE_JSON, timestamps=timestamps))
    assert (document["language"], document["duration"]) == ("english", 3662.5)
    assert [segment["text"].strip() for segment in document["segments"]] == ["Hello there.", "Bye."]
    assert ("words" in document) is timestamps


@pytest.mark.parametrize("form", Format)
def test_silence_is_a_document_too(form) -> None:
    document = render([], seconds=1.0, language=None, wish=Wish(form))
    assert document.endswith("\n")
    assert document.strip() in {"", "WEBVTT"} or json.loads(document)["text"] == ""


@pytest.mark.parametrize(
    ("form", "suffix"),
    [("text", ".txt"), ("json", ".json"), ("verbose_json", ".json"), ("srt", ".srt"), ("vtt", ".vtt")],
)
def test_suffixes(form, suffix) -> None:
    assert Format(form).suffix == suffix
