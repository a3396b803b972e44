"""Fifty streams at once, mixed over every live dialect: every final comes, and it is its own stream's."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest
from websockets.asyncio.client import connect

from stenod.cli import sources
from stenod.cli.dialect import Dialect, Wish
from stenod.cli.dialects import DIALECTS, Name
from stenod.cli.streaming import Take, stream
from stenod.engines.tones import speak
from stenod.jobs import Samples
from stenod.options import RATE
from stenod.settings import Settings
from support.serving import Running, fake, serving

STREAMS = 50
CHUNK = RATE // 10


def sentences(number: int) -> list[list[int]]:
    """What stream `number` says: numbers that no other stream says."""
    return [[100 * number + 10 * sentence + word for word in range(3)] for sentence in range(3)]


async def audio(number: int) -> AsyncGenerator[Samples]:
    quiet = np.zeros(RATE * 7 // 10, np.float32)
    whole = np.concatenate([part for words in sentences(number) for part in (quiet, speak(words))] + [quiet])
    for start in range(0, len(whole), CHUNK):
        yield whole[start : start + CHUNK]


async def one(server: Running, number: int) -> tuple[str, Take]:
    kind = list(DIALECTS)[number % len(DIALECTS)]
    dialect: Dialect = DIALECTS[kind](Wish())
    take = await stream(f"{server.ws}{dialect.path}", dialect, audio(number), pace=4, tell=lambda _: None)
    return kind, take


async def legacy(server: Running, number: int) -> list[str]:
    """The first document's program has no way to end; the last silence closes its last utterance."""
    said: list[str] = []
    async with connect(f"{server.ws}/ws?shape=legacy") as socket:
        async for samples in audio(number):
            await socket.send((samples * 32767).astype("<i2").tobytes())
            await asyncio.sleep(len(samples) / RATE / 4)
        while len(said) < len(sentences(number)):
            message = await asyncio.wait_for(socket.recv(), 20)
            said += [str(message)] if '"text"' in str(message) else []
    return said


@pytest.mark.anyio
async def test_every_dialect_at_once() -> None:
    with serving(fake()) as server:
        told = asyncio.gather(*(one(server, number) for number in range(1, STREAMS - 4)))
        old = asyncio.gather(*(legacy(server, number) for number in range(STREAMS - 4, STREAMS + 1)))
        takes, texts = await told, await old
    assert Counter(kind for kind, _ in takes) == dict.fromkeys(Name, 9)
    for number, (kind, take) in enumerate(takes, 1):
        expected = [f"w{word}" for words in sentences(number) for word in words]
        assert " ".join(heard.said.text for heard in take.of("final")).split() == expected, (kind, number)
        assert take.of("error") == []
    for number, said in enumerate(texts, STREAMS - 4):
        for text, words in zip(said, sentences(number), strict=True):
            assert all(f"w{word}" in text for word in words)


@pytest.mark.anyio
async def test_real_speech_in_every_dialect_at_once(samples: Path) -> None:
    """The three short samples in each dialect, together, on the embedded engine: each stream gets its own words."""
    described = json.loads((samples / "manifest.json").read_text())
    short = [one for one in described if one["seconds"] < 4]
    with serving(Settings()) as server:

        async def each(kind: Name, name: str) -> str:
            dialect = DIALECTS[kind](Wish())
            chunks = sources.file(samples / name)
            take = await stream(f"{server.ws}{dialect.path}", dialect, chunks, pace=1, tell=lambda _: None)
            return " ".join(heard.said.text for heard in take.of("final") if heard.said.text)

        wanted = [(kind, one) for kind in DIALECTS for one in short]
        heard = await asyncio.gather(*(each(kind, one["file"]) for kind, one in wanted))
    for (kind, one), text in zip(wanted, heard, strict=True):
        assert text == one["text"].lower().rstrip("."), kind
