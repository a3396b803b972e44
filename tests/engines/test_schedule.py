"""The order at a pool, as tables: no clock, no event loop."""

from __future__ import annotations

import pytest

from stenod.engines.schedule import COMPANY, CROWD, PASSED, WINDOW, Queue
from stenod.engines.ticket import Ticket, padded
from stenod.jobs import Kind
from stenod.options import DecodeOptions

FINAL, PARTIAL, FILE, REVISION = Kind


def ticket(kind=FILE, stretch=None, seconds=1.0, **more):
    return Ticket(kind=kind, stretch=object() if stretch is None else stretch, seconds=seconds, **more)


def learn(queue, *, fixed=0.0, rate=0.0):
    """Let the queue have seen batches of such a cost."""
    for seconds in (1.0, 4.0) * 200:
        queue.cost.learn(fixed + rate * seconds, seconds)
    assert queue.cost.fixed == pytest.approx(fixed, rel=0.1, abs=1e-4)
    assert queue.cost.rate == pytest.approx(rate, rel=0.1, abs=1e-3)


def test_precedence_then_age():
    queue = Queue()
    order = [REVISION, FILE, PARTIAL, FINAL, FILE, FINAL]
    tickets = [ticket(kind) for kind in order]
    for at, one in enumerate(tickets):
        queue.put(one, now=at / 100)
    taken = [queue.take(now=0.1)[0] for _ in tickets]
    assert [tickets.index(one) for one in taken] == [3, 5, 2, 1, 4, 0]
    assert queue.take(now=0.1) == []


@pytest.mark.parametrize(
    ("kind", "waited", "overdue"),
    [
        (PARTIAL, 0.9, False),
        (PARTIAL, 1.1, True),
        (FILE, 4.9, False),
        (FILE, 5.1, True),
        (REVISION, 19, False),
        (REVISION, 21, True),
    ],
)
def test_what_waits_too_long_gets_every_fourth_batch(kind, waited, overdue):
    queue = Queue()
    old = ticket(kind)
    queue.put(old, now=0)
    kinds = []
    for _ in range(2 * (PASSED + 1)):
        queue.put(ticket(FINAL), now=waited)
        kinds.append(queue.take(now=waited)[0].kind)
    assert kinds.index(kind) == PASSED if overdue else kind not in kinds


def test_the_longest_waiting_of_the_overdue_goes_first():
    queue = Queue()
    revision, file = ticket(REVISION), ticket(FILE)
    queue.put(revision, now=0)
    queue.put(file, now=10)
    for _ in range(PASSED):
        queue.put(ticket(FINAL), now=30)
        assert queue.take(now=30)[0].kind is FINAL
    queue.put(ticket(FINAL), now=30)
    assert queue.take(now=30) == [revision]


@pytest.mark.parametrize(
    ("lengths", "batches"),
    [
        ([0.2, 0.9, 1.0], [[0.2, 0.9, 1.0]]),
        ([3.0, 3.9, 4.0], [[3.0, 3.9, 4.0]]),
        ([3.0, 8.0, 4.0, 5.0], [[3.0, 4.0], [5.0, 8.0]]),
        ([1.0, 20.0, 1.0], [[1.0, 1.0], [20.0]]),
        ([2.0] * 5, [[2.0] * 4, [2.0]]),
        ([3.9, 2.1, 2.2, 3.8, 4.0, 3.7, 2.3, 2.4], [[3.7, 3.8, 3.9, 4.0], [2.1, 2.2, 2.3, 2.4]]),  # the nearest
    ],
)
def test_batches_hold_about_equal_lengths(lengths, batches):
    queue = Queue(max_batch=4)
    for seconds in lengths:
        queue.put(ticket(seconds=seconds), now=0)
    taken = [[one.seconds for one in queue.take(now=0)] for _ in batches]
    assert taken == batches
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("now", "size"),
    [(0.0, 2), (4.9, 2), (5.1, 8)],  # five seconds after the last live request nobody is live
)
def test_while_anyone_is_live_a_batch_is_capped_by_seconds(now, size):
    queue = Queue(max_batch=8, live_cap=0.5)
    learn(queue, rate=0.25)
    queue.put(ticket(FINAL), now=0)
    queue.take(now=0)
    for _ in range(8):
        queue.put(ticket(FILE, seconds=1.0), now=0)
    assert len(queue.take(now=now)) == size


