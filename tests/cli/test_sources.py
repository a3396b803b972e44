"""Audio for clients: the same samples as in the file, tones that mean something, chunks of one size."""

from __future__ import annotations

import wave

import numpy as np
import pytest

from stenod.cli import sources
from stenod.engines.tones import read
from stenod.errors import BadAudio

pytestmark = pytest.mark.anyio


async def everything(chunks) -> list[np.ndarray]:
    return [chunk async for chunk in chunks]


async def test_a_file_is_given_whole_in_chunks_of_one_size(samples) -> None:
    chunks = await everything(sources.file(samples / "river.wav"))
    assert {len(chunk) for chunk in chunks[:-1]} == {640}
    with wave.open(str(samples / "river.wav")) as file:
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2") / np.float32(2**15)
    assert np.array_equal(np.concatenate(chunks), expected.astype(np.float32))


async def test_a_file_that_is_none(tmp_path) -> None:
    with pytest.raises(BadAudio, match="cannot be opened"):
        await everything(sources.file(tmp_path / "nothing.wav"))


@pytest.mark.parametrize(("seconds", "words"), [(0.5, 0), (1.2, 1), (5.0, 11), (5.2, 12), (10.0, 22)])
async def test_tones_last_as_long_as_asked_and_are_words(seconds, words) -> None:
    audio = np.concatenate(await everything(sources.tones(seconds)))
    assert len(audio) == pytest.approx(16_000 * seconds, abs=1)
    assert [word.text for word in read(audio)[0]] == [f"w{number}" for number in range(1, words + 1)]


@pytest.mark.parametrize("sizes", [[1, 2, 3], [640], [1281], [0, 5, 0], []])
async def test_cutting_changes_no_sample(sizes) -> None:
    parts = [np.full(size, index, np.float32) for index, size in enumerate(sizes)]
    chunks = list(sources.cut(parts, 4))
    assert all(len(chunk) == 4 for chunk in chunks[:-1])
    whole = [sample for chunk in chunks for sample in chunk]
    assert whole == [sample for part in parts for sample in part]
