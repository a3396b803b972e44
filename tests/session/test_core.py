"""The session, one behaviour a test: inputs from a script, outputs compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from stenod.errors import EngineFailed
from stenod.events import (
    Analyzed,
    Anticipated,
    Audio,
    Clear,
    Cleared,
    Commit,
    Committed,
    Configure,
    Configured,
    Continue,
    Diarized,
    End,
    Ended,
    Fail,
    Failed,
    Final,
    Heard,
    Interrupt,
    Interrupted,
    Lapsed,
    Partial,
    Pause,
    Retracted,
    Revised,
    SpeechStarted,
    SpeechStopped,
    Summarized,
    Warned,
)
from stenod.jobs import Analyze, Decode, Decoded, Diarize, Insight, Kind, Labelled, Shed, Stalled, Withdraw
from stenod.options import FRAME, RATE, DecodeOptions, Endpointing, Options
from stenod.session.core import Session
from stenod.transcript import Word, of_words
from support.script import SECOND, Drive, Oracle, frame, frames, partial_jobs, silent, word

AUTO = Options(partials=False, endpointing=Endpointing(min_silence=0.3, padding=0.1, min_speech=0.05))
MANUAL = replace(AUTO, endpointing=Endpointing(mode="manual"))
WORDS = [word("one", 0.5, 0.9), word("two", 1.0, 1.3), word("three", 2.5, 2.9), word("four", 3.0, 3.4)]
TALK = "....." + "#" * 9 + "." * 9 + "#" * 12 + "." * 9
"""Speech from 0.5 to 1.4 s and from 2.3 to 3.5 s (a sign is 3 frames, 96 ms)."""


def drive(options: Options = AUTO, words: list[Any] = WORDS, **kwargs: Any) -> Drive:
    return Drive(Session(options), Oracle(words, **kwargs))


def texts(driven: Drive) -> list[str]:
    return [final.transcript.text for final in driven.said(Final)]


def assert_tiled(driven: Drive) -> None:
    """The spans of the finals tile the session, and the account balances at every final."""
    finals, at = driven.said(Final), 0.0
    for final in finals:
        assert final.start == pytest.approx(at)
        at = final.end
        account = final.account
        assert account.received == account.final + account.open + sum(account.dropped.values())
    (ended,) = driven.said(Ended)
    assert at == pytest.approx(ended.seconds)
    assert ended.account.open == 0
    assert ended.account.received == ended.account.final + sum(ended.account.dropped.values())


def test_two_utterances_by_silence() -> None:
    driven = drive().feed(frames(TALK), End())
    assert driven.names(Decode) == [
        *("SpeechStarted", "SpeechStopped", "Committed", "Final") * 2,
        *("Committed", "Final", "Ended"),
    ]
    assert texts(driven) == ["one two", "three four", ""]
    assert [final.closes for final in driven.said(Final)] == ["silence", "silence", "end"]
    assert [final.utterance for final in driven.said(Final)] == [1, 2, 3]
    assert_tiled(driven)


def test_only_speech_and_its_padding_is_decoded() -> None:
    driven = drive().feed(frames(TALK), End())
    first = driven.said(Decode)[0]
    assert first.start == 15 * FRAME - int(0.1 * RATE)
    assert (first.samples[: int(0.1 * RATE)] < 0.5).all()
    assert (first.samples[int(0.1 * RATE) :][: 27 * FRAME] > 0.5).all()
    started = driven.said(SpeechStarted)[0]
    assert started.start == pytest.approx(first.start / RATE)
    assert started.at > started.start


def test_every_commit_is_answered_even_when_there_is_nothing() -> None:
    driven = drive().feed(Commit(), frames("..."), Commit(), End(), End(), Commit())
    assert [(item.utterance, item.cause) for item in driven.said(Committed)] == [
        (1, "client"),
        (2, "client"),
        (3, "end"),
    ]
    assert [final.closes for final in driven.said(Final)] == ["client", "client", "end"]
    assert texts(driven) == ["", "", ""]
    assert driven.names()[-1] == "Ended"
    assert_tiled(driven)


def test_commit_in_speech_flushes_the_tail_and_loses_nothing() -> None:
    driven = drive().feed(
        frames("....." + "#" * 5), frame(0.9, samples=100), Commit(), frames("#" * 10 + "." * 6), End()
    )
    first, second = driven.said(Decode)[:2]
    assert first.start + len(first.samples) == 30 * FRAME + 100
    assert second.start == first.start + len(first.samples)  # the next utterance begins where this one was cut
    assert_tiled(driven)


def test_speech_too_short_to_open_is_decoded_when_the_client_commits() -> None:
    driven = drive(words=[word("yes", 0.5, 0.52)]).feed(frames("....."), frame(0.9), Commit())
    assert texts(driven) == ["yes"]


def test_manual_mode_decodes_everything_between_commits() -> None:
    driven = drive(MANUAL).feed(frames(TALK), Commit(), frames("..."), End())
    assert texts(driven) == ["one two three four", ""]
    assert len(driven.said(Decode)[0].samples) == len(frames(TALK)) * FRAME
    assert len(driven.said(SpeechStarted)) == 2  # speech is still reported
    assert {item.utterance for item in driven.said(SpeechStarted)} == {1}
    assert_tiled(driven)


def test_finals_come_in_order_whatever_order_the_answers_take() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK), End())
    assert driven.said(Final) == []
    driven.answer(1)
    assert driven.said(Final) == []
    driven.answer(0)
    assert texts(driven) == ["one two", "three four", ""]
    assert driven.names()[-1] == "Ended"


def test_partials_follow_the_cadence_and_stable_text_grows() -> None:
    options = replace(AUTO, partials=True, partial_interval=0.2, min_partial=0.2)
    driven = drive(options, halves=True).feed(frames(TALK), End())
    asked = partial_jobs(driven)
    ends = [job.start + len(job.samples) for job in asked if job.utterance == 1]
    steps = {later - earlier for earlier, later in pairwise(ends)}
    assert steps == {7 * FRAME}  # 0.2 s, in whole frames
    for utterance in (1, 2):
        stable = [p.transcript.text[: p.stable] for p in driven.said(Partial) if p.utterance == utterance]
        assert all(later.startswith(earlier) for earlier, later in pairwise(stable))
        assert not any("~" in text for text in stable)
    assert driven.said(Partial)[-1].transcript.text == "three four"
    last = {p.utterance: p.transcript.text[: p.stable] for p in driven.said(Partial)}
    assert last == {1: "one", 2: "three"}
    assert [final.transcript.text[: final.agrees] for final in driven.said(Final)] == ["one", "three", ""]


def test_no_partial_of_an_utterance_before_the_earlier_one_has_closed() -> None:
    options = replace(AUTO, partials=True, partial_interval=0.2, min_partial=0.2)
    driven = drive(options)
    driven.immediate = False
    driven.feed(frames(TALK[:-7]))
    final = next(i for i, job in enumerate(driven.waiting) if job.kind is Kind.FINAL)
    deciding = driven.waiting[final].job
    for job in [job for job in driven.waiting if job.job > deciding]:
        driven.answer(driven.waiting.index(job))
    assert driven.said(Partial) == []
    driven.answer(next(i for i, job in enumerate(driven.waiting) if job.job == deciding))
    assert driven.names(Decode)[-2:] == ["Final", "Partial"]
    assert driven.said(Partial)[0].utterance == 2


def test_shed_and_failed_partials_change_nothing() -> None:
    options = replace(AUTO, partials=True)
    driven = drive(options)
    answers = iter([Shed(), Shed()])
    oracle = driven.oracle
    driven.oracle = lambda job: next(answers, None) or oracle(job)
    driven.feed(frames(TALK), End())
    assert texts(driven) == ["one two", "three four", ""]


def test_a_failed_utterance_costs_only_itself() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK), End())
    bad = driven.waiting.pop(0)
    driven.feed(Decoded(bad.job, EngineFailed("The engine failed.")))
    driven.answer_all()
    (failed,) = driven.said(Failed)
    assert (failed.code, failed.utterance, failed.fatal) == ("engine_failed", 1, False)
    assert texts(driven) == ["three four", ""]
    (ended,) = driven.said(Ended)
    assert ended.account.dropped == {"engine_failed": ended.account.received - ended.account.final}


# ------------------------------------------------------------------------------------------------- pieces and length


@pytest.mark.parametrize("mode", ["auto", "manual"])
def test_long_speech_is_cut_at_the_quietest_point(mode: str) -> None:
    quiet_at = 100  # frame
    talk = [frame(0.9, level=0.01 if abs(i - quiet_at) <= 1 else 0.5) for i in range(200)]
    words = [word(f"w{i}", i * 0.5 + 0.05, i * 0.5 + 0.4) for i in range(12)]
    base = AUTO if mode == "auto" else MANUAL
    driven = drive(replace(base, max_utterance=4.0), words).feed(talk, frames("." * 9), End())
    cut = quiet_at * FRAME + FRAME // 2
    first = driven.said(Final)[0]
    assert first.end == pytest.approx(cut / RATE)
    assert first.closes == ("length" if mode == "auto" else None)
    assert " ".join(text for text in texts(driven) if text) == " ".join(item.text for item in words)
    assert_tiled(driven)


def test_pieces_come_on_the_beat_and_repeat_no_word() -> None:
    words = [word(f"w{i}", i * 0.4, i * 0.4 + 0.35) for i in range(24)]
    driven = drive(replace(MANUAL, piece=1.0, context=2.0), words, halves=True).feed(
        [frame(0.9)] * 300, Commit(), End()
    )
    finals = driven.said(Final)
    assert [final.end for final in finals][:9] == pytest.approx([float(i) for i in range(1, 10)])
    assert [final.part for final in finals if final.utterance == 1] == list(range(1, len(finals)))
    assert [final.closes for final in finals[:9]] == [None] * 9
    assert " ".join(text for text in texts(driven) if text) == " ".join(item.text for item in words)
    late = driven.said(Decode)[-2]
    assert late.context > 0
    assert late.start > 0  # audio behind the context is let go
    assert_tiled(driven)


def test_pieces_of_an_engine_without_word_times_are_decoded_by_themselves() -> None:
    driven = Drive(Session(replace(MANUAL, piece=1.0, word_times=False)), Oracle([]))
    driven.feed([frame(0.9)] * 80, End())
    spans = [(job.start, job.start + len(job.samples)) for job in driven.said(Decode)]
    assert spans == [(0, RATE), (RATE, 2 * RATE), (2 * RATE, 80 * FRAME)]


# ---------------------------------------------------------------------------------------------------------- controls


def test_interrupt_forgets_finished_utterances_and_keeps_the_one_being_spoken() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK[:-7]), Interrupt())  # the second utterance is still being spoken
    assert driven.said(Interrupted) == [Interrupted(1)]
    assert [item.stretch for item in driven.said(Withdraw)] == [1]
    driven.feed(frames("." * 9), End()).answer_all()
    assert texts(driven) == ["three four", ""]
    (ended,) = driven.said(Ended)
    assert set(ended.account.dropped) == {"interrupted"}
    assert ended.account.open == 0


def test_clear_forgets_the_open_utterance_after_pending_finals() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK[:-7]), Clear())
    assert not driven.said(Cleared)
    driven.answer_all()
    assert driven.names(Decode)[-2:] == ["Final", "Cleared"]
    assert driven.said(Cleared) == [Cleared(len(TALK[:-7]) * 3 * FRAME / RATE)]
    driven.feed(frames("." * 9), End())
    assert texts(driven) == ["one two", ""]
    (ended,) = driven.said(Ended)
    assert set(ended.account.dropped) == {"cleared"}


def test_after_a_clear_partials_begin_anew() -> None:
    driven = drive(replace(MANUAL, partials=True), [word("one", 0.5, 0.9), word("two", 2.0, 2.3)])
    driven.feed(frames("." * 12), Clear(), frames("." * 15))
    (cleared,) = driven.said(Cleared)
    partials = driven.said(Partial)
    assert {partial.start for partial in partials if partial.transcript.text == "two"} == {cleared.upto}


@pytest.mark.parametrize("because", ["client", "idle", "quota"])
def test_the_end_says_why(because: str) -> None:
    (ended,) = drive().feed(frames(TALK), End(because)).said(Ended)
    assert ended.because == because


def test_a_fatal_failure_is_why_it_ended() -> None:
    (ended,) = drive().feed(frames(TALK), Fail("bad", "Nonsense.", fatal=True)).said(Ended)
    assert ended.because == "failed"


def test_a_pause_keeps_a_little_audio_and_counts_the_rest() -> None:
    options = replace(AUTO, pause_buffer=1.0)
    driven = drive(options).feed(frames("....."), Pause(), frames("#" * 62), Continue(), frames("." * 9), End())
    warned = driven.said(Warned)
    assert warned[0].code == "audio_dropped_during_pause"
    assert len(warned) == 1
    (ended,) = driven.said(Ended)
    assert ended.account.dropped == {"paused": 62 * 3 * FRAME - 31 * FRAME}
    assert ended.seconds == pytest.approx((5 + 62 + 9) * 3 * FRAME / RATE)
    assert_tiled(driven)


def test_a_pause_in_the_middle_of_speech_splits_the_decoding_not_the_utterance() -> None:
    options = replace(AUTO, pause_buffer=0.0)
    talk = [word("before", 0.2, 0.6), word("after", 2.2, 2.6)]
    driven = drive(options, talk).feed(frames("#" * 10), Pause(), frames("." * 10), Continue(), frames("#" * 10), End())
    assert texts(driven) == ["before", "after"]
    assert [final.utterance for final in driven.said(Final)] == [1, 1]
    assert_tiled(driven)


def test_a_stall_in_speech_is_an_utterance_and_elsewhere_nothing() -> None:
    driven = drive().feed(frames("....."), Stalled(), frames("#" * 9), Stalled(), Stalled())
    assert [item.cause for item in driven.said(Committed)] == ["silence"]
    assert texts(driven) == ["one two"]


def test_options_take_hold_at_once_for_endpointing_and_next_time_for_decoding() -> None:
    spanish = replace(AUTO, decode=DecodeOptions(language="es"), endpointing=replace(AUTO.endpointing, min_silence=1.0))
    driven = drive().feed(frames("....." + "#" * 9), Configure(spanish, ("colour",)), frames("." * 8))
    assert driven.said(Configured) == [Configured(spanish, ("colour",))]
    assert driven.said(Committed) == []  # the longer silence counts already
    driven.feed(frames("." * 4 + "#" * 9), End())
    assert [job.options.language for job in driven.said(Decode)] == [None, "es"]


def test_turning_automatic_lets_silence_end_what_is_open() -> None:
    driven = drive(MANUAL).feed(frames("#" * 9 + "...."), Configure(AUTO), frames("." * 5))
    assert [item.cause for item in driven.said(Committed)] == ["silence"]


@pytest.mark.parametrize("fatal", [False, True])
def test_nonsense_takes_the_same_road(*, fatal: bool) -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK), Fail("bad_json", "Not JSON.", fatal=fatal))
    (failed,) = driven.said(Failed)
    assert (failed.code, failed.message, failed.fatal) == ("bad_json", "Not JSON.", fatal)
    if not fatal:
        driven.feed(End()).answer_all()
        assert texts(driven) == ["one two", "three four", ""]
        return
    assert driven.names()[-1] == "Ended"
    assert driven.said(Ended)[0].account.dropped == {"failed": len(frames(TALK)) * FRAME}
    assert driven.feed(frames("#"), Commit()).names()[-1] == "Ended"  # after the end nothing follows


def test_one_heard_for_each_audio() -> None:
    driven = drive().feed(frame(0.0), Audio(b""), frame(0.0), frame(0.0), Audio(b""))
    assert [item.upto for item in driven.said(Heard)] == [FRAME / RATE, 3 * FRAME / RATE]


def test_audio_after_the_end_is_counted_as_dropped() -> None:
    driven = drive()
    driven.immediate = False
    driven.feed(frames(TALK), End(), frame(0.9)).answer_all()
    assert driven.said(Ended)[0].account.dropped == {"ended": FRAME}


# --------------------------------------------------------------------------------------------------------- end of turn


EAGER = replace(AUTO, endpointing=replace(AUTO.endpointing, eager=0.15, min_silence=0.6))


def test_an_anticipated_turn_closes_with_the_same_text_and_no_second_decode() -> None:
    driven = drive(EAGER).feed(frames(TALK[:22]), End())
    assert driven.names(Decode)[:5] == ["SpeechStarted", "Anticipated", "SpeechStopped", "Committed", "Withdraw"]
    assert driven.said(Anticipated)[0].transcript.text == texts(driven)[0] == "one two"
    assert [job.kind for job in driven.said(Decode)] == [Kind.PARTIAL]
    assert driven.said(Retracted) == []


def test_speech_that_goes_on_retracts_the_anticipation() -> None:
    driven = drive(EAGER).feed(frames("....." + "#" * 9 + "..." + "#" * 9 + "." * 9), End())
    assert driven.names(Decode)[:4] == ["SpeechStarted", "Anticipated", "Retracted", "SpeechStarted"]
    assert len(driven.said(Anticipated)) == 2
    assert texts(driven)[0] == "one two"


def test_the_recogniser_may_end_the_turn() -> None:
    endpointing = replace(AUTO.endpointing, min_silence=2.0, turn_threshold=0.7)
    options = replace(AUTO, endpointing=endpointing, partials=True, partial_interval=0.1)
    sure = drive(options, turn_end=0.8).feed(frames("....." + "#" * 9 + "...."))
    assert [item.cause for item in sure.said(Committed)] == ["turn"]
    unsure = drive(options, turn_end=0.6).feed(frames("....." + "#" * 9 + "...."))
    assert unsure.said(Committed) == []


def test_a_lapse_is_reported_once_after_the_last_word() -> None:
    driven = drive(replace(AUTO, lapse=1.0)).feed(frames(TALK + "." * 20), End())
    assert driven.said(Lapsed) == [Lapsed(2, 3.4)]
    assert driven.said(SpeechStopped)


def test_a_second_pass_revises_each_utterance_and_the_end_waits_for_it() -> None:
    options = replace(AUTO, revision=DecodeOptions(model="better"))
    driven = drive(options)
    driven.immediate = False
    driven.feed(frames(TALK), End())
    while any(job.kind is not Kind.REVISION for job in driven.waiting):
        driven.answer(next(i for i, job in enumerate(driven.waiting) if job.kind is not Kind.REVISION))
    assert driven.said(Ended) == []
    assert [(job.kind, job.options.model) for job in driven.waiting] == [(Kind.REVISION, "better")] * 2
    driven.answer_all()
    assert [(item.utterance, item.transcript.text) for item in driven.said(Revised)] == [
        (1, "one two"),
        (2, "three four"),
    ]
    assert driven.names()[-1] == "Ended"


def test_files_have_no_partials_and_their_own_precedence() -> None:
    driven = drive(replace(AUTO, partials=True, live=False)).feed(frames(TALK), End())
    assert {job.kind for job in driven.said(Decode)} == {Kind.FILE}
    assert driven.said(Partial) == []


def test_silence_is_let_go() -> None:
    session = Session(AUTO)
    driven = Drive(session, silent).feed(frames("." * 40))
    assert session.acked == pytest.approx(40 * 3 * FRAME / RATE - 0.1)
    assert session.lag == pytest.approx(0.1)
    driven.immediate = False
    driven.feed(frames("#" * 9 + "." * 9))
    assert session.acked == pytest.approx(40 * 3 * FRAME / RATE - 0.1)  # the final is not out yet
    assert session.undecoded > 0
    driven.answer_all()
    assert session.undecoded == 0
    assert session.acked > 5


def test_a_session_replays_from_its_inputs() -> None:
    options = replace(AUTO, partials=True)
    first = drive(options, halves=True).feed(frames(TALK), End())
    again = Session(options)
    replayed = [output for item in first.inputs for output in again.feed(item)]
    assert [type(item) for item in replayed] == [type(item) for item in first.outputs]
    assert [item for item in replayed if isinstance(item, (Partial, Final))] == [
        item for item in first.outputs if isinstance(item, (Partial, Final))
    ]


def test_frames_last_as_long_as_they_should() -> None:
    assert pytest.approx(1.0, abs=0.01) == 31 / SECOND


def test_a_session_may_begin_where_another_ended() -> None:
    driven = Drive(Session(AUTO, origin=100.0), Oracle([word("one", 100.5, 100.9)])).feed(frames(TALK[:22]), End())
    finals = driven.said(Final)
    assert [final.transcript.text for final in finals] == ["one", ""]
    assert finals[0].start == 100.0
    assert driven.said(Decode)[0].start > 100 * RATE
    (ended,) = driven.said(Ended)
    assert ended.seconds == pytest.approx(finals[-1].end)
    assert ended.account.received == ended.account.final == 22 * 3 * FRAME


def test_speakers_and_insights_are_asked_for_late_and_the_end_waits_for_them() -> None:
    driven = drive(replace(AUTO, diarize=True, analyze=True)).feed(frames(TALK), End())
    assert [(job.utterance, job.transcript.text) for job in driven.said(Diarize)] == [(1, "one two"), (2, "three four")]
    assert [job.utterance for job in driven.said(Analyze)] == [1, 2, 3]
    assert driven.said(Ended) == []
    named = of_words([Word("one", 0.5, 0.9, speaker="A")])
    driven.feed(
        Labelled(1, named),
        Labelled(2, EngineFailed("No."), speakers=({"id": 0},), parts=({"start": 0.0},)),
        Insight("summary", {"text": "numbers"}),
        Insight("summary", EngineFailed("No.")),
    )
    assert driven.said(Diarized) == [Diarized(1, named)]
    assert driven.said(Summarized) == [Summarized(({"id": 0},), ({"start": 0.0},))]
    assert driven.said(Analyzed) == [Analyzed("summary", {"text": "numbers"})]
    assert [item.code for item in driven.said(Warned)] == ["diarization_failed", "insight_failed"]
    assert driven.said(Ended) == []
    driven.feed(Insight("summary", {}))
    assert driven.names()[-1] == "Ended"
