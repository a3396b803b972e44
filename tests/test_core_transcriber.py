"""The core as a library: frames of the third document from samples and a decoder, whatever kind that is."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stenod
from conftest import missing
from stenod.core_transcriber import CoreTranscriber, StreamingConfig
from stenod.engines.tones import read, speak
from stenod.errors import BadAudio, BadRequest
from stenod.jobs import Samples
from stenod.transcript import Transcript, of_words
from support.serving import said

pytestmark = pytest.mark.anyio
DOCUMENTS = Path(__file__).resolve().parent.parent.parent / "shared" / "seeds"


def hello(audio: Samples, rate: int) -> str:
    assert (audio.dtype, audio.ndim, rate) == (np.float32, 1, 16_000)
    return "hello" if len(audio) else ""


def words(audio: Samples, rate: int) -> Transcript:
    assert rate == 16_000
    return of_words(read(audio)[0])


async def fed(core: CoreTranscriber, audio: Samples, *, step: int = 1_600) -> list[dict[str, Any]]:
    """Every frame of `audio` in steps, and of the flush."""
    frames = [await core.process_audio_chunk(audio[at : at + step]) for at in range(0, len(audio), step)]
    return [frame for frame in [*frames, await core.flush()] if frame is not None]


def texts(frames: list[dict[str, Any]], kind: str = "final") -> list[str]:
    return [frame["text"] for frame in frames if frame["type"] == kind]


def test_the_document_s_own_example_says_hello_twice(tmp_path: Path) -> None:
    found = sorted(DOCUMENTS.glob("3-*.md"))
    if not found:
        missing("the third document")
    lines = found[0].read_text(encoding="utf-8").splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("from ") and "ParakeetCoreTranscriber" in line)
    last = next(at for at, line in enumerate(lines[first:], first) if line.startswith("asyncio.run"))
    example = ["from stenod import CoreTranscriber as ParakeetCoreTranscriber", "from stenod import StreamingConfig"]
    script = tmp_path / "example.py"
    script.write_text("\n".join([*example, *lines[first + 2 : last + 1]]), encoding="utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    partial, final = done.stdout.splitlines()
    assert "'type': 'partial', 'text': 'hello'" in partial
    assert "'type': 'final', 'text': 'hello'" in final


async def test_a_segment_is_due_every_chunk() -> None:
    core = stenod.CoreTranscriber(stenod.StreamingConfig(chunk_duration=1.0, partial_interval=0.2), decode_fn=hello)
    before = time.time()
    frames = await fed(core, np.zeros(40_000, np.float32))
    finals = [frame for frame in frames if frame["type"] == "final"]
    assert [(one["segment_id"], one["segment_start"], one["segment_end"]) for one in finals] == [
        (1, 0.0, 1.0), (2, 1.0, 2.0), (3, 2.0, 2.5),
    ]  # fmt: skip
    assert [(one["chunk_duration"], one["new_audio_duration"]) for one in finals] == [
        (1.0, 1.0),
        (1.0, 1.0),
        (0.5, 0.5),
    ]
    assert all(before <= frame["timestamp"] <= time.time() for frame in frames)
    partials = [frame for frame in frames if frame["type"] == "partial"]
    assert [one["segment_end"] for one in partials if one["segment_id"] == 1] == [0.5, 0.7, 0.9]
    assert [one["buffer_duration"] for one in partials if one["segment_id"] == 2] == [0.5, 0.7, 0.9]
    assert core.get_full_transcript() == "hello hello hello"


async def test_overlap_is_context_and_never_said_twice() -> None:
    audio = np.concatenate([speak(range(30)), np.zeros(8_000, np.float32)])
    heard: list[int] = []

    def counting(samples: Samples, rate: int) -> Transcript:
        heard.append(len(samples))
        return words(samples, rate)

    core = CoreTranscriber(StreamingConfig(overlap_duration=0.75), counting)
    frames = await fed(core, audio)
    assert " ".join(texts(frames)) == core.get_full_transcript() == said(range(30))
    second = [frame for frame in frames if frame["type"] == "final"][1]
    assert (second["overlap"], second["chunk_start"], second["chunk_duration"]) == (0.75, 1.25, 2.75)
    assert max(heard) > 4 * 16_000  # what was decoded reaches further back than the segment


async def test_a_decoder_of_bare_texts_hears_each_segment_once() -> None:
    spans: list[float] = []

    def length(samples: Samples, rate: int) -> str:
        spans.append(len(samples) / rate)
        return f"<{len(samples) / rate:g}>"

    core = CoreTranscriber(StreamingConfig(enable_partial=False), length)
    frames = await fed(core, np.zeros(80_000, np.float32))
    assert spans == [2.0, 2.0, 1.0]
    assert texts(frames) == ["<2>", "<2>", "<1>"]
    assert [frame["overlap"] for frame in frames] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("step", [100, 5_000, 1_000_000])
async def test_the_slicing_changes_no_text(step: int) -> None:
    audio = np.concatenate([speak(range(20)), np.zeros(8_000, np.float32)])
    core = CoreTranscriber(StreamingConfig(enable_partial=False), words)
    frames = await fed(core, audio, step=step)
    assert " ".join(texts(frames)) == said(range(20))
    assert frames[-1]["segment_end"] == pytest.approx(len(audio) / 16_000, abs=0.001)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
async def test_any_rate(rate: int) -> None:
    core = CoreTranscriber(StreamingConfig(sample_rate=rate), words)
    audio = np.concatenate([speak([21, 22], rate=rate), np.zeros(rate // 2, np.float32)])
    frames = await fed(core, audio, step=rate // 10)
    assert " ".join(texts(frames)) == said([21, 22])
    assert frames[-1]["segment_end"] == pytest.approx(len(audio) / rate, abs=0.001)


async def test_silence_makes_no_frame() -> None:
    core = CoreTranscriber(StreamingConfig(), lambda audio, _: "loud" if np.any(audio) else "")
    assert await core.flush() is None
    assert await core.process_audio_chunk(np.zeros(0, np.float32)) is None
    assert await core.process_audio_chunk(np.zeros(40_000, np.float32)) is None
    assert await core.flush() is None
    frame = await core.process_audio_chunk(np.ones(16_000, np.float32))
    assert frame is not None
    assert (frame["type"], frame["segment_id"]) == ("partial", 1)


async def test_partials_on_request() -> None:
    core = CoreTranscriber(StreamingConfig(enable_partial=False), hello)
    assert await core.process_audio_chunk(np.zeros(24_000, np.float32)) is None
    late = CoreTranscriber(StreamingConfig(min_partial_duration=1.6), hello)
    assert await late.process_audio_chunk(np.zeros(24_000, np.float32)) is None


async def test_reset_forgets() -> None:
    core = CoreTranscriber(StreamingConfig(), hello)
    await core.process_audio_chunk(np.zeros(40_000, np.float32))
    core.reset()
    assert core.get_full_transcript() == ""
    frame = await core.process_audio_chunk(np.zeros(16_000, np.float32))
    assert frame is not None
    assert (frame["segment_id"], frame["segment_start"], frame["segment_end"]) == (1, 0.0, 1.0)


async def test_plain_functions_leave_the_loop_free_and_coroutines_run_in_it() -> None:
    threads: list[int] = []

    def plain(audio: Samples, rate: int) -> str:
        threads.append(threading.get_ident())
        return "plain"

    async def coroutine(audio: Samples, rate: int) -> str:
        threads.append(threading.get_ident())
        return "coroutine"

    for decoder in (plain, coroutine):
        frame = await CoreTranscriber(StreamingConfig(), decoder).process_audio_chunk(np.zeros(16_000, np.float32))
        assert frame is not None
        assert frame["text"] == decoder.__name__
    assert threads[0] != threads[1] == threading.get_ident()


async def test_what_the_decoder_raises_is_raised_and_the_next_segment_comes() -> None:
    def failing(audio: Samples, rate: int) -> str:
        if np.any(audio):
            raise ZeroDivisionError
        return hello(audio, rate)

    core = CoreTranscriber(StreamingConfig(enable_partial=False), failing)
    with pytest.raises(ZeroDivisionError):
        await core.process_audio_chunk(np.ones(32_000, np.float32))
    frame = await core.process_audio_chunk(np.zeros(40_000, np.float32))
    assert frame is not None
    assert (frame["type"], frame["text"]) == ("final", "hello")


@pytest.mark.parametrize("audio", [np.zeros(100, np.int16), np.zeros((1, 2, 3), np.float32), np.array("no")])
async def test_what_is_no_sound(audio: Any) -> None:
    with pytest.raises(BadAudio):
        await CoreTranscriber(StreamingConfig(), hello).process_audio_chunk(audio)


async def test_channels_are_mixed_and_no_number_is_silence() -> None:
    seen: list[Samples] = []

    def watching(audio: Samples, rate: int) -> str:
        seen.append(audio)
        return "x"

    stereo = np.tile(np.array([[0.5, 1.0]]), (32_000, 1))
    stereo[5] = np.nan
    await CoreTranscriber(StreamingConfig(), watching).process_audio_chunk(stereo)
    assert seen[0].dtype == np.float32
    assert (seen[0][4], seen[0][5]) == (0.75, 0.0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("sample_rate", 100), ("chunk_duration", 0), ("overlap_duration", -1), ("partial_interval", float("nan"))],
)
def test_impossible_configs(field: str, value: float) -> None:
    with pytest.raises(BadRequest, match=field):
        StreamingConfig(**{field: value})  # type: ignore[arg-type] one of several fields