def test_one_request_goes_however_long_it_is():
    queue = Queue(max_batch=8, live_cap=0.5)
    learn(queue, rate=1.0)
    queue.put(ticket(FINAL, seconds=30.0), now=0)
    assert len(queue.take(now=0)) == 1


@pytest.mark.parametrize(("uniform", "sizes"), [(True, [2, 1]), (False, [3])])
def test_uniform_engines_get_equal_options(uniform, sizes):
    queue = Queue(max_batch=4, uniform=uniform)
    for language in ("en", "de", "en"):
        queue.put(ticket(options=DecodeOptions(language=language)), now=0)
    assert [len(queue.take(now=0)) for _ in sizes] == sizes


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ({}, {}, True),
        ({"call": "step"}, {}, False),
        ({"alone": True}, {}, False),
        ({}, {"alone": True}, False),
        ({"stretch": "a"}, {"stretch": "a"}, False),
    ],
)
def test_what_goes_together(first, second, together):
    queue = Queue(max_batch=4)
    queue.put(ticket(**first), now=0)
    queue.put(ticket(**second), now=0)
    assert len(queue.take(now=0)) == (2 if together else 1)


def test_finals_of_one_stretch_go_in_order():
    queue = Queue(max_batch=4)
    pieces = [ticket(FINAL, stretch="a") for _ in range(3)]
    for piece in pieces:
        queue.put(piece, now=0)
    assert [queue.take(now=0) for _ in pieces] == [[piece] for piece in pieces]


@pytest.mark.parametrize(
    ("waits", "comes", "same", "shed"),
    [
        (PARTIAL, PARTIAL, True, True),
        (PARTIAL, FINAL, True, True),
        (PARTIAL, PARTIAL, False, False),
        (FINAL, PARTIAL, True, False),
        (FINAL, FINAL, True, False),
        (FILE, FINAL, True, False),
        (PARTIAL, FILE, True, False),
    ],
)
def test_what_replaces_what(waits, comes, same, shed):
    queue = Queue()
    old, new = ticket(waits, stretch="a"), ticket(comes, stretch="a" if same else "b")
    assert queue.put(old, now=0) == []
    assert queue.put(new, now=1) == ([old] if shed else [])
    assert len(queue) == (1 if shed else 2)


def test_a_newer_partial_takes_the_older_ones_place_in_line():
    queue = Queue()
    queue.put(ticket(PARTIAL, stretch="a"), now=0)
    other, newer = ticket(PARTIAL, stretch="b"), ticket(PARTIAL, stretch="a")
    queue.put(other, now=1)
    queue.put(newer, now=2)
    assert queue.take(now=2) == [newer]
    assert queue.take(now=2) == [other]


@pytest.mark.parametrize(
    ("kind", "waiting", "cost", "ahead", "shed"),
    [
        (PARTIAL, [], 0.2, 0.0, False),
        (PARTIAL, [], 0.2, 1.1, True),
        (PARTIAL, [(FINAL, 4.0)], 0.2, 0.0, False),
        (PARTIAL, [(FINAL, 4.0)], 0.2, 0.3, True),
        (PARTIAL, [(FINAL, 3.0), (PARTIAL, 3.0)], 0.2, 0.0, True),
        (PARTIAL, [(FILE, 600.0)], 0.2, 0.0, False),  # files go after it
        (PARTIAL, [(FINAL, 0.1)] * 3, 0.2, 0.0, False),
        (PARTIAL, [(FINAL, 0.1)] * 4, 0.2, 0.0, True),  # the bound below
        (FINAL, [(FINAL, 60.0)] * 4, 0.2, 9.0, False),
        (FILE, [(FINAL, 60.0)] * 4, 0.2, 9.0, False),
        (REVISION, [(FINAL, 60.0)] * 4, 0.2, 9.0, False),
    ],
)
def test_only_partials_are_shed(kind, waiting, cost, ahead, shed):
    queue = Queue(max_waiting=4)
    learn(queue, rate=cost)
    for other, seconds in waiting:
        queue.put(ticket(other, seconds=seconds), now=0)
    new = ticket(kind)
    assert queue.put(new, now=0, ahead=ahead) == ([new] if shed else [])
    assert len(queue) == len(waiting) + (not shed)


def test_a_partial_that_replaces_is_not_shed_itself():
    queue = Queue()
    old, new = ticket(PARTIAL, stretch="a"), ticket(PARTIAL, stretch="a")
    queue.put(old, now=0)
    assert queue.put(new, now=1, ahead=100.0) == [old]
    assert queue.take(now=1) == [new]


