"""The intake: the same frames whatever the slicing, everything heard at a cut, channels apart, formats that change."""

from __future__ import annotations

import struct
import threading
import wave
from itertools import pairwise
from pathlib import Path

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stenod.audio.formats import WIDTH
from stenod.errors import BadRequest, EngineFailed
from stenod.intake import Intake, Repairs
from stenod.options import AudioFormat, Encoding
from stenod.vad.energy import Energy
from stenod.vad.scorer import Scorer
from stenod.vad.silero import Silero

pytestmark = pytest.mark.anyio


def sound(format_, seconds=0.3, seed=0):
    """Random bytes of a format; random bits of a float are seldom a number, so those are made of numbers."""
    dice = np.random.default_rng(seed)
    count = int(format_.rate * seconds) * format_.channels
    if format_.encoding is Encoding.F32LE:
        return dice.uniform(-0.5, 0.5, count).astype("<f4").tobytes()
    return dice.bytes(count * WIDTH[format_.encoding])


async def heard(scorer, format_, pieces, cuts=()):
    """All frames of each channel: `pieces` heard in turn, cut after those whose index is in `cuts` and at the end."""
    intake = Intake(format_, scorer)
    frames = [[] for _ in range(intake.channels)]
    for index, piece in enumerate(pieces):
        for mine, more in zip(frames, await intake.hear(piece), strict=True):
            mine.extend(more)
        if index in cuts:
            for mine, more in zip(frames, await intake.cut(), strict=True):
                mine.extend(more)
    for mine, more in zip(frames, await intake.cut(), strict=True):
        mine.extend(more)
    return frames


def same(left, right):
    assert [len(frames) for frames in left] == [len(frames) for frames in right]
    for mine, other in zip(left, right, strict=True):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_allclose(one.samples, two.samples, atol=1e-6)
            assert one.probability == pytest.approx(two.probability, abs=1e-5)
            assert one.level == pytest.approx(two.level, abs=1e-6)


FORMATS = [
    *(AudioFormat(encoding=encoding, rate=8_000) for encoding in WIDTH),
    *(AudioFormat(rate=rate) for rate in (11_025, 16_000, 22_050, 24_000, 44_100, 48_000)),
    AudioFormat(encoding=Encoding.S24LE, rate=44_100, channels=2),
    AudioFormat(encoding=Encoding.F32LE, rate=48_000, channels=3, split=True),
]


@pytest.mark.parametrize(
    "format_", FORMATS, ids=lambda f: f"{f.encoding}-{f.rate}-{f.channels}{'s' if f.split else ''}"
)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
async def test_frames_are_the_same_whatever_the_slicing(format_, data):
    audio = sound(format_)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(audio)), max_size=12)))
    pieces = [audio[start:stop] for start, stop in pairwise([0, *cuts, len(audio)])]
    async with Scorer(Energy()) as scorer:
        same(await heard(scorer, format_, pieces), await heard(scorer, format_, [audio]))


@pytest.mark.parametrize("step", [2, 999, 16_000])
async def test_real_speech_is_scored_the_same_whatever_the_slicing(samples, step):
    with wave.open(str(samples / "river.wav")) as source:
        audio = source.readframes(source.getnframes())
    if step == 2:
        audio = audio[: 2 * 16_000]
    async with Scorer(Silero()) as scorer:
        (whole,) = await heard(scorer, AudioFormat(), [audio])
        same([whole], await heard(scorer, AudioFormat(), [audio[at : at + step] for at in range(0, len(audio), step)]))
    assert max(frame.probability for frame in whole) > 0.9
    assert whole[0].probability < 0.3


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
async def test_a_cut_gives_everything_heard_so_far(rate):
    format_ = AudioFormat(rate=rate)
    audio = sound(format_, 1.0)
    async with Scorer(Energy()) as scorer:
        intake = Intake(format_, scorer)
        total = 0
        for count in (100, 5_001, 777, 2_000):  # samples
            piece, audio = audio[: 2 * count], audio[2 * count :]
            lengths = [len(frame.samples) for frame in (await intake.hear(piece))[0] + (await intake.cut())[0]]
            total += count
            assert all(length == 512 for length in lengths[:-1])
            assert sum(lengths) == total * 16_000 // rate - (total - count) * 16_000 // rate
            assert await intake.cut() == [[]]


async def test_cuts_move_no_sample():
    """What is heard with cuts is what is heard without: only where frames begin differs."""
    format_ = AudioFormat(rate=16_000)
    audio = sound(format_)
    pieces = [audio[at : at + 998] for at in range(0, len(audio), 998)]
    async with Scorer(Energy()) as scorer:
        (whole,) = await heard(scorer, format_, [audio])
        (parts,) = await heard(scorer, format_, pieces, cuts={0, 3, 4})
    np.testing.assert_array_equal(
        np.concatenate([frame.samples for frame in parts]), np.concatenate([frame.samples for frame in whole])
    )


async def test_the_level_of_a_short_frame_is_that_of_its_own_samples():
    async with Scorer(Energy()) as scorer:
        (frames,) = await heard(scorer, AudioFormat(), [struct.pack("<600h", *[16384] * 600)])
    assert [(len(frame.samples), frame.level) for frame in frames] == [(512, 0.5), (88, 0.5)]


async def test_channels_are_mixed_or_heard_apart():
    left, right = 0.5, -0.25
    audio = np.tile(np.array([left, right], "<f4"), 1024).tobytes()
    async with Scorer(Energy()) as scorer:
        (mixed,) = await heard(scorer, AudioFormat(encoding=Encoding.F32LE, channels=2), [audio])
        apart = await heard(scorer, AudioFormat(encoding=Encoding.F32LE, channels=2, split=True), [audio])
    assert [frame.samples[0] for frame in mixed] == [0.125, 0.125]
    assert [[frame.samples[0] for frame in frames] for frames in apart] == [[left, left], [right, right]]
    assert [frames[0].level for frames in apart] == [0.5, 0.25]


