"""Recorded speech in every container and coding there is at hand: it decodes to words, or the client is told why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from _client import Manner, stream
from _serving import Serving
from _words import score, words

HEADERLESS = {"goforward_16k_s16le.raw", "brooklyn_bridge_16k_s16le.raw"}

SENTENCE = ["LDC93S1.wav", "LDC93S1.flac", "LDC93S1_stereo_44k.wav", "LDC93S1.opus", "LDC93S1.ogg", "LDC93S1_8k.wav"]
"""One recording; the last two hold the band of a telephone only."""


@pytest.mark.slow
def test_all_are_heard(shared_speech: Path, post) -> None:
    names = sorted(path.name for path in (shared_speech / "formats").iterdir())
    answers = {name: post(f"formats/{name}") for name in names}
    refused = {name for name, answer in answers.items() if answer.status_code != 200}
    assert refused == HEADERLESS
    assert [name for name, answer in answers.items() if name not in refused and not words(answer.json()["text"])] == []
    for name in refused:
        problem = answers[name].json()["error"]
        assert answers[name].status_code == 400
        assert problem["message"]
        assert str(shared_speech) not in answers[name].text


def test_one_recording_in_many_codings(references: dict[str, str], post) -> None:
    texts = [post(f"formats/{name}").json()["text"] for name in SENTENCE]
    assert texts[0] == texts[1] == texts[2]  # coded without loss
    rates = [score(references[f"formats/{name}"], text).rate for name, text in zip(SENTENCE, texts, strict=True)]
    assert max(rates) <= rates[0] + 0.1, texts


@pytest.mark.anyio
@pytest.mark.parametrize("name", sorted(HEADERLESS))
async def test_headerless_audio_has_its_place_at_the_socket(
    server: Serving, shared_speech: Path, references: dict[str, str], name: str
) -> None:
    audio = np.fromfile(shared_speech / "formats" / name, "<i2")
    take = await stream(server.socket, audio, Manner(pace=8))
    assert score(references[f"formats/{name}"], take.text).rate <= 0.5
