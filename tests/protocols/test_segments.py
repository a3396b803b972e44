"""The arithmetic of segments: what a client adds up must come out even, whatever was committed, skipped or reset."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stenod.events import Account, Cause, Final, Partial, Stamp
from stenod.protocols.segments import Segments, full_transcript
from stenod.transcript import Transcript, Word, of_words

STAMP = Stamp(1, 1_700_000_000.5)


def final(end: float, text: str = "word", *, utterance: int = 1, closes: Cause | None = None) -> Final:
    return Final(utterance, 1, Transcript(text), 0.0, end, closes, agrees=0, took=0.0, account=Account())


def partial(end: float) -> Partial:
    return Partial(1, Transcript("wor"), 0.0, end, 0)


def test_the_documents_examples() -> None:
    segments = Segments(overlap=0.5)
    assert segments.partial(partial(0.8), STAMP) == {
        "type": "partial", "text": "wor", "timestamp": 1_700_000_000.5, "is_final": False, "segment_id": 1,
        "segment_start": 0.0, "segment_end": 0.8, "buffer_duration": 0.8, "cumulative_audio": 0.0,
    }  # fmt: skip
    assert segments.final(final(1.0), STAMP) == {
        "type": "final", "text": "word", "timestamp": 1_700_000_000.5, "is_final": True, "segment_id": 1,
        "segment_start": 0.0, "segment_end": 1.0, "chunk_duration": 1.0, "overlap": 0.0, "chunk_start": 0.0,
        "chunk_end": 1.0, "new_audio_duration": 1.0, "cumulative_audio": 1.0,
    }  # fmt: skip
    second = segments.final(final(2.0), STAMP)
    assert second is not None
    assert second.items() >= {
        "segment_id": 2, "segment_start": 1.0, "segment_end": 2.0, "chunk_duration": 1.5, "overlap": 0.5,
        "chunk_start": 0.5, "chunk_end": 2.0, "new_audio_duration": 1.0, "cumulative_audio": 2.0,
    }.items()  # fmt: skip
    assert full_transcript(segments.text, STAMP) == {
        "type": "full_transcript", "text": "word word", "timestamp": 1_700_000_000.5,
    }  # fmt: skip


@given(
    overlap=st.floats(0, 5),
    steps=st.lists(
        st.tuples(st.floats(0.001, 4), st.sampled_from(["", "word"]), st.sampled_from([None, "client", "silence"])),
        max_size=20,
    ),
)
def test_what_a_client_adds_up_comes_out_even(overlap: float, steps: list[tuple[float, str, Cause | None]]) -> None:
    segments, end, cumulative, number = Segments(overlap), 0.0, 0.0, 0
    for utterance, (seconds, text, closes) in enumerate(steps):
        end += seconds
        frame = segments.final(final(end, text, utterance=utterance, closes=closes), STAMP)
        assert (frame is None) == (closes is not None and not text)
        if frame is None:
            continue
        number += 1
        assert frame["segment_id"] == number
        assert frame["segment_start"] == cumulative
        assert frame["chunk_start"] >= 0
        assert frame["overlap"] <= overlap + 0.001
        sums = [
            ("segment_end", frame["segment_start"] + frame["new_audio_duration"]),
            ("cumulative_audio", frame["segment_end"]),
            ("new_audio_duration", frame["chunk_duration"] - frame["overlap"]),
            ("chunk_start", frame["segment_start"] - frame["overlap"]),
            ("chunk_end", frame["chunk_start"] + frame["chunk_duration"]),
        ]
        assert {name: frame[name] for name, _ in sums} == pytest.approx(dict(sums), abs=1e-6)
        cumulative = frame["cumulative_audio"]
    ahead = segments.partial(partial(end + 1), STAMP)
    assert ahead["segment_id"] == number + 1
    assert ahead["segment_start"] == ahead["cumulative_audio"] == cumulative
    assert ahead["segment_end"] == pytest.approx(cumulative + ahead["buffer_duration"])


def test_context_does_not_reach_over_a_commit() -> None:
    segments = Segments(overlap=0.5)
    given = [
        segments.final(final(2.0), STAMP),
        segments.final(final(3.0, closes="client"), STAMP),
        segments.final(final(3.2, utterance=2), STAMP),
        segments.final(final(5.2, utterance=2), STAMP),
    ]
    assert [frame["overlap"] for frame in given if frame] == [0.0, 0.5, 0.0, 0.2]


def test_the_text_is_whole_and_a_better_one_takes_its_place() -> None:
    segments = Segments()
    for one in (final(1, "it is"), final(2, ""), final(3, "raining", closes="client"), final(4, "yes", utterance=2)):
        segments.final(one, STAMP)
    assert segments.text == "it is raining yes"
    segments.revise(1, "It is raining.")
    segments.revise(7, "nobody said this")
    assert segments.text == "It is raining. yes"


def test_scripts_without_spaces_get_none() -> None:
    segments = Segments()
    for start, text in enumerate("天気"):
        words = of_words([Word(text, start, start + 1, glued=True)])
        segments.final(Final(1, 1, words, start, start + 1, None, agrees=0, took=0.0, account=Account()), STAMP)
    assert segments.text == "天気"


def test_a_session_that_goes_on_anothers_time_line() -> None:
    segments = Segments()
    ahead = segments.partial(Partial(1, Transcript("wor"), 10.0, 10.8, 0), STAMP)
    assert (ahead["segment_start"], ahead["segment_end"]) == (10.0, 10.8)
    assert (
        segments.final(Final(1, 1, Transcript(), 10.0, 11.0, "client", agrees=0, took=0, account=Account()), STAMP)
        is None
    )
    first = segments.final(final(12.0, utterance=2), STAMP)
    assert first is not None
    assert (first["segment_start"], first["new_audio_duration"], first["overlap"]) == (10.0, 2.0, 0.0)


def test_a_reset_begins_anew() -> None:
    segments = Segments()
    segments.final(final(2.0), STAMP)
    segments.reset(2.5)
    assert segments.text == ""
    ahead = segments.partial(partial(3.0), STAMP)
    assert (ahead["segment_id"], ahead["segment_start"], ahead["segment_end"]) == (1, 0.0, 0.5)
    first = segments.final(final(4.5), STAMP)
    assert first is not None
    assert (first["segment_id"], first["segment_start"], first["segment_end"], first["overlap"]) == (1, 0.0, 2.0, 0.0)
