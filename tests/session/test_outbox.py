"""What waits for a slow client: order, coalescing, bounds."""

from __future__ import annotations

import anyio
import pytest

from stenod.events import Event, Failed, Heard, Partial, Ponged
from stenod.session import outbox as module
from stenod.session.outbox import Entry, Outbox
from stenod.transcript import Transcript


def partial(text: str, utterance: int = 1) -> Partial:
    return Partial(utterance, Transcript(text), 0.0, 1.0, 0)


async def read(outbox: Outbox) -> list[Event]:
    outbox.close()
    return [event async for event, _ in outbox.events()]


def put(outbox: Outbox, *events: Event, channel: int = 0) -> list[bool]:
    return [outbox.put(Entry(event, channel, acked=1.0, lag=2.0)) for event in events]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ([partial("a"), partial("a b")], [partial("a b")]),
        ([partial("a"), Ponged(), partial("a b")], [partial("a"), Ponged(), partial("a b")]),
        ([partial("a"), Heard(1.0), partial("a b")], [Heard(1.0), partial("a b")]),
        ([Ponged("1"), Ponged("2")], [Ponged("1"), Ponged("2")]),
    ],
)
async def test_only_the_newest_partial_is_kept(events: list[Event], kept: list[Event]) -> None:
    outbox = Outbox(10)
    put(outbox, *events)
    assert await read(outbox) == kept


@pytest.mark.anyio
async def test_channels_do_not_replace_each_other() -> None:
    outbox = Outbox(10)
    put(outbox, partial("left"), channel=0)
    put(outbox, partial("right"), channel=1)
    assert await read(outbox) == [partial("left"), partial("right")]


@pytest.mark.anyio
async def test_a_client_that_does_not_read_learns_why_it_is_over() -> None:
    outbox = Outbox(2)
    assert put(outbox, Ponged(), Ponged(), Ponged()) == [True, True, False]
    (failed,) = await read(outbox)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.fatal) == ("unread", True)


@pytest.mark.anyio
async def test_hearings_do_not_count_as_messages_but_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARD_LIMIT", 50)
    outbox = Outbox(2)
    assert all(put(outbox, *[Heard(i) for i in range(50)], Ponged(), Ponged()))
    assert put(outbox, Heard(50.0)) == [False]


@pytest.mark.anyio
async def test_stamps_count_what_is_read() -> None:
    outbox = Outbox(10)
    put(outbox, partial("a"), partial("b"), Ponged())
    outbox.close()
    stamps = [stamp async for _, stamp in outbox.events()]
    assert [(stamp.seq, stamp.acked, stamp.lag, stamp.channel) for stamp in stamps] == [
        (1, 1.0, 2.0, 0),
        (2, 1.0, 2.0, 0),
    ]
    assert stamps[0].now > 1_700_000_000


@pytest.mark.anyio
async def test_a_reader_waits_for_what_comes() -> None:
    outbox, seen = Outbox(10), []

    async def reader() -> None:
        seen.extend([event async for event, _ in outbox.events()])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            put(outbox, Ponged("1"))
            await anyio.wait_all_tasks_blocked()
            put(outbox, Ponged("2"))
            outbox.close()
    assert seen == [Ponged("1"), Ponged("2")]
