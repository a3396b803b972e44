"""What holds of every session, whatever it is told and in whatever order it is answered."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.errors import EngineFailed
from stenod.events import (
    Account,
    Audio,
    Clear,
    Commit,
    Committed,
    Configure,
    Continue,
    End,
    Ended,
    Fail,
    Failed,
    Final,
    Interrupt,
    Interrupted,
    Partial,
    Pause,
)
from stenod.jobs import Decode, Decoded, Shed, Stalled, Withdraw
from stenod.options import FRAME, RATE, DecodeOptions, Endpointing, Options
from stenod.session.core import Session
from support.script import Drive, Oracle, frame, word

WORDS = [word(f"w{i}", i * 0.3, i * 0.3 + 0.25) for i in range(200)]

OPTIONS = st.builds(
    Options,
    endpointing=st.builds(
        Endpointing,
        mode=st.sampled_from(["auto", "manual"]),
        min_silence=st.sampled_from([0.2, 0.5]),
        min_speech=st.sampled_from([0.03, 0.1]),
        padding=st.sampled_from([0.0, 0.3]),
        hold=st.sampled_from([0.0, 0.2]),
        eager=st.sampled_from([None, 0.1]),
    ),
    partials=st.booleans(),
    partial_interval=st.sampled_from([0.1, 0.5]),
    max_utterance=st.sampled_from([2.0, 30.0]),
    piece=st.sampled_from([None, 0.5, 1.7]),
    context=st.sampled_from([0.0, 1.0]),
    word_times=st.booleans(),
    pause_buffer=st.sampled_from([0.0, 0.5]),
    revision=st.sampled_from([None, DecodeOptions(model="better")]),
    lapse=st.sampled_from([None, 0.5]),
)
RUN = st.tuples(st.sampled_from([0.0, 0.4, 0.9, 0.9]), st.integers(3, 60))
COMMANDS = st.sampled_from([Commit(), Clear(), Interrupt(), Pause(), Continue(), Stalled(), Audio(b""), Fail("x", "y")])
STEPS = st.lists(
    st.one_of(
        RUN,
        RUN,
        RUN,
        st.tuples(st.just("short"), st.integers(1, FRAME)),
        COMMANDS,
        st.tuples(st.just("answer"), st.integers(0, 20)),
        st.tuples(st.just("fail"), st.integers(0, 20)),
        OPTIONS.map(Configure),
    ),
    min_size=8,
    max_size=40,
)


def run(options: Options, steps: list[Any]) -> Drive:
    driven = Drive(Session(options), Oracle(WORDS, halves=True), immediate=False)
    for step in steps:
        match step:
            case ("answer", index):
                if driven.waiting:
                    driven.answer(index % len(driven.waiting))
            case ("fail", index):
                if driven.waiting:
                    job = driven.waiting.pop(index % len(driven.waiting))
                    driven.feed(Decoded(job.job, EngineFailed("no") if index % 2 else Shed()))
            case ("short", samples):
                driven.feed(frame(0.9, samples=samples))
            case (float() as chance, int() as count):
                driven.feed([frame(chance) for _ in range(count)])
            case _:
                driven.feed(step)
    return driven.feed(End()).answer_all()


@settings(max_examples=200, deadline=None)
@given(OPTIONS, STEPS)
def test_invariants(options: Options, steps: list[Any]) -> None:
    driven = run(options, steps)

    # it ends, once, and every sample is accounted for
    (ended,) = driven.said(Ended)
    received = sum(len(item.samples) for item in driven.inputs if hasattr(item, "samples"))
    account = ended.account
    assert (account.received, account.open) == (received, 0)
    assert received == account.final + sum(account.dropped.values())
    assert driven.outputs[-1] is ended

    # finals never overlap, and cover what they say they cover
    finals, at = driven.said(Final), 0.0
    for final in finals:
        assert final.start >= at - 1e-9
        assert final.end >= final.start
        at = final.end
    reasons = set(account.dropped)
    assert reasons <= {"cleared", "interrupted", "paused", "engine_failed"}
    if not reasons:
        assert round(sum(final.end - final.start for final in finals) * RATE) == received

    # utterances close in order, each at most once, and say nothing more after
    closed = [item.utterance for item in finals if item.closes] + [
        item.utterance for item in driven.said(Failed) if item.utterance
    ]
    assert len(closed) == len(set(closed))
    upto = 0
    for output in driven.outputs:
        if isinstance(output, (Partial, Final)) or (isinstance(output, Failed) and output.utterance):
            assert (output.utterance or 0) > upto
        if (isinstance(output, Final) and output.closes) or (isinstance(output, Failed) and output.utterance):
            upto = output.utterance or 0
        if isinstance(output, Interrupted):
            upto = max(upto, output.utterance)

    # every commit is answered, unless interrupted
    committed = [item.utterance for item in driven.said(Committed)]
    assert committed == sorted(set(committed))
    if not driven.said(Interrupted):
        assert set(committed) <= set(closed)

    # stable text only grows between finals
    promised: dict[int, str] = {}
    for output in driven.outputs:
        if isinstance(output, Final):
            promised.pop(output.utterance, None)
        elif isinstance(output, Partial):
            stable = output.transcript.text[: output.stable]
            assert stable.startswith(promised.get(output.utterance, ""))
            promised[output.utterance] = stable

    # no stretch is left open at the recogniser
    stretches = {item.stretch for item in driven.said(Decode)}
    done = {item.stretch for item in driven.said(Decode) if item.last} | {
        item.stretch for item in driven.said(Withdraw)
    }
    assert stretches <= done


@settings(max_examples=60, deadline=None)
@given(OPTIONS, st.lists(RUN, max_size=20), st.randoms())
def test_finals_do_not_depend_on_when_answers_come(options: Options, runs: list[Any], random: Random) -> None:
    steady = replace(options, partials=False, revision=None, endpointing=replace(options.endpointing, eager=None))
    prompt = Drive(Session(steady), Oracle(WORDS))
    late = Drive(Session(steady), Oracle(WORDS), immediate=False)
    for chance, count in runs:
        prompt.feed([frame(chance) for _ in range(count)])
        late.feed([frame(chance) for _ in range(count)])
    prompt.feed(End())
    late.feed(End())
    while late.waiting:
        late.answer(random.randrange(len(late.waiting)))
    strip = [replace(item, account=Account(), took=0.0) for item in prompt.said(Final)]
    assert strip == [replace(item, account=Account(), took=0.0) for item in late.said(Final)]
