"""Latencies from takes whose times are written down by hand."""

from __future__ import annotations

import pytest

from stenod.cli.dialect import Said
from stenod.cli.latency import Latency, measure, percentile, table, verdict
from stenod.cli.streaming import Heard, Take


def take(*heard: tuple[float, Said], ended: float | None = 103.0, closed: float | None = 103.5) -> Take:
    """Three chunks of a second, each sent as it ended, from clock time 100 on."""
    return Take(
        heard=[Heard(at, said) for at, said in heard],
        ends=[1.0, 2.0, 3.0],
        times=[101.0, 102.0, 103.0],
        ended=ended,
        closed=closed,
    )


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.2, 1), (0.5, 3), (0.6, 3), (0.61, 4), (0.95, 5), (1.0, 5)])
def test_percentiles_are_of_the_nearest_rank(share, value) -> None:
    assert percentile([5, 3, 1, 2, 4], share) == value


def test_what_is_covered_counts_and_the_last_word_beside_it() -> None:
    found = measure(
        [
            take((101.25, Said("partial", "a", 1.0)), (102.5, Said("final", "a b", 2.0, 0.9))),
            take((103.75, Said("final", "c", 3.0, 1.0)), (103.8, Said("note", "x")), closed=104.0),
        ]
    )
    assert found.partial == pytest.approx([0.25])
    assert found.final == pytest.approx([0.5, 0.75])
    assert found.after_speech == pytest.approx([1.5, 2.75])
    assert found.to_end == pytest.approx([0.5, 1.0])
    assert (found.by_word, found.unmeasured) == (False, 0)


def test_without_it_the_last_word_counts_and_without_that_nothing() -> None:
    found = measure([take((101.5, Said("partial", "a", None, 0.9)), (102.0, Said("final", "a")), ended=None)])
    assert (found.partial, found.final, found.to_end) == ([0.5], [], [])
    assert (found.by_word, found.unmeasured) == (True, 1)
    assert "counted from the end of its last word" in "\n".join(table(found))
    assert "1 texts said nothing of their place" in "\n".join(table(found))


def test_empty_texts_do_not_count() -> None:
    assert measure([take((101.5, Said("final", "", 1.0)))]).final == []


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (Latency(partial=[0.1, 0.49], final=[0.59]), [True, True]),
        (Latency(partial=[0.1, 0.51], final=[0.59]), [False, True]),
        (Latency(partial=[0.1], final=[0.6]), [True, False]),
        (Latency(partial=[], final=[0.1]), [False, True]),
        (Latency(), [False, False]),
    ],
)
def test_the_means_are_judged(found, passed) -> None:
    assert [fine for fine, _ in verdict(found)] == passed


def test_the_table() -> None:
    lines = table(Latency(partial=[0.1, 0.2], final=[0.3]))
    assert [line.split() for line in lines] == [
        ["latency,", "ms", "count", "mean", "p50", "p95", "max"],
        ["partial", "2", "150", "100", "200", "200"],
        ["final", "1", "300", "300", "300", "300"],
        ["final", "after", "speech", "0", "-", "-", "-", "-"],
        ["end", "0", "-", "-", "-", "-"],
    ]
