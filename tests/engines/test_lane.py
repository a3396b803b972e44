"""Lanes over real pools and real worker processes, end to end, with the fake engine."""

from __future__ import annotations

import os
import signal
from contextlib import asynccontextmanager

import anyio
import numpy as np
import pytest

from stenod.engines.base import LoadOptions
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.engines.tones import speak
from stenod.errors import EngineFailed
from stenod.jobs import Answer, Decode, Kind, Shed
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript

pytestmark = pytest.mark.anyio

REGISTRY = Registry.installed()
FINAL, PARTIAL, FILE, REVISION = Kind


@asynccontextmanager
async def recognizer(name, **more):
    with anyio.fail_after(60):
        load = LoadOptions(batch_size=32)
        async with LocalRecognizer(REGISTRY, model=name, load=load, **more) as one:
            await one.preload()
            yield one


def job(samples, kind=FINAL, *, stretch=1, start=0, last=None, **more):
    return Decode(
        job=1, utterance=1, stretch=stretch, kind=kind, samples=samples, start=start, context=0,
        last=kind is not PARTIAL if last is None else last, options=DecodeOptions(**more),
    )  # fmt: skip


def pools(one):
    (crew,) = one._crews.values()
    return crew.pools


def snapshot(one):
    ((snapshot,),) = one.snapshot().values()
    return snapshot


async def text(lane, *arguments, **more):
    answer = await lane.decode(job(*arguments, **more))
    return answer.transcript.text if isinstance(answer, Answer) else answer


@pytest.mark.parametrize("name", ["fake", "fake-streaming"])
async def test_times_are_the_sessions(name):
    async with recognizer(name) as one, one.lane() as lane:
        audio = speak([1, 2], gap=0.3)
        await lane.decode(job(audio[:6000], PARTIAL, start=3 * RATE))
        answer = await lane.decode(job(audio, start=3 * RATE))
        assert [word.start for word in answer.transcript.words] == pytest.approx([3.0, 3.5], abs=0.01)
        assert answer.append_only is (name == "fake-streaming")