def test_withdrawing():
    queue = Queue()
    mine, also, other = ticket(FINAL, stretch="a"), ticket(FILE, stretch="a"), ticket(FINAL, stretch="b")
    for one in (mine, also, other):
        queue.put(one, now=0)
    assert queue.withdraw("a") == [mine, also]
    assert queue.withdraw("a") == []
    assert queue.remove(other)
    assert not queue.remove(other)
    assert queue.take(now=0) == []


def test_what_failed_comes_back_alone_with_its_age():
    queue = Queue(max_batch=4)
    failed = [ticket(FILE), ticket(FILE)]
    for one in failed:
        queue.put(one, now=0)
    assert queue.take(now=1) == failed
    queue.put(ticket(FILE), now=1)
    queue.put_back(failed)
    assert [queue.take(now=1) for _ in failed] == [[one] for one in failed]
    assert all(one.tried for one in failed)


def test_what_waits_is_predicted_in_batches_as_full_as_may_be():
    queue = Queue(max_batch=4)
    assert queue.predicted() == 0
    for _ in range(5):
        queue.put(ticket(seconds=10.0), now=0)
    assert queue.predicted() == 0
    learn(queue, fixed=0.5, rate=0.02)
    assert queue.predicted() == pytest.approx(2 * 0.5 + 50 * 0.02, rel=0.05)
    assert queue.waiting() == {FILE: 5}


@pytest.mark.parametrize(
    ("fixed", "lengths", "together"),
    [
        (0.0, [1.0, 3.0], False),  # two seconds of padding
        (0.1, [1.0, 3.0], True),  # cost less than another batch
        (0.1, [1.0, 30.0], False),
        (0.1, [1.0, 1.0, 1.0, 6.0], False),  # it would pad three
    ],
)
def test_unequal_lengths_go_together_where_padding_is_cheaper_than_a_batch(fixed, lengths, together):
    queue = Queue(max_batch=8)
    learn(queue, fixed=fixed, rate=0.02)
    for seconds in lengths:
        queue.put(ticket(seconds=seconds), now=0)
    assert (len(queue.take(now=100)) == len(lengths)) is together


@pytest.mark.parametrize(
    ("rate", "partials"),
    [(0.005, 7), (0.02, 2), (0.1, 0)],  # what fits into 50 ms beside the final, a second each
)
def test_partials_ride_with_a_final_that_hardly_notices(rate, partials):
    queue = Queue(max_batch=8)
    learn(queue, rate=rate)
    for kind in [PARTIAL] * 7 + [FINAL]:
        queue.put(ticket(kind), now=0)
    batch = queue.take(now=0)
    assert [one.kind for one in batch].count(PARTIAL) == partials
    assert FINAL in {one.kind for one in batch}


OTHERS = [f"b{index}" for index in range(CROWD)]
SEEN_ALONE, SEEN_LATELY, SEEN_LONG_AGO = [], [(name, 0.9) for name in OTHERS], [("b", 1.0 - COMPANY)]


