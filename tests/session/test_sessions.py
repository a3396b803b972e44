"""Sessions as tasks: who waits for whom, what ends what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest

from stenod.errors import EngineFailed, Overloaded
from stenod.events import (
    Audio,
    Commit,
    Committed,
    Configure,
    Configured,
    End,
    Ended,
    Event,
    Failed,
    Final,
    Heard,
    Interrupt,
    Ping,
    Stamp,
    Warned,
)
from stenod.jobs import Resolved
from stenod.options import AudioFormat, DecodeOptions, Endpointing, Options
from stenod.session.runner import Limits
from stenod.session.sessions import Handle, SessionClosed, Sessions
from support.script import Oracle, word
from support.stage import Stage, StageEars

pytestmark = pytest.mark.anyio

DEFAULTS = Options(partials=False, endpointing=Endpointing(min_silence=0.3, padding=0.1, min_speech=0.05))
WORDS = [word("one", 0.5, 0.9), word("two", 1.0, 1.3), word("three", 2.5, 2.9)]
TALK = b"\x00" * 15 + b"\xf0" * 27 + b"\x00" * 27 + b"\xf0" * 27 + b"\x00" * 12


@asynccontextmanager
async def sessions(
    stage: Stage | None = None, limits: Limits | None = None, defaults: Options = DEFAULTS
) -> AsyncIterator[Sessions]:
    stage = stage or Stage(Oracle(WORDS))
    with anyio.fail_after(10):
        async with Sessions(
            stage, lambda options: StageEars(options.format), defaults=defaults, limits=limits
        ) as running:
            yield running


async def everything(handle: Handle) -> list[tuple[Event, Stamp]]:
    return [(event, stamp) async for event, stamp in handle.events()]


def finals(seen: list[tuple[Event, Stamp]]) -> list[str]:
    return [event.transcript.text for event, _ in seen if isinstance(event, Final)]


async def test_a_session_from_its_first_byte_to_its_last_event() -> None:
    stage = Stage(Oracle(WORDS))
    async with sessions(stage) as running:
        handle = running.open()
        assert running.count == 1
        for start in range(0, len(TALK), 7):
            await handle.send(Audio(TALK[start : start + 7]))
        await handle.send(End())
        seen = await everything(handle)
        await handle.wait()
        assert running.count == 0
    assert finals(seen) == ["one two", "three", ""]
    assert isinstance(seen[-1][0], Ended)
    assert [stamp.seq for _, stamp in seen] == list(range(1, len(seen) + 1))
    assert sum(isinstance(event, Heard) for event, _ in seen) == -(-len(TALK) // 7)
    assert stage.left == 1


async def test_acknowledged_audio_only_grows_and_never_passes_a_final_not_given() -> None:
    async with sessions(Stage(Oracle(WORDS), delay=0.01)) as running:
        handle = running.open()
        for byte in range(0, len(TALK), 10):
            await handle.send(Audio(TALK[byte : byte + 10]))
        await handle.send(End())
        seen = await everything(handle)
    acked = [stamp.acked for _, stamp in seen]
    assert acked == sorted(acked)
    first = next(i for i, (event, _) in enumerate(seen) if isinstance(event, Final))
    assert all(ack < 0.5 for ack in acked[:first])


async def test_a_final_acknowledges_nothing_of_the_next_one_though_both_are_known() -> None:
    """The second answer comes first, so both finals are said at once; a client may lose its connection between them."""
    stage = Stage(Oracle(WORDS), delay=lambda job: 0.1 if job.utterance == 1 else 0.0)
    async with sessions(stage) as running:
        handle = running.open()
        await handle.send(Audio(TALK))
        await handle.send(End())
        said = [(event, stamp.acked) for event, stamp in await everything(handle) if isinstance(event, Final)]
    assert [final.transcript.text for final, _ in said] == ["one two", "three", ""]
    assert said[0][1] <= said[1][0].start
    assert said[1][1] > said[0][1]


async def test_a_writer_waits_while_too_much_is_undecoded() -> None:
    """Nothing beyond the bound is taken in until the recogniser answers, and nothing is lost."""
    stage = Stage(Oracle(WORDS), delay=0.1)
    async with sessions(stage, Limits(behind=0.2)) as running:
        handle = running.open()
        async with anyio.create_task_group() as tasks:

            async def write() -> None:
                for byte in TALK * 5:
                    await handle.send(Audio(bytes([byte])))
                await handle.send(End())

            tasks.start_soon(write)
            seen = await everything(handle)
    assert stage.lanes[0].most == 1
    (ended,) = [event for event, _ in seen if isinstance(event, Ended)]
    assert ended.account.received == ended.account.final == 5 * len(TALK) * 512


async def test_one_who_writes_everything_and_then_reads_does_not_deadlock() -> None:
    async with sessions() as running:
        handle = running.open()
        for byte in TALK * 20:
            await handle.send(Audio(bytes([byte])))
        await handle.send(End())
        seen = await everything(handle)
    assert isinstance(seen[-1][0], Ended)


async def test_one_who_never_reads_is_bounded_and_told() -> None:
    async with sessions(limits=Limits(unread=10)) as running:
        handle = running.open()
        for _ in range(6):
            await handle.send(Commit())
        await handle.wait()
        with pytest.raises(SessionClosed):
            await handle.send(Commit())
        seen = await everything(handle)
    assert [event.code for event, _ in seen if isinstance(event, Failed)] == ["unread"]


async def test_detaching_cancels_the_work() -> None:
    stage = Stage(Oracle(WORDS), delay=60.0)
    async with sessions(stage) as running:
        handle = running.open()
        await handle.send(Audio(TALK))
        await anyio.wait_all_tasks_blocked()
        await stage.lanes[0].begun.wait()
        handle.detach()
        await handle.wait()
        assert stage.lanes[0].running == 0
        assert (running.count, stage.left) == (0, 1)
        with pytest.raises(SessionClosed):
            await handle.send(Audio(b""))


async def test_draining_ends_sessions_with_their_finals_and_takes_no_new_ones() -> None:
    async with sessions() as running:
        handle = running.open()
        await handle.send(Audio(TALK[:30]))  # in the middle of speech
        assert await running.drain(5.0) == 0
        seen = await everything(handle)
        with pytest.raises(Overloaded):
            running.open()
    assert finals(seen) == ["one"]
    assert isinstance(seen[-1][0], Ended)


async def test_draining_cuts_off_what_is_not_done_in_time() -> None:
    async with sessions(Stage(Oracle(WORDS), delay=60.0)) as running:
        handle = running.open()
        await handle.send(Audio(TALK))
        assert await running.drain(0.1) == 1
        await handle.wait()


async def test_a_stall_in_speech_ends_the_utterance() -> None:
    async with sessions() as running:
        handle = running.open(stall=0.05)
        await handle.send(Audio(TALK[:30]))
        async for event, _ in handle.events():
            if isinstance(event, Committed):
                assert event.cause == "silence"
                break


async def test_channels_are_sessions_of_their_own() -> None:
    async with sessions() as running:
        handle = running.open()
        await handle.send(Configure(replace(DEFAULTS, format=AudioFormat(channels=2, split=True))))
        await handle.send(Audio(TALK))
        await handle.send(Commit(1))
        await handle.send(Commit(7))  # there is no such channel
        await handle.send(End())
        seen = await everything(handle)
    causes = [(stamp.channel, event.cause) for event, stamp in seen if isinstance(event, Committed)]
    assert sorted(causes) == [
        (0, "end"),
        (0, "silence"),
        (0, "silence"),
        (1, "client"),
        (1, "end"),
        (1, "silence"),
        (1, "silence"),
    ]
    assert sum(isinstance(event, Ended) for event, _ in seen) == 2


@pytest.mark.parametrize("first", [True, False])
async def test_a_model_that_is_not_there(*, first: bool) -> None:
    """At the beginning that is the end; later the session goes on as it was."""
    async with sessions() as running:
        handle = running.open()
        if not first:
            await handle.send(Audio(TALK[:20]))
        await handle.send(Configure(replace(DEFAULTS, decode=DecodeOptions(model="missing"))))
        if not first:
            await handle.send(Audio(TALK[20:]))
            await handle.send(End())
        seen = await everything(handle)
    (failed,) = [event for event, _ in seen if isinstance(event, Failed)]
    assert (failed.code, failed.fatal) == ("model_not_found", first)
    assert finals(seen) == ([] if first else ["one two", "three", ""])


async def test_what_the_recogniser_is_like_holds_for_the_session() -> None:
    resolved = Resolved("stage", "stage", 12.0, words=False, warnings=(("fallback", "Not what you asked for."),))
    async with sessions(Stage(Oracle(WORDS), resolved=resolved)) as running:
        handle = running.open()
        await handle.send(Configure(DEFAULTS))
        await handle.send(End())
        seen = [event for event, _ in await everything(handle)]
    assert isinstance(seen[0], Configured)
    assert (seen[0].options.max_utterance, seen[0].options.word_times) == (12.0, False)
    assert seen[1] == Warned("fallback", "Not what you asked for.")


async def test_another_model_where_one_will_do() -> None:
    async with sessions() as running:
        handle = running.open()
        await handle.send(Configure(replace(DEFAULTS, decode=DecodeOptions(model="missing"), fallback=True)))
        await handle.send(End())
        seen = [event for event, _ in await everything(handle)]
    configured, warned = seen[:2]
    assert isinstance(configured, Configured)
    assert configured.options.decode.model == "stage"
    assert isinstance(warned, Warned)
    assert (warned.code, warned.detail) == ("model_fallback", {"asked": "missing", "given": "stage"})


async def test_what_is_not_installed_is_told_once_and_not_attempted() -> None:
    async with sessions() as running:
        handle = running.open()
        await handle.send(Configure(replace(DEFAULTS, diarize=True, analyze=True)))
        await handle.send(Audio(TALK))
        await handle.send(End())
        seen = await everything(handle)
    configured = seen[0][0]
    assert isinstance(configured, Configured)
    assert (configured.options.diarize, configured.options.analyze) == (False, False)
    warnings = [event.code for event, _ in seen if isinstance(event, Warned)]
    assert warnings == ["diarization_unavailable", "insights_unavailable"]
    assert "".join(finals(seen)).startswith("one two")


async def test_bad_audio_ends_the_session_with_the_reason() -> None:
    async with sessions() as running:
        handle = running.open()
        await handle.send(Audio(b"!"))
        seen = [event for event, _ in await everything(handle)]
    assert isinstance(seen[0], Failed)
    assert (seen[0].code, seen[0].message, seen[0].fatal) == ("bad_audio", "That is no audio.", True)
    assert isinstance(seen[1], Ended)


async def test_an_engine_that_fails_costs_the_utterance_and_a_defect_the_session() -> None:
    def broken(_: object) -> None:
        raise EngineFailed("It broke.")

    def defective(_: object) -> None:
        raise ZeroDivisionError

    for answer, code in [(broken, "engine_failed"), (defective, "internal_error")]:
        async with sessions(Stage(answer)) as running:
            handle, other = running.open(), running.open()
            await handle.send(Audio(TALK[:80]))
            await handle.send(End())
            codes = [event.code for event, _ in await everything(handle) if isinstance(event, Failed)]
            assert set(codes) == {code}
            await other.send(End())
            assert isinstance((await everything(other))[-1][0], Ended)


async def test_commands_that_only_a_connection_answers_do_no_harm() -> None:
    async with sessions() as running:
        handle = running.open()
        for command in (Ping("x"), Interrupt(), End()):
            await handle.send(command)
        seen = [type(event).__name__ for event, _ in await everything(handle)]
    assert seen == ["Interrupted", "Committed", "Final", "Ended"]