async def test_a_stream_hears_each_sample_once():
    async with recognizer("fake-streaming?workers=1") as one, one.lane() as lane:
        audio = speak(list(range(100, 140)))
        for end in range(4800, len(audio), 4800):
            heard = await text(lane, audio[:end], PARTIAL)
            assert heard == " ".join(f"w{word}" for word in range(100, 100 + end // 4800))
        assert await text(lane, audio) == " ".join(f"w{word}" for word in range(100, 140))
        assert snapshot(one)["audio_seconds"] == pytest.approx(len(audio) / RATE)
        assert snapshot(one)["states"] == 0


async def test_a_final_that_is_not_the_last_keeps_the_state():
    async with recognizer("fake-streaming?workers=1") as one, one.lane() as lane:
        audio = speak([1, 2, 3, 4])
        assert await text(lane, audio[:9600], FINAL, last=False) == "w1 w2"
        assert snapshot(one)["states"] == 1
        # the view has moved on: what the state has heard need not be sent again
        assert await text(lane, audio[4800:], FINAL, start=4800) == "w1 w2 w3 w4"
        assert snapshot(one)["audio_seconds"] == pytest.approx(1.2)


@pytest.mark.parametrize("name", ["fake", "fake-streaming"])
async def test_no_audio_needs_no_engine(name):
    async with recognizer(name + "?workers=1") as one, one.lane() as lane:
        await lane.decode(job(speak([1]), PARTIAL))
        before = snapshot(one)["batches"]
        assert await lane.decode(job(np.zeros(0, np.float32))) == Answer(Transcript(), 0, name == "fake-streaming")
        assert snapshot(one)["batches"] == before
        assert snapshot(one)["states"] == 0


async def test_too_much_audio_is_refused():
    async with recognizer("fake?max_seconds=1.0") as one, one.lane() as lane:
        with pytest.raises(EngineFailed) as failure:
            await lane.decode(job(np.zeros(RATE + 1, np.float32)))
        assert failure.value.code == "too_long"


async def test_refinement_comes_between():
    def refine(transcript, options):
        return Transcript(f"{options.language}: {transcript.text.upper()}")

    async with recognizer("fake", refine=refine, holds=2) as one, one.lane() as lane:
        assert await lane.decode(job(speak([1]), language="de")) == Answer(Transcript("de: W1"), holds=2)


@pytest.mark.parametrize("break_it", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_lost_state_is_replayed(break_it):
    async with (
        recognizer("fake-streaming?workers=1", processing_timeout=0.5) as one,
        one.lane() as lane,
        one.lane() as other,
    ):
        audio = speak([1, 2, 3, 4, 5])
        assert await text(lane, audio[:9600], PARTIAL) == "w1 w2"
        assert await text(other, audio[:4800], PARTIAL) == "w1"
        os.kill(pools(one)[0]._worker.pid, break_it)
        assert await text(lane, audio[:14400], PARTIAL) == "w1 w2 w3"
        assert await text(lane, audio) == "w1 w2 w3 w4 w5"
        assert await text(other, audio) == "w1 w2 w3 w4 w5"
        assert snapshot(one)["restarts"] == 1
        assert snapshot(one)["states"] == 0


@pytest.mark.parametrize("name", ["fake", "fake-streaming"])
async def test_a_crash_costs_nobody_a_word(name):
    """Every third call kills its process; each request is tried once more on the fresh one."""
    async with recognizer(name + "?workers=1&crash_every=3") as one, one.lane() as lane:
        for word in range(5):
            audio = speak([word, word + 1])
            await text(lane, audio[:4800], PARTIAL, stretch=word)
            assert await text(lane, audio, stretch=word) == f"w{word} w{word + 1}"
        assert snapshot(one)["restarts"] > 1


@pytest.mark.parametrize("name", ["fake", "fake-streaming"])
@pytest.mark.parametrize("fault", ["raise_on=w13", "crash_on=w13"])
@pytest.mark.parametrize("kind", [FINAL, FILE])
async def test_bad_input_costs_only_itself(name, fault, kind):
    async with recognizer(f"{name}?workers=1&cost=0.05&{fault}") as one:
        results = {}

        async def session(word):
            async with one.lane() as lane:
                audio = speak([word, 7])
                try:
                    if kind is FINAL:
                        await lane.decode(job(audio[:2000], PARTIAL))
                    results[word] = await text(lane, audio, kind)
                except EngineFailed as error:
                    results[word] = error

        async with anyio.create_task_group() as tasks:
            for word in (11, 12, 13, 14, 15):
                tasks.start_soon(session, word)
        assert snapshot(one)["largest_batch"] > 1
        assert isinstance(results.pop(13), EngineFailed)
        assert results == {word: f"w{word} w7" for word in (11, 12, 14, 15)}


async def test_a_hang_costs_only_itself():
    async with recognizer("fake?workers=1&hang_on=w13", processing_timeout=0.4) as one, one.lane() as lane:
        results = {}

        async def decode(word):
            try:
                results[word] = await text(lane, speak([word]), FILE, stretch=word)
            except EngineFailed as error:
                results[word] = error.code

        async with anyio.create_task_group() as tasks:
            for word in (12, 13, 14):
                tasks.start_soon(decode, word)
        assert results == {12: "w12", 13: "engine_timeout", 14: "w14"}


async def test_steps_of_many_sessions_share_calls():
    async with recognizer("fake-streaming?workers=1&cost=0.05") as one:
        texts = []

        async def session(first):
            async with one.lane() as lane:
                audio = speak(range(first, first + 3))
                for end in range(4800, len(audio), 4800):
                    await lane.decode(job(audio[:end], PARTIAL))
                texts.append((first, await text(lane, audio)))

        async with anyio.create_task_group() as tasks:
            for first in range(0, 200, 10):
                tasks.start_soon(session, first)
        assert sorted(texts) == [(first, f"w{first} w{first + 1} w{first + 2}") for first in range(0, 200, 10)]
        assert snapshot(one)["batches"] < 20
        assert snapshot(one)["shed"] == 0


async def test_a_newer_partial_replaces_a_waiting_one_and_a_final_all():
    async with recognizer("fake?workers=1&cost=0.2") as one, one.lane() as lane, one.lane() as busy:
        results = []

        async def decode(which, audio, kind):
            results.append((which, await text(lane, audio, kind)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy.decode, job(speak([1])))
            await anyio.sleep(0.05)
            for which, kind in enumerate((PARTIAL, PARTIAL, FINAL)):
                tasks.start_soon(decode, which, speak([5] * (which + 1)), kind)
                await anyio.sleep(0.01)
        assert results == [(0, Shed()), (1, Shed()), (2, "w5 w5 w5")]
        assert snapshot(one)["shed"] == 2
        assert snapshot(one)["batches"] == 2


async def test_live_goes_before_files():
    async with recognizer("fake?workers=1&max_batch=1&cost=0.05") as one, one.lane() as lane:
        order = []

        async def decode(kind, stretch):
            await lane.decode(job(speak([1]), kind, stretch=stretch))
            order.append(kind)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(decode, FILE, 0)
            await anyio.sleep(0.01)
            for stretch, kind in enumerate((REVISION, FILE, PARTIAL, FINAL), start=1):
                tasks.start_soon(decode, kind, stretch)
        assert order == [FILE, FINAL, PARTIAL, FILE, REVISION]


async def test_live_gets_in_between_the_strides_of_a_file():
    async with recognizer("fake-streaming?workers=1&max_batch=1&cost=0.05") as one, one.lane() as lane:
        order = []

        async def decode(kind, stretch, words):
            order.append((kind, await text(lane, speak(words), kind, stretch=stretch)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(decode, FILE, 1, range(30))  # nine seconds: five strides
            await anyio.sleep(0.01)
            tasks.start_soon(decode, FINAL, 2, [99])
        assert order == [(FINAL, "w99"), (FILE, " ".join(f"w{n}" for n in range(30)))]
        assert snapshot(one)["batches"] == 6
        assert snapshot(one)["audio_seconds"] == pytest.approx(9.3)
        assert snapshot(one)["states"] == 0


async def test_a_file_takes_no_more_than_half_the_states():
    async with recognizer("fake-streaming?workers=1&max_states=2&cost=0.05") as one, one.lane() as lane:
        texts = []

        async def decode(stretch):
            texts.append(await text(lane, speak([stretch] * 10), FILE, stretch=stretch))

        async with anyio.create_task_group() as tasks:
            for stretch in range(3):
                tasks.start_soon(decode, stretch)
            await anyio.sleep(0.02)
            assert await text(lane, speak([7]), PARTIAL, stretch=7) == "w7"
        assert sorted(texts) == [" ".join([f"w{n}"] * 10) for n in range(3)]


async def test_cancelling_withdraws():
    async with recognizer("fake?workers=1&cost=0.2") as one, one.lane() as lane, one.lane() as busy:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy.decode, job(speak([1])))
            await anyio.sleep(0.05)
            with anyio.move_on_after(0.02):
                await lane.decode(job(speak([2])))
            assert snapshot(one)["waiting"] == {}
        assert snapshot(one)["batches"] == 1


async def test_withdrawing_a_stretch_answers_shed_and_frees_the_state():
    async with recognizer("fake-streaming?workers=1&cost=0.2") as one, one.lane() as lane, one.lane() as busy:
        results = []
        await lane.decode(job(speak([1]), PARTIAL))
        assert snapshot(one)["states"] == 1

        async def decode():
            results.append(await lane.decode(job(speak([1, 2]), FINAL, last=False)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy.decode, job(speak([1])))
            await anyio.sleep(0.05)
            tasks.start_soon(decode)
            await anyio.sleep(0.01)
            await lane.withdraw(1)
            await anyio.sleep(0.01)
            assert results == [Shed()]
        assert snapshot(one)["states"] == 0


async def test_leaving_a_lane_frees_its_states():
    async with recognizer("fake-streaming?workers=1") as one:
        async with one.lane() as lane:
            for stretch in range(5):
                await lane.decode(job(speak([1]), PARTIAL, stretch=stretch))
            assert snapshot(one)["states"] == 5
        assert snapshot(one)["states"] == 0
        async with one.lane() as lane:
            await lane.decode(job(speak([1]), PARTIAL))
            assert await pools(one)[0]._worker.call("ping") == 1


async def test_more_streams_than_states_all_get_their_finals():
    async with recognizer("fake-streaming?workers=2&max_states=2&max_batch=2") as one:
        finals, shed = {}, []

        async def session(first):
            async with one.lane() as lane:
                audio = speak(range(first, first + 4))
                for end in range(4800, len(audio), 4800):
                    shed.append(isinstance(await lane.decode(job(audio[:end], PARTIAL)), Shed))
                    await anyio.sleep(0.02)
                finals[first] = await text(lane, audio)

        async with anyio.create_task_group() as tasks:
            for first in range(0, 1200, 100):
                tasks.start_soon(session, first)
        assert finals == {n: f"w{n} w{n + 1} w{n + 2} w{n + 3}" for n in range(0, 1200, 100)}
        assert True in shed
        assert False in shed


async def test_partials_are_shed_when_there_is_too_much_to_do():
    async with recognizer("fake?workers=1&max_batch=1&cost=0.1") as one, one.lane() as lane:
        answers = []

        async def decode(kind, stretch):
            answers.append((kind, await text(lane, speak([stretch]), kind, stretch=stretch)))

        await lane.decode(job(speak([0])[:1000]))  # the cost is known now
        async with anyio.create_task_group() as tasks:
            for stretch in range(1, 6):  # more than a second of work, by that cost
                tasks.start_soon(decode, FINAL, stretch)
            await anyio.sleep(0.01)
            tasks.start_soon(decode, PARTIAL, 9)
        assert answers[0] == (PARTIAL, Shed())
        assert sorted(said for kind, said in answers if kind is FINAL) == [f"w{n}" for n in range(1, 6)]


@pytest.mark.parametrize("last", [True, False])
async def test_drafts_come_from_one_model_and_finals_from_another(last):
    drafts = "fake-streaming?workers=1"
    async with recognizer("fake?workers=1", others=[drafts]) as one, one.lane() as lane:
        audio = speak([1, 2, 3, 4])

        async def draft(upto):
            return await text(lane, audio[:upto], PARTIAL, model=drafts)

        def gauges(name):
            (gauges,) = one.snapshot()[name]
            return gauges

        assert [await draft(upto) for upto in (4800, 9600)] == ["w1", "w1 w2"]
        assert gauges(drafts)["audio_seconds"] == pytest.approx(0.6)  # each sample once
        assert await text(lane, audio[:14400], FINAL, last=last) == "w1 w2 w3"
        assert (gauges("fake?workers=1")["requests"], gauges(drafts)["states"]) == (1, 0 if last else 1)
        if not last:  # a piece of it was frozen: the draft goes on where it was
            assert await draft(19200) == "w1 w2 w3 w4"
            assert gauges(drafts)["audio_seconds"] == pytest.approx(1.2)
            await lane.withdraw(1)
            assert gauges(drafts)["states"] == 0


@pytest.mark.parametrize("fault", ["raise_on=w3", "crash_on=w3"])
async def test_a_final_that_fails_frees_its_drafts(fault):
    drafts = "fake-streaming?workers=1"
    async with recognizer(f"fake?workers=1&{fault}", others=[drafts]) as one, one.lane() as lane:
        audio = speak([1, 2, 3])
        assert await text(lane, audio[:9600], PARTIAL, model=drafts) == "w1 w2"
        with pytest.raises(EngineFailed):
            await text(lane, audio)
        assert one.snapshot()[drafts][0]["states"] == 0


async def test_a_session_uses_its_models_until_it_leaves():
    drafts = "fake-streaming?workers=1"
    async with recognizer("fake?workers=1", others=[drafts]) as one:
        async with one.lane() as lane, one.lane():
            for _ in range(2):
                await text(lane, speak([1]), PARTIAL, model=drafts)
                await text(lane, speak([1]))
            assert [gauges["sessions"] for (gauges,) in one.snapshot().values()] == [1, 1]
        assert [gauges["sessions"] for (gauges,) in one.snapshot().values()] == [0, 0]