async def test_a_new_format_holds_from_the_next_byte():
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(rate=8_000), scorer)
        first = await intake.hear(bytes(1_000))
        old = await intake.reformat(AudioFormat(rate=48_000, encoding=Encoding.F32LE))
        assert sum(len(frame.samples) for frame in first[0] + old[0]) == 1_000
        new = (await intake.hear(bytes(4 * 4_800)))[0] + (await intake.cut())[0]
        assert sum(len(frame.samples) for frame in new) == 1_600


async def test_the_same_format_again_changes_nothing():
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(), scorer)
        await intake.hear(bytes(600))
        assert await intake.reformat(AudioFormat()) == [[]]
        assert [len(frame.samples) for frame in (await intake.hear(bytes(424)))[0]] == [512]


@pytest.mark.parametrize(
    ("format_", "message"),
    [
        (AudioFormat(channels=2, split=True), "2 channels cannot take the place of 1"),
        (AudioFormat(rate=96_000), "sample rate 96000 is out of range"),
        (AudioFormat(channels=0), "0 channels"),
    ],
)
async def test_a_format_that_cannot_be_leaves_the_old_one(format_, message):
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(), scorer)
        await intake.hear(bytes(600))
        with pytest.raises(BadRequest, match=message):
            await intake.reformat(format_)
        assert [len(frame.samples) for frame in (await intake.cut())[0]] == [300]


async def test_repairs_are_counted_through_a_change_of_format():
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(encoding=Encoding.F32LE), scorer)
        await intake.hear(struct.pack("<3f", float("nan"), 0, float("inf")) + b"xyz")
        assert intake.repairs == Repairs(samples=2, bytes=3)
        await intake.reformat(AudioFormat())
        await intake.hear(b"x")
        assert intake.repairs == Repairs(samples=2, bytes=4)
        await intake.hear(b"y")
        assert intake.repairs == Repairs(samples=2, bytes=3)


async def test_without_the_gate_nothing_is_scored():
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(), scorer, gate=False)
        loud = sound(AudioFormat(), 0.032)
        assert [frame.probability for frame in (await intake.hear(loud))[0]] == [0]
        intake.gate = True
        assert [frame.probability for frame in (await intake.hear(loud))[0]] == [1]


class Broken(Energy):
    def score(self, *_):
        raise RuntimeError


@pytest.mark.parametrize("channels", [1, 3])
async def test_a_failing_detector_is_one_error(channels):
    async with Scorer(Broken()) as scorer:
        intake = Intake(AudioFormat(channels=channels, split=True), scorer)
        with pytest.raises(EngineFailed, match="voice activity detector failed"):
            await intake.hear(bytes(2 * channels * 512))


async def test_many_intakes_share_the_scorer(samples):
    """Sixteen streams at once hear what each hears alone."""
    with wave.open(str(samples / "tonight.wav")) as source:
        audio = source.readframes(16_000)
    streams = [audio[2 * 200 * index :] for index in range(16)]
    got = {}

    async def listen(scorer, index):
        pieces = [streams[index][at : at + 3_200] for at in range(0, len(streams[index]), 3_200)]
        got[index] = await heard(scorer, AudioFormat(), pieces)

    async with Scorer(Silero()) as scorer:
        async with anyio.create_task_group() as tasks:
            for index in range(16):
                tasks.start_soon(listen, scorer, index)
        for index in range(16):
            same(got[index], await heard(scorer, AudioFormat(), [streams[index]]))


COMPRESSED = Path(__file__).parent / "audio" / "containers"


@pytest.mark.parametrize("name", ["river.webm", "river.ogg"])
@pytest.mark.parametrize("size", [313, 4_000])
async def test_a_container_is_heard_live_whatever_the_slicing(name, size):
    data = (COMPRESSED / name).read_bytes()
    live = AudioFormat(encoding=Encoding.CONTAINER)
    async with Scorer(Energy()) as scorer:
        frames = []
        for pieces in ([data], [data[at : at + size] for at in range(0, len(data), size)]):
            intake = Intake(live, scorer)
            heard_ = [frame for piece in pieces for frame in (await intake.hear(piece))[0]]
            assert len(heard_) > 60
            heard_ += (await intake.cut(last=True))[0]
            await intake.close()
            frames.append(heard_)
        same([frames[0]], [frames[1]])
    assert sum(len(frame.samples) for frame in frames[0]) == pytest.approx(2.927 * 16_000, abs=2)


async def test_a_container_may_follow_raw_audio():
    data = (COMPRESSED / "river.webm").read_bytes()
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(), scorer)
        assert len((await intake.hear(bytes(1_024)))[0]) == 1
        assert await intake.reformat(AudioFormat(encoding=Encoding.CONTAINER)) == [[]]
        assert len((await intake.hear(data))[0]) > 60
        held_back = await intake.reformat(AudioFormat())
        assert 0 < sum(len(frame.samples) for frame in held_back[0]) < 8_000
        assert not growing_threads()
        assert len((await intake.hear(bytes(1_024)))[0]) == 1


async def test_a_cancelled_listener_leaves_no_thread():
    async with Scorer(Energy()) as scorer:
        intake = Intake(AudioFormat(encoding=Encoding.CONTAINER), scorer)
        await intake.hear((COMPRESSED / "river.webm").read_bytes()[:5_000])
        assert growing_threads()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await intake.close()
    assert not growing_threads()


def growing_threads():
    return [thread for thread in threading.enumerate() if thread.name == "stenod-growing"]
