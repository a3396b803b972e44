"""A piece that fails takes its utterance along, and nothing that is said after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stenod.errors import EngineFailed
from stenod.events import Commit, End, Ended, Failed, Final, SpeechStarted
from stenod.jobs import Decoded, Withdraw
from stenod.options import RATE, Endpointing, Options
from stenod.session.core import Session
from support.script import Drive, Oracle, frames, word

BEAT = Options(partials=False, piece=1.0, word_times=False, endpointing=Endpointing(mode="manual"))
WORDS = [word("one", 0.2, 0.5), word("two", 1.2, 1.5), word("three", 2.2, 2.5), word("four", 3.2, 3.5)]


def fail(driven: Drive, index: int = 0) -> None:
    job = driven.waiting.pop(index)
    driven._feed(Decoded(job.job, EngineFailed("It broke.")))


@pytest.mark.parametrize("turns", [Endpointing(mode="manual"), Endpointing(padding=0.0)], ids=["manual", "auto"])
def test_what_follows_is_the_next_utterance(turns: Endpointing) -> None:
    options = replace(BEAT, endpointing=turns)
    driven = Drive(Session(options), Oracle(WORDS), immediate=False)
    driven.feed(frames("#" * 20))
    assert len(driven.waiting) == 1
    fail(driven)
    driven.feed(frames("#" * 20), End()).answer_all()
    [failed] = driven.said(Failed)
    assert (failed.utterance, failed.fatal) == (1, False)
    finals = driven.said(Final)
    assert {final.utterance for final in finals} == {2}
    assert " ".join(final.transcript.text for final in finals if final.transcript.text) == "two three four"
    assert finals[0].start == pytest.approx(1.0, abs=0.001)
    assert [final.closes for final in finals][-1] == "end"
    assert [one.start for one in driven.said(SpeechStarted) if one.utterance == 2] == [finals[0].start]
    [ended] = driven.said(Ended)
    assert ended.account.open == 0
    assert ended.account.dropped == {"engine_failed": RATE}
    assert driven.said(Withdraw)


def test_a_commit_after_it_is_answered() -> None:
    driven = Drive(Session(BEAT), Oracle(WORDS), immediate=False)
    driven.feed(frames("#" * 12))
    fail(driven)
    driven.feed(Commit()).answer_all()
    [final] = driven.said(Final)
    assert (final.utterance, final.closes) == (2, "client")


def test_pieces_that_were_waiting_behind_it_go_with_it() -> None:
    driven = Drive(Session(BEAT), Oracle(WORDS), immediate=False)
    driven.feed(frames("#" * 28))
    assert len(driven.waiting) == 2
    fail(driven)
    driven.feed(frames("#" * 12), End()).answer_all()
    assert " ".join(final.transcript.text for final in driven.said(Final)).split() == ["three", "four"]
    [ended] = driven.said(Ended)
    assert ended.account.dropped == {"engine_failed": 2 * RATE}
