"""Real worker processes: loading, failing, hanging, dying, and leaving nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

import anyio
import pytest

from stenod.engines.base import LoadOptions, Request
from stenod.engines.child import Step
from stenod.engines.registry import Registry
from stenod.engines.tones import speak
from stenod.engines.worker import ProcessWorker, WorkerLost
from stenod.errors import EngineFailed, Unavailable
from stenod.options import DecodeOptions

pytestmark = pytest.mark.anyio

OPTIONS = DecodeOptions()
REGISTRY = Registry.installed()


def worker(name="fake", **more):
    model = REGISTRY.configure(name)
    return ProcessWorker(REGISTRY.family(model), model, LoadOptions(), **more)


def request(*words):
    return Request(speak(words), OPTIONS)


async def said(one, *words):
    answers = await one.call("transcribe", [request(*words)])
    return answers[0].text


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def alive(pid):
    """Whether the process is there at all, even as a zombie."""
    return Path(f"/proc/{pid}").exists()


async def dead(pid):
    """Wait until the process runs no more; a zombie does not."""
    with anyio.fail_after(2):
        # both rules bent: a stranger's process has no event to wait for, and /proc is not a disk
        while alive(pid) and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":  # noqa: ASYNC110, ASYNC240
            await anyio.sleep(0.01)


async def test_it_transcribes_and_leaves_nothing_behind():
    before = descriptors()
    for _ in range(3):
        one = worker()
        assert await said(one, 1, 2, 65535) == "w1 w2 w65535"
        assert one.alive
        pid = one.pid
        await one.aclose()
        assert not alive(pid)
    await one.aclose()
    assert descriptors() == before


async def test_states_live_in_the_child():
    one = worker("fake-streaming")
    audio = speak([7, 8, 9])
    half = len(audio) // 2
    first = await one.call("step", [Step(1, audio[:half], False, OPTIONS)])
    assert await one.call("ping") == 1
    last = await one.call("step", [Step(1, audio[half:], True, None)])
    assert (first[0].text, last[0].text) == ("w7", "w7 w8 w9")
    assert await one.call("ping") == 0
    with pytest.raises(EngineFailed):
        await one.call("step", [Step(1, audio, True, None)])
    await one.call("step", [Step(2, audio, False, OPTIONS)])
    await one.call("close", [2, 99])
    assert await one.call("ping") == 0
    await one.aclose()


async def test_an_engine_that_raises_costs_the_call_and_no_more(capfd):
    one = worker("fake?raise_on=w13")
    with pytest.raises(EngineFailed) as failure:
        await said(one, 13)
    assert failure.value.code == "engine_failed"
    assert "script" not in failure.value.message
    assert await said(one, 14) == "w14"
    assert one.generation == 1
    await one.aclose()
    assert "the script says so" in capfd.readouterr().err


async def test_a_failed_step_frees_its_states():
    one = worker("fake-streaming?raise_on=w13")
    with pytest.raises(EngineFailed):
        await one.call("step", [Step(n, speak([12 + n]), False, OPTIONS) for n in (1, 2)])
    assert await one.call("ping") == 0
    await one.aclose()


@pytest.mark.parametrize("idle", [True, False])
async def test_a_killed_child_is_replaced(idle):
    one = worker("fake?cost=0.2")
    await one.start()
    killed = one.pid
    if idle:
        os.kill(killed, signal.SIGKILL)
        await dead(killed)
        while one.alive:  # noqa: ASYNC110 - its threads may take a moment longer than its name in /proc
            await anyio.sleep(0.01)
    else:
        async with anyio.create_task_group() as tasks:

            async def kill():
                await anyio.sleep(0.1)
                os.kill(killed, signal.SIGKILL)

            tasks.start_soon(kill)
            with pytest.raises(WorkerLost) as lost:
                await said(one, 1)
            assert not lost.value.hung
            assert lost.value.code == "engine_crashed"
    assert await said(one, 2) == "w2"
    assert one.generation == 2
    assert one.pid != killed
    assert not alive(killed)
    await one.aclose()


async def test_a_stopped_child_runs_into_the_time_limit():
    one = worker(timeout=0.3)
    await one.start()
    stopped = one.pid
    os.kill(stopped, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(WorkerLost) as lost:
        await said(one, 1)
    assert lost.value.hung
    assert lost.value.code == "engine_timeout"
    assert 0.3 <= time.monotonic() - began < 1.0
    assert not alive(stopped)
    assert await said(one, 2) == "w2"
    await one.aclose()


async def test_a_stopped_child_that_does_not_even_read():
    one = worker(timeout=0.3)
    await one.start()
    os.kill(one.pid, signal.SIGSTOP)
    with pytest.raises(WorkerLost):
        await one.call("transcribe", [Request(speak([1] * 300), OPTIONS)] * 10)  # more than a socket holds
    await one.aclose()


async def test_cancelling_a_call_ends_the_child_at_once():
    one = worker("fake?cost=30")
    await one.start()
    pid = one.pid
    with anyio.move_on_after(0.1) as scope:
        await said(one, 1)
    assert scope.cancelled_caught
    assert not alive(pid)


async def test_the_child_dies_with_its_parent():
    script = (
        "import anyio, os, sys\n"
        "from stenod.engines.base import LoadOptions\n"
        "from stenod.engines.registry import Registry\n"
        "from stenod.engines.worker import ProcessWorker\n"
        "async def main():\n"
        "    registry = Registry.installed()\n"
        "    model = registry.configure('fake')\n"
        "    one = ProcessWorker(registry.family(model), model, LoadOptions())\n"
        "    await one.start()\n"
        "    print(one.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "anyio.run(main)\n"
    )
    result = await anyio.run_process([sys.executable, "-c", script], check=False)
    child = int(result.stdout)
    await dead(child)


async def test_the_child_leaves_signals_to_its_parent():
    one = worker()
    await one.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(one.pid, number)
    assert await said(one, 3) == "w3"
    assert one.generation == 1
    await one.aclose()


async def test_the_child_imports_no_server():
    one = worker()
    await one.start()
    maps = await anyio.Path(f"/proc/{one.pid}/maps").read_text()
    assert "numpy" in maps
    assert "pydantic" not in maps
    await one.aclose()


STRANGER = """
from stenod.engines.base import Capabilities, Family, Model
from stenod.errors import Unavailable

def models(store):
    return (Model(name="far", family="stranger", installed=True, languages=("en",), capabilities=Capabilities(),
                  licence="", size_mb=1, quality=1, expect=""),)

def load(model, options):
    raise Unavailable("get it from the shop")

FAMILY = Family("stranger", models, load)
"""


async def test_what_is_missing_is_said_at_the_start(tmp_path, monkeypatch):
    (tmp_path / "stenod_stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    family = import_module("stenod_stranger").FAMILY
    one = ProcessWorker(family, family.models(None)[0], LoadOptions())
    with pytest.raises(Unavailable, match="shop"):
        await one.start()
    await one.aclose()


async def test_a_model_that_does_not_load():
    one = worker("fake?nonsense=1")
    with pytest.raises(EngineFailed, match="could not be loaded"):
        await one.start()
    await one.aclose()
