"""The fold over events, from lists of them: sums, latencies, and what a connection is doing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stenod.events import (
    Account,
    Cleared,
    Committed,
    Configured,
    Ended,
    Event,
    Failed,
    Final,
    Heard,
    Interrupted,
    Partial,
    SpeechStarted,
    SpeechStopped,
    Stamp,
    Warned,
)
from stenod.options import Options
from stenod.protocols.base import Handshake
from stenod.protocols.files import Renderer
from stenod.protocols.openai_rest import OpenAITranscription
from stenod.protocols.pcm import Pcm
from stenod.server.measured import Measured, MeasuredRenderer
from stenod.server.measures import RECENT, Measures, Sums, Tally, Timing
from stenod.transcript import Transcript


def told(*events: Event, tally: Tally | None = None, channel: int = 0, step: float = 0.1) -> Tally:
    tally = tally or Tally("c")
    for index, event in enumerate(events):
        tally.add(event, Stamp(index + 1, 1_000.0 + index * step, channel=channel, lag=0.25))
    return tally


def final(took: float = 0.2, *, text: str = "x", closes: bool = True) -> Final:
    end = "silence" if closes else None
    return Final(1, 1, Transcript(text), 0.0, 1.0, end, agrees=0, took=took, account=Account())


STARTED, STOPPED = SpeechStarted(1, 0.2, 0.0, 0.9, 0.1), SpeechStopped(1, 1.0)
COMMITTED, PARTIAL = Committed(1, "silence"), Partial(1, Transcript("x"), 0.0, 0.5, 0, took=0.1)
ENDED = Ended(2.5, Account())


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Sums()),
        ([Heard(0.5), Heard(1.25)], {"messages": 2, "seconds": 1.25}),
        ([Heard(2.0), ENDED], {"seconds": 2.5}),
        ([Heard(2.0), ENDED, Heard(1.0)], {"seconds": 3.5, "messages": 2}),
        ([COMMITTED, final(), COMMITTED, final(text="")], {"utterances": 2, "texts": 1}),
        ([Failed("a", ""), Failed("a", ""), Failed("b", "", fatal=True)], {"errors": {"a": 2, "b": 1}}),
        ([Warned("audio_dropped_during_pause", ""), Warned("other", "")], {"overruns": 1}),
        ([Cleared(), Cleared()], {"events": {"Cleared": 2}}),
    ],
)
def test_sums(events: list[Event], expected: Sums | dict[str, object]) -> None:
    tally = told(*events)
    if isinstance(expected, Sums):
        assert tally.own == expected
    else:
        assert {name: getattr(tally.own, name) for name in expected} == expected
    assert tally.own == tally.whole


def test_the_channels_of_a_connection_add_up() -> None:
    tally = told(Heard(1.0))
    told(Heard(1.0), tally=tally, channel=1)
    assert tally.own.seconds == 2.0


def test_audio_before_a_session_that_begins_late_is_not_counted() -> None:
    tally = Tally()
    tally.add(Configured(Options()), Stamp(1, 0.0, acked=100.0))
    tally.add(Heard(101.5), Stamp(2, 0.0, acked=100.0))
    assert tally.own.seconds == 1.5


def test_latencies_of_files_are_kept_apart() -> None:
    live = told(Configured(Options()), PARTIAL, final(0.3), final(0.5)).own
    assert (live.partials.mean, live.finals.mean, live.files.count) == (0.1, 0.4, 0)
    files = told(Configured(replace(Options(), live=False)), final(9.0)).own
    assert (files.finals.count, files.files.mean, files.processing) == (0, 9.0, 9.0)


def test_an_empty_final_that_was_never_decoded_is_no_latency() -> None:
    own = told(final(0.0, text=""), final(0.4)).own
    assert (own.finals.count, own.finals.mean) == (1, 0.4)


def test_running_dry_is_noticed_in_speech_alone() -> None:
    assert told(Heard(0.1), Heard(0.2), step=1.0).own.underruns == 0
    assert told(STARTED, Heard(0.1), Heard(0.2), step=1.0).own.underruns == 1
    assert told(STARTED, Heard(0.1), Heard(0.2), step=0.1).own.underruns == 0
    assert told(STARTED, Heard(0.1), STOPPED, Heard(0.2), step=1.0).own.underruns == 0


@pytest.mark.parametrize(
    ("events", "state", "active"),
    [
        ([], "active", 0),
        ([STARTED], "buffering", 1),
        ([STARTED, STOPPED], "active", 0),
        ([STARTED, COMMITTED], "processing", 1),
        ([STARTED, COMMITTED, final(closes=False)], "processing", 1),
        ([STARTED, COMMITTED, final()], "active", 0),
        ([COMMITTED, SpeechStarted(2, 2.0, 1.5, 0.9, 0.1)], "processing", 2),
        ([COMMITTED, Failed("engine_failed", "", utterance=1)], "active", 0),
        ([COMMITTED, COMMITTED, Interrupted(2)], "active", 0),
        ([STARTED, ENDED], "active", 0),
        ([Failed("x", "", fatal=True)], "error", 0),
    ],
)
def test_what_a_connection_is_doing(events: list[Event], state: str, active: int) -> None:
    tally = told(*events)
    assert (tally.state, tally.active) == (state, active)


def test_what_is_under_way() -> None:
    tally = told(Heard(0.1), Heard(0.2), PARTIAL, Heard(0.3), SpeechStarted(4, 0.2, 0.0, 0.9, 0.1))
    assert (tally.since_final, tally.since_partial, tally.utterance, tally.undecoded) == (3, 1, 4, 0.25)


@pytest.mark.parametrize(
    ("durations", "share", "expected"),
    [([], 0.95, 0.0), ([3.0], 0.95, 3.0), ([3.0], 0.0, 3.0), (range(1, 101), 0.95, 95), (range(1, 101), 0.5, 50)],
)
def test_quantiles(durations: list[float], share: float, expected: float) -> None:
    timing = Timing()
    for seconds in durations:
        timing.add(seconds)
    assert timing.quantile(share) == expected


def test_what_is_remembered_is_bounded() -> None:
    measures = Measures(0.0)
    with measures.connection("c") as tally:
        told(*[final(), Failed("x", "")] * (RECENT + 5), tally=tally)
    assert len(measures.sums.finals.recent) == len(measures.recent) == RECENT
    assert measures.sums.finals.count == measures.sums.errors["x"] == RECENT + 5
    assert not measures.open


def test_a_measured_dialect_is_otherwise_itself() -> None:
    measures = Measures(0.0)
    with measures.connection("c") as tally:
        assert measures.open["c"] is tally
        plain, counted = Pcm(Handshake("c")), Measured(Pcm(Handshake("c")), tally)
        assert counted.patience == plain.patience
        assert counted.open() == plain.open()
        assert counted.receive("{") == plain.receive("{")
        for event in (PARTIAL, final(), ENDED):
            assert counted.send(event, Stamp(1, 0.0)) == plain.send(event, Stamp(1, 0.0))
        file: Renderer = MeasuredRenderer(OpenAITranscription(Handshake("c", {"response_format": "text"})), tally)
        assert file.media_type.startswith("text/plain")
    assert measures.connections == {"Pcm": 1}
    assert measures.sums.events == {"Partial": 1, "Final": 1, "Ended": 1}