@pytest.mark.parametrize(
    ("fixed", "seen", "waiting", "held"),
    [
        (0.05, SEEN_LATELY, [(PARTIAL, "a")], WINDOW),
        (0.05, SEEN_LATELY[: CROWD // 4], [(PARTIAL, "a")], WINDOW / 4),  # less company, less patience
        (0.005, SEEN_LATELY, [(PARTIAL, "a")], 0.2),  # no longer than it pays
        (0.0, SEEN_LATELY, [(PARTIAL, "a")], 0.0),
        (0.05, SEEN_ALONE, [(PARTIAL, "a")], 0.0),
        (0.05, SEEN_LONG_AGO, [(PARTIAL, "a")], 0.0),
        (0.05, [("b", 0.9)], [(PARTIAL, "a"), (PARTIAL, "b")], 0.0),  # everyone is there
        (0.05, SEEN_LATELY, [(FINAL, "a")], 0.0),
        (0.05, SEEN_LATELY, [(PARTIAL, "a"), (FINAL, "c")], 0.0),
        (0.05, SEEN_LATELY, [(PARTIAL, "a"), (FILE, "c")], 0.0),
        (0.05, SEEN_LATELY, [(FILE, "a")], 0.0),
        (0.05, SEEN_LATELY, [(PARTIAL, name) for name in "acde"], 0.0),  # the batch is full
        (0.05, SEEN_LATELY, [], 0.0),
    ],
)
def test_a_partial_waits_for_company_where_there_is_any(fixed, seen, waiting, held):
    queue = Queue(max_batch=4)
    learn(queue, fixed=fixed)
    for session, at in seen:
        queue.put(ticket(PARTIAL, session=session), now=at)
        queue.take(now=at)
    for kind, session in waiting:
        queue.put(ticket(kind, session=session), now=1.0)
    assert queue.hold(now=1.0) == pytest.approx(held, rel=0.1)
    assert queue.hold(now=1.0 + WINDOW) == 0.0


def test_the_window_begins_with_the_first_that_waits():
    queue = Queue(max_batch=4)
    learn(queue, fixed=0.05, rate=0.01)
    for name in OTHERS:
        queue.put(ticket(PARTIAL, session=name), now=0.5)
    while queue.take(now=0.5):
        pass
    for at, session in ((0.52, "b"), (0.54, "a")):
        queue.put(ticket(PARTIAL, session=session), now=at)
    assert queue.hold(now=0.55) == pytest.approx(0.52 + WINDOW - 0.55)


def crowd(company, *, fixed=0.01, **more):
    """A queue where so many sessions had a partial at 1.0, the first of them `b0`; a batch costs `fixed` seconds."""
    queue = Queue(max_batch=64, crowded_interval=0.8, **more)
    learn(queue, fixed=fixed)
    for index in range(company):
        queue.put(ticket(PARTIAL, session=f"b{index}"), now=1.0)
        assert len(queue.take(now=1.0)) == 1
    return queue


@pytest.mark.parametrize(
    ("company", "fixed", "interval"),
    [
        (1, 0.01, 0.05),
        (CROWD // 2, 0.01, 0.4),
        (CROWD, 0.01, 0.8),
        (2 * CROWD, 0.01, 0.8),
        (CROWD, 0.004, 0.4),  # no rarer than it is worth
        (CROWD, 0.0, 0.0),
    ],
)
def test_in_company_a_session_has_fewer_partials(company, fixed, interval):
    queue = crowd(company, fixed=fixed)
    queue.put(ticket(PARTIAL, session="b0"), now=1.01)
    if interval:
        assert queue.hold(now=1.01) == pytest.approx(interval - 0.01, rel=0.1)
        assert queue.take(now=1.01) == []
    assert [one.session for one in queue.take(now=1.02 + 1.1 * interval)] == ["b0"]


def test_what_is_not_another_partial_of_the_whole_has_its_turn_at_once():
    queue = crowd(CROWD)
    step, retried = ticket(PARTIAL, session="b1", call="step"), ticket(PARTIAL, session="b2", alone=True)
    waits = ticket(PARTIAL, session="b0")
    rest = [ticket(FINAL, session="b3"), ticket(PARTIAL, session="new"), ticket(FILE)]
    for one in (waits, step, retried, *rest):
        queue.put(one, now=1.1)
    taken = []
    while batch := queue.take(now=1.1):
        taken += batch
    assert set(map(id, taken)) == set(map(id, (step, retried, *rest)))
    assert queue.take(now=1.8) == [waits]


def test_who_waits_for_his_turn_crowds_nobody_out():
    queue = crowd(8, max_waiting=2)
    for index in range(8):
        assert queue.put(ticket(PARTIAL, session=f"b{index}"), now=1.1) == []
    assert len(queue.take(now=2.0)) == 8


def test_among_partials_the_session_served_longest_ago_goes_first():
    queue = Queue()
    served = []
    for round_ in range(12):
        for session in "abcd":  # they always come in this order, and there is time for two in a round
            queue.put(ticket(PARTIAL, stretch=session, session=session), now=round_)
        served += [queue.take(now=round_ + 0.1)[0].session for _ in range(2)]
    assert {session: served.count(session) for session in "abcd"} == dict.fromkeys("abcd", 6)


def test_what_is_shed_is_whom_was_served_last():
    queue = Queue(max_waiting=2)
    served = []
    for round_ in range(30):
        for session in "abcde":
            queue.put(ticket(PARTIAL, session=session), now=round_)  # a new stretch each time: nothing is replaced
        assert len(queue) == 2
        served += [queue.take(now=round_)[0].session for _ in range(2)]
    counts = [served.count(session) for session in "abcde"]
    assert min(counts) >= 9, counts  # 12 each would be even


def test_padding():
    assert padded([ticket(seconds=seconds) for seconds in (1.0, 2.0, 4.0)]) == 12.0
