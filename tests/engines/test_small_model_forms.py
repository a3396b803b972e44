"""The small model hears its held-out speech, and every form derived from it hears the same tokens."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from _words import distance
from numpy.typing import NDArray

from conftest import needs
from stenod.decoding.features import LogMel
from support import small_model
from support.small_model import DURATIONS, SMALL, Spoken

Token = tuple[int, int, int]
"""Id, first encoder frame, the frame after."""
Decode = Callable[[NDArray[np.float32]], list[Token]]
"""From features (1, 128, frames) to tokens."""

FRAME = 0.08


def greedy(folder: Path, suffix: str = "") -> Decode:
    """The plainest decoding there is: one frame, one node of the graph at a time."""
    encoder = onnxruntime.InferenceSession(str(folder / f"encoder-model{suffix}.onnx"))
    joint = onnxruntime.InferenceSession(str(folder / f"decoder_joint-model{suffix}.onnx"))
    blank = len(small_model.vocabulary())
    shapes = {one.name: one.shape for one in joint.get_inputs()}

    def decode(mel: NDArray[np.float32]) -> list[Token]:
        lengths = np.array([mel.shape[2]], np.int64)
        encoded, frames = encoder.run(["outputs", "encoded_lengths"], {"audio_signal": mel, "length": lengths})
        state = [
            np.zeros((shapes[f"input_states_{n}"][0], 1, shapes[f"input_states_{n}"][2]), np.float32) for n in (1, 2)
        ]
        found: list[Token] = []
        last, t, here = blank, 0, 0
        while t < frames[0]:
            scores, _, *after = joint.run(
                ["outputs", "prednet_lengths", "output_states_1", "output_states_2"],
                {
                    "encoder_outputs": encoded[:, :, t : t + 1],
                    "targets": np.array([[last]], np.int32),
                    "target_length": np.array([1], np.int32),
                    "input_states_1": state[0],
                    "input_states_2": state[1],
                },
            )
            token = int(scores[0, 0, 0, : blank + 1].argmax())
            span = DURATIONS[int(scores[0, 0, 0, blank + 1 :].argmax())]
            if token != blank:
                found.append((token, t, t + span))
                last, state, here = token, after, here + 1
                if span == 0 and here < 10:
                    continue
            t, here = t + max(1, span), 0
        return found

    return decode


def spelt(tokens: list[Token]) -> list[tuple[str, float, float]]:
    """Tokens as words with times in seconds."""
    pieces = small_model.vocabulary()
    words: list[tuple[str, float, float]] = []
    for token, start, end in tokens:
        if pieces[token].startswith("▁") or not words:
            words.append((pieces[token].lstrip("▁"), start * FRAME, end * FRAME))
        else:
            words[-1] = (words[-1][0] + pieces[token], words[-1][1], end * FRAME)
    return words


def features(take: Spoken) -> NDArray[np.float32]:
    return LogMel(128)([take.samples])[0]


@pytest.fixture(scope="module")
def held_out() -> list[Spoken]:
    return small_model.speech("clean", "speed", "noise", "both")


@pytest.fixture(scope="module")
def original(held_out: list[Spoken]) -> list[list[Token]]:
    """What the form in git hears in the held-out speech."""
    decode = greedy(SMALL)
    return [decode(features(take)) for take in held_out]


def test_every_take_says_what_its_words_say_and_when() -> None:
    for take in small_model.speech():
        assert take.text == " ".join(word for word, _, _ in take.words)
        edges = [edge for _, start, end in take.words for edge in (start, end)]
        assert edges == sorted(edges)
        assert edges[-1] <= len(take.samples) / small_model.RATE


def test_what_is_shipped_is_small() -> None:
    assert sum(path.stat().st_size for path in SMALL.iterdir() if path.is_file()) < 10_000_000
    assert sum(value.size for name, value in small_model.weights().items() if "running" not in name) < 1_200_000
    assert sum(path.stat().st_size for path in (SMALL / "speech").iterdir()) < 2_000_000


@pytest.mark.parametrize("conditions", [("clean", "speed", "noise", "both"), ("speed", "noise", "both")])
def test_the_words_are_heard(held_out: list[Spoken], original: list[list[Token]], conditions: tuple[str, ...]) -> None:
    rows = [
        (take.text.split(), [word for word, _, _ in spelt(tokens)])
        for take, tokens in zip(held_out, original, strict=True)
        if take.condition in conditions
    ]
    wrong = sum(distance(wanted, heard) for wanted, heard in rows)
    assert wrong <= 0.08 * sum(len(wanted) for wanted, _ in rows)


def test_words_are_when_they_are_spoken(held_out: list[Spoken], original: list[list[Token]]) -> None:
    starts, ends = [], []
    for take, tokens in zip(held_out, original, strict=True):
        words = spelt(tokens)
        if [word for word, _, _ in words] == take.text.split():
            starts += [abs(heard[1] - wanted[1]) for heard, wanted in zip(words, take.words, strict=True)]
            ends += [abs(heard[2] - wanted[2]) for heard, wanted in zip(words, take.words, strict=True)]
    assert len(starts) > 60
    for off in (starts, ends):
        assert np.median(off) <= 0.06
        assert np.quantile(off, 0.9) <= 0.12


def test_the_project_s_own_samples_are_heard(samples: Path) -> None:
    decode = greedy(SMALL)
    with wave.open(str(samples / "river.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    heard = spelt(decode(LogMel(128)([pcm])[0]))
    assert " ".join(word for word, _, _ in heard) == "the old man walked slowly down to the river"


def test_a_batch_is_its_items(held_out: list[Spoken]) -> None:
    session = onnxruntime.InferenceSession(str(SMALL / "encoder-model.onnx"))
    mel, lengths = LogMel(128)([take.samples for take in held_out[:5]])
    together, frames = session.run(["outputs", "encoded_lengths"], {"audio_signal": mel, "length": lengths})
    for item, length in enumerate(lengths):
        alone, count = session.run(
            None, {"audio_signal": mel[item : item + 1, :, :length], "length": lengths[item : item + 1]}
        )
        assert frames[item] == count[0]
        np.testing.assert_allclose(together[item, :, : count[0]], alone[0], atol=1e-4)


def test_int8_hears_about_the_same(held_out: list[Spoken], original: list[list[Token]], tmp_path: Path) -> None:
    decode = greedy(small_model.int8(tmp_path), ".int8")
    wrong = total = 0
    for take, tokens in zip(held_out, original, strict=True):
        wanted = [token for token, _, _ in tokens]
        wrong += distance(wanted, [token for token, _, _ in decode(features(take))])
        total += len(wanted)
    assert wrong <= 0.05 * total


@pytest.mark.filterwarnings("ignore")
def test_nemo_hears_the_same_tokens(held_out: list[Spoken], original: list[list[Token]], tmp_path: Path) -> None:
    needs("nemo", "torch")
    import torch  # noqa: PLC0415 - where it is
    from nemo.collections.asr.models import EncDecRNNTBPEModel  # noqa: PLC0415

    model: Any = EncDecRNNTBPEModel.restore_from(
        str(small_model.nemo(tmp_path / "small.nemo")), map_location="cpu"
    ).eval()
    texts = [one.text for one in model.transcribe([take.samples for take in held_out], batch_size=4, verbose=False)]
    assert texts == [" ".join(word for word, _, _ in spelt(tokens)) for tokens in original]
    model.eval()  # transcribing leaves the encoder as in training
    for take, tokens in zip(held_out[:4], original, strict=False):
        mel = torch.from_numpy(features(take))
        with torch.no_grad():
            encoded, frames = model.encoder(audio_signal=mel, length=torch.tensor([mel.shape[2]]))
            heard = model.decoding.rnnt_decoder_predictions_tensor(encoded, frames, return_hypotheses=True)
        assert [int(token) for token in heard[0].y_sequence] == [token for token, _, _ in tokens]


@pytest.mark.filterwarnings("ignore")
def test_mlx_hears_the_same_tokens(held_out: list[Spoken], original: list[list[Token]], tmp_path: Path) -> None:
    needs("mlx", "parakeet_mlx")
    import mlx.core as mx  # noqa: PLC0415 - where it is
    from parakeet_mlx import from_pretrained  # noqa: PLC0415

    model: Any = from_pretrained(str(small_model.mlx(tmp_path)), dtype=mx.float32)
    for take, tokens in zip(held_out, original, strict=True):
        (heard,) = model.generate(mx.array(features(take).transpose(0, 2, 1)))
        assert [token.id for token in heard.tokens] == [token for token, _, _ in tokens]
        assert [token.start for token in heard.tokens] == pytest.approx([start * FRAME for _, start, _ in tokens])
