"""Which model clients get, and how workers come and go."""

from __future__ import annotations

from dataclasses import replace

import anyio
import psutil
import pytest

from stenod.engines import choice
from stenod.engines.base import Family
from stenod.engines.fake import FAMILY
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.engines.tones import speak
from stenod.errors import BadRequest, EngineFailed, ModelNotFound, Unavailable
from stenod.jobs import Decode, Kind
from stenod.options import DecodeOptions, Options

REGISTRY = Registry.installed()


def shop(place):
    """A family like the fake one's that offers `good` and `better`, as they are found in a folder."""
    (model, _) = FAMILY.models(None)

    def models(store):
        del store
        names = ("good", "better")
        return [
            replace(model, name=name, family="shop", quality=rank, installed=(place / name).exists())
            for rank, name in enumerate(names, 1)
        ]

    return Family("shop", models, FAMILY.load)


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


BROKEN = "fake?nonsense=1&workers=1"


@pytest.mark.anyio
async def test_a_model_that_does_not_load_is_said_once_and_quickly_again():
    registry = Registry([FAMILY])  # nothing else to turn to
    async with LocalRecognizer(registry, model=BROKEN) as recognizer:
        with pytest.raises(EngineFailed, match="could not be loaded"):
            await recognizer.preload()
        generations = recognizer.snapshot()[BROKEN][0]["restarts"]
        async with recognizer.lane() as lane:
            for _ in range(3):
                with anyio.fail_after(0.5), pytest.raises(EngineFailed, match="could not be loaded"):
                    await lane.decode(file_job(speak([1])))
        assert recognizer.snapshot()[BROKEN][0]["restarts"] == generations


@pytest.mark.anyio
async def test_what_cannot_load_is_passed_over(caplog):
    """By sessions that were let in with it, and by later ones; who asks for it by name is refused with the reason."""
    async with LocalRecognizer(REGISTRY, model=BROKEN) as recognizer:
        before = resolve(recognizer)
        assert (before.model, before.instead_of) == (BROKEN, None)
        async with recognizer.lane() as lane:
            await lane.decode(file_job(speak([1]), model=before.model))
        after = resolve(recognizer)
        assert (after.model, after.instead_of) == ("pocketsphinx-en-us", BROKEN)
        assert list(recognizer.shunned) == [BROKEN]
        assert caplog.text.count("passed over") == 1
        with pytest.raises(Unavailable, match="could not be loaded"):
            resolve(recognizer, model=BROKEN)
        fallen = recognizer.resolve(Options(decode=DecodeOptions(model=BROKEN), fallback=True))
        assert (fallen.model, fallen.instead_of) == ("pocketsphinx-en-us", BROKEN)
        recognizer.refresh()
        assert (resolve(recognizer).model, recognizer.shunned) == (BROKEN, {})
        assert BROKEN not in recognizer.snapshot()


@pytest.mark.anyio
async def test_a_session_keeps_its_model_when_a_better_one_comes(tmp_path):
    store = tmp_path / "models"
    registry = Registry([shop(store)])
    async with LocalRecognizer(registry) as recognizer:
        (store / "good").mkdir(parents=True)
        recognizer.refresh()
        assert resolve(recognizer).model == "good"
        async with recognizer.lane() as lane:
            assert (await lane.decode(file_job(speak([1]), model="good"))).transcript.text == "w1"
            (store / "better").mkdir()
            assert resolve(recognizer).model == "good"  # nobody looks all the time
            recognizer.refresh()
            assert resolve(recognizer).model == "better"
            assert (await lane.decode(file_job(speak([2]), model="good"))).transcript.text == "w2"
            assert (await lane.decode(file_job(speak([3])))).transcript.text == "w3"
            assert {name: gauges["requests"] for name, (gauges,) in recognizer.snapshot().items()} == {
                "good": 2,
                "better": 1,
            }
            recognizer.shun("better", "it is broken")
            assert resolve(recognizer).model == "good"
            assert list(recognizer.snapshot()) == ["good"]


def test_an_unknown_name_may_have_been_installed_a_moment_ago(tmp_path, monkeypatch):
    store = tmp_path / "models"
    recognizer = LocalRecognizer(Registry([shop(store)]))
    (store / "good").mkdir(parents=True)
    with pytest.raises(ModelNotFound):
        resolve(recognizer, model="good")  # looked just now
    monkeypatch.setattr(choice, "LOOK", 0.0)
    assert resolve(recognizer, model="good").model == "good"
    with pytest.raises(ModelNotFound):
        resolve(recognizer, model="better")


def rss(recognizer):
    """Bytes that this process' workers hold."""
    pids = [gauges["pid"] for pools in recognizer.snapshot().values() for gauges in pools]
    return sum(psutil.Process(pid).memory_info().rss for pid in pids if pid is not None)


@pytest.mark.anyio
async def test_an_unused_model_leaves_the_memory_and_comes_back():
    """Two models; the one that a session has stays."""
    other = "fake-streaming?workers=1"
    before = {child.pid for child in psutil.Process().children()}
    async with LocalRecognizer(REGISTRY, model="fake?workers=2", others=[other], idle_unload=1.0) as recognizer:
        await recognizer.preload()
        async with recognizer.lane() as lane:
            await lane.decode(file_job(speak([1]), model=other))
            full = rss(recognizer)
            with anyio.fail_after(20):
                while any(gauges["loaded"] for gauges in recognizer.snapshot()["fake?workers=2"]):  # noqa: ASYNC110
                    await anyio.sleep(0.1)
            left = {child.pid for child in psutil.Process().children()} - before
            assert left == {recognizer.snapshot()[other][0]["pid"]}
            assert rss(recognizer) < full / 2
            assert rss(recognizer) > 10e6
            async with recognizer.lane() as second:
                assert (await second.decode(file_job(speak([2])))).transcript.text == "w2"
        with anyio.fail_after(20):
            while rss(recognizer):  # noqa: ASYNC110
                await anyio.sleep(0.1)
        assert {child.pid for child in psutil.Process().children()} == before
        unloads = {name: [gauges["unloads"] for gauges in pools] for name, pools in recognizer.snapshot().items()}
        assert (sum(unloads["fake?workers=2"]), unloads[other]) == (3, [1])


@pytest.mark.anyio
async def test_the_bodys_own_error_goes_on_as_it_was():
    with pytest.raises(KeyError):
        async with LocalRecognizer(REGISTRY, model="fake"):
            raise KeyError("mine")


@pytest.mark.anyio
async def test_leaving_early_leaves_no_worker():
    before = {child.pid for child in psutil.Process().children()}
    with anyio.CancelScope() as scope:
        async with LocalRecognizer(REGISTRY, model="fake?cost=30&workers=1") as recognizer, recognizer.lane() as lane:
            await recognizer.preload()
            scope.deadline = anyio.current_time() + 0.3
            await lane.decode(file_job(speak([1])))
    assert scope.cancelled_caught
    assert {child.pid for child in psutil.Process().children()} == before
