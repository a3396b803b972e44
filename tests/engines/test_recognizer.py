"""Which model clients get, and how workers come and go."""

from __future__ import annotations

import anyio
import pytest

from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.engines.tones import speak
from stenod.errors import BadRequest, EngineFailed, ModelNotFound
from stenod.jobs import Decode, Kind
from stenod.options import DecodeOptions, Options

REGISTRY = Registry.installed()


def resolve(recognizer, **options):
    return recognizer.resolve(Options(decode=DecodeOptions(**options)))


def file_job(samples, **options):
    return Decode(
        job=1, utterance=1, stretch=1, kind=Kind.FILE, samples=samples, start=0, context=0, last=True,
        options=DecodeOptions(**options),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("configured", "asked", "found"),
    [
        ("fake?cost=0.1", "auto", "fake?cost=0.1"),
        ("fake?cost=0.1", "fake?cost=0.1", "fake?cost=0.1"),
        ("fake?cost=0.1", "fake", "fake?cost=0.1"),
        ("fake", "fake-streaming", "fake-streaming"),  # among `others`
        ("fake", "pocketsphinx", "pocketsphinx-en-us"),
        ("pocketsphinx", "auto", "pocketsphinx-en-us"),
        ("pocketsphinx?workers=1", "pocketsphinx", "pocketsphinx?workers=1"),
    ],
)
def test_which_model_clients_get(configured, asked, found):
    recognizer = LocalRecognizer(REGISTRY, model=configured, others=["fake-streaming"])
    assert resolve(recognizer, model=asked).model == found
    assert recognizer.models()[0].name == resolve(recognizer).model


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"model": "fake"}, ModelNotFound),  # the operator did not name it
        ({"model": "fake?cost=60"}, ModelNotFound),
        ({"model": "nonsense"}, ModelNotFound),
        ({"language": "de"}, BadRequest),
        ({"task": "translate"}, BadRequest),
    ],
)
def test_what_clients_do_not_get(asked, error):
    recognizer = LocalRecognizer(REGISTRY, model="pocketsphinx")
    with pytest.raises(error):
        resolve(recognizer, **asked)


def test_what_a_session_learns():
    recognizer = LocalRecognizer(REGISTRY, model="fake")
    resolved = resolve(recognizer, prompt="names")
    assert (resolved.engine, resolved.max_seconds, resolved.words) == ("fake", 60.0, True)
    assert [code for code, _ in resolved.warnings] == ["prompt_ignored"]
    with pytest.raises(ModelNotFound):
        recognizer.resolve(Options(revision=DecodeOptions(model="nonsense")))


def test_an_unknown_default_stops_the_start():
    with pytest.raises(ModelNotFound):
        LocalRecognizer(REGISTRY, model="nonsense")


@pytest.mark.anyio
async def test_workers_start_with_the_first_request_and_end_with_the_recognizer():
    async with LocalRecognizer(REGISTRY, model="fake?workers=2", others=["fake-streaming?workers=1"]) as recognizer:
        assert recognizer.snapshot() == {}
        async with recognizer.lane() as lane:
            answer = await lane.decode(file_job(speak([1])))
            other = await lane.decode(file_job(speak([2]), model="fake-streaming"))
        assert (answer.transcript.text, other.transcript.text) == ("w1", "w2")
        snapshot = recognizer.snapshot()
        assert {name: len(pools) for name, pools in snapshot.items()} == {
            "fake?workers=2": 2,
            "fake-streaming?workers=1": 1,
        }
        assert sum(pool["requests"] for pool in snapshot["fake?workers=2"]) == 1
    with pytest.raises(RuntimeError):
        await recognizer.preload()


@pytest.mark.anyio
async def test_files_are_decoded_side_by_side():
    async with LocalRecognizer(REGISTRY, model="fake?workers=2&max_batch=1&cost=0.3") as recognizer:
        await recognizer.preload()
        async with recognizer.lane() as lane, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(lane.decode, file_job(speak([1])))
            await anyio.sleep(0.1)
            assert [pool["batches"] for pool in recognizer.snapshot().popitem()[1]] == [1, 1]


@pytest.mark.anyio
async def test_a_model_that_does_not_load_is_said_once_and_quickly_again():
    async with LocalRecognizer(REGISTRY, model="fake?nonsense=1&workers=1") as recognizer:
        with pytest.raises(EngineFailed, match="could not be loaded"):
            await recognizer.preload()
        async with recognizer.lane() as lane:
            with anyio.fail_after(0.1), pytest.raises(EngineFailed, match="could not be loaded"):
                await lane.decode(file_job(speak([1])))


@pytest.mark.anyio
async def test_the_bodys_own_error_goes_on_as_it_was():
    with pytest.raises(KeyError):
        async with LocalRecognizer(REGISTRY, model="fake"):
            raise KeyError("mine")


@pytest.mark.anyio
async def test_leaving_early_leaves_no_worker():
    with anyio.move_on_after(0.5) as scope:
        async with LocalRecognizer(REGISTRY, model="fake?cost=30&workers=1") as recognizer, recognizer.lane() as lane:
            await recognizer.preload()
            worker = next(iter(recognizer._crews.values())).pools[0]._worker
            await lane.decode(file_job(speak([1])))
    assert scope.cancelled_caught
    assert worker.pid is None
