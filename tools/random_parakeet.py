"""Writes a Parakeet-TDT of true shape and random weights, for measuring speed: what it says means nothing.

    python tools/random_parakeet.py FOLDER [--vocabulary 8192] [--layers 24]

Wants `nemo_toolkit[asr]` 3 and `onnx`, and twice the size of the model on disk. FOLDER gets onnx-asr's layout
(encoder-model.onnx with its data, decoder_joint-model.onnx, vocab.txt, config.json), FOLDER/sherpa the same weights
in sherpa-onnx's (encoder, decoder and joiner, tokens.txt; the encoder's data file is shared).

Random weights alone would emit a token at every frame or at none, and decoding time depends on how many there are. So the
joint's last layer is standardised over real encodings, and the blank's bias is set by bisection until greedy decoding emits
`--rate` tokens a second of speech, as English does with Parakeet's vocabulary. And the prediction network speaks softly in
the joint, so that, as in trained models, the sound decides when something is said: a loud one of random weights falls into
silence or into chatter for the rest of an utterance.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor, ConformerEncoder, RNNTDecoder, RNNTJoint
from nemo.collections.asr.modules.rnnt import RNNTDecoderJoint

SPEECH: Final = Path(__file__).resolve().parents[1] / "samples"
DURATIONS: Final = 5
SPREAD: Final = (-1.5, 0.0, 0.3, 0.3, 0.6)
"""Added to the standardised scores of durations 0 to 4, so that few tokens share a frame and silences are skipped."""
SOFT: Final = 0.1
"""Of the prediction network's share in the joint. With it, utterances of 2 to 30 s have 2.2 to 5.9 tokens a second each;
with all of it 0.2 to 5.7."""
FRAME: Final = 0.08
"""Seconds."""
MOST: Final = 10
"""Tokens on one frame."""


class Parts:
    """Encoder, prediction network and joint of Parakeet-TDT-0.6B (v2: 1024 tokens, v3: 8192)."""

    def __init__(self, vocabulary: int, layers: int, width: int) -> None:
        self.vocabulary = vocabulary
        self.front = AudioToMelSpectrogramPreprocessor(
            sample_rate=16000, window_size=0.025, window_stride=0.01, features=128, n_fft=512, dither=0.0, pad_to=0
        )
        self.encoder = ConformerEncoder(
            feat_in=128,
            n_layers=layers,
            d_model=width,
            use_bias=False,
            subsampling="dw_striding",
            subsampling_factor=8,
            subsampling_conv_channels=256,
            n_heads=8,
            conv_kernel_size=9,
            xscaling=False,
            dropout=0.0,
            dropout_pre_encoder=0.0,
            dropout_att=0.0,
        )
        inside = {"pred_hidden": 640, "pred_rnn_layers": 2, "t_max": None, "dropout": 0.0}
        self.decoder = RNNTDecoder(prednet=dict(inside), vocab_size=vocabulary, blank_as_pad=True)
        self.joint = RNNTJoint(
            jointnet={
                "encoder_hidden": width,
                "pred_hidden": 640,
                "joint_hidden": 640,
                "activation": "relu",
                "dropout": 0.0,
            },
            num_classes=vocabulary,
            num_extra_outputs=DURATIONS,
            vocabulary=[str(number) for number in range(vocabulary)],
            log_softmax=False,
        )
        for part in (self.front, self.encoder, self.decoder, self.joint):
            part.eval()

    @property
    def last(self) -> Any:
        """The joint's last layer."""
        return self.joint.joint_net[-1]

    def encode(self, samples: np.ndarray) -> torch.Tensor:
        """Samples (n,) to encodings (frames, width)."""
        sound = torch.from_numpy(samples)[None]
        mel, lengths = self.front(input_signal=sound, length=torch.tensor([len(samples)]))
        encoded, frames = self.encoder(audio_signal=mel, length=lengths)
        return encoded[0, :, : int(frames[0])].T

    def standardise(self, encoded: torch.Tensor) -> None:
        """Give every score mean 0 and variance 1 over the encodings beside random tokens' predictions, made soft."""
        self.joint.pred.weight.mul_(SOFT)
        self.joint.pred.bias.mul_(SOFT)
        tokens = torch.randint(0, self.vocabulary, (len(encoded), 4))
        predicted, _, _ = self.decoder(targets=tokens, target_length=torch.full((len(encoded),), 4))
        last = self.joint.project_prednet(predicted[:, :, -1])
        hidden = torch.relu(self.joint.project_encoder(encoded) + last)
        scores = torch.nn.functional.linear(hidden, self.last.weight)
        mean, deviation = scores.mean(0), scores.std(0)
        self.last.weight.div_(deviation[:, None])
        self.last.bias.copy_(-mean / deviation)
        self.last.bias[-DURATIONS:] += torch.tensor(SPREAD)

    def tokens(self, encoded: torch.Tensor) -> int:
        """How many tokens greedy decoding emits."""
        projected = self.joint.project_encoder(encoded)
        t, here, found = 0, 0, 0
        predicted, state = self.decoder.predict(None, None, add_sos=False, batch_size=1)
        context = self.joint.project_prednet(predicted)[0, 0]
        while t < len(projected):
            scores = self.last(torch.relu(projected[t] + context))
            token, skip = int(scores[:-DURATIONS].argmax()), int(scores[-DURATIONS:].argmax())
            if token == self.vocabulary:
                t, here = t + max(1, skip), 0
                continue
            found += 1
            here = here + 1 if skip == 0 else 0
            t += 1 if here >= MOST else skip
            predicted, state = self.decoder.predict(torch.tensor([[token]]), state, add_sos=False, batch_size=1)
            context = self.joint.project_prednet(predicted)[0, 0]
        return found

    def calibrate(self, pieces: Sequence[torch.Tensor], rate: float) -> float:
        """Set the blank's bias so that about `rate` tokens a second come of encodings (frames, width); the rate reached.

        What one token changes changes all that follow, so the rate jumps as the bias moves: of several tries the nearest
        is taken.
        """
        self.standardise(torch.cat(list(pieces)))
        seconds = sum(map(len, pieces)) * FRAME
        before = float(self.last.bias[self.vocabulary])
        low, high = 0.0, 8.0
        tried: dict[float, float] = {}
        for _ in range(10):
            bias = (low + high) / 2
            self.last.bias[self.vocabulary] = before + bias
            tried[bias] = sum(self.tokens(piece) for piece in pieces) / seconds
            low, high = (bias, high) if tried[bias] > rate else (low, bias)
        best = min(tried, key=lambda bias: abs(tried[bias] - rate))
        self.last.bias[self.vocabulary] = before + best
        return tried[best]


def speech() -> np.ndarray:
    """Thirty seconds of the project's samples (16 kHz, mono, 16 bits), float32."""
    sounds = []
    for path in sorted(SPEECH.glob("*.wav")):
        with wave.open(str(path)) as file:
            sounds.append(np.frombuffer(file.readframes(file.getnframes()), np.int16))
    return np.resize(np.concatenate(sounds), 30 * 16000).astype(np.float32) / 32768


def save(path: Path, export: Any, metadata: dict[str, str] | None = None) -> None:
    """Export through NeMo; weights of more than a gigabyte go into one file beside the graph."""
    workplace = path.parent / "export"
    workplace.mkdir()
    export.export(str(workplace / path.name))
    graph = onnx.load(str(workplace / path.name))
    for key, value in (metadata or {}).items():
        graph.metadata_props.add(key=key, value=value)
    if sum(len(weight.raw_data) for weight in graph.graph.initializer) > 10**9:
        onnx.save(graph, str(path), save_as_external_data=True, location=f"{path.name}.data")
    else:
        onnx.save(graph, str(path))
    shutil.rmtree(workplace)


def main() -> None:
    """Make the model and write both layouts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vocabulary", type=int, default=8192, help="tokens: 1024 as v2, 8192 as v3")
    parser.add_argument("--layers", type=int, default=24, help="encoder layers")
    parser.add_argument("--width", type=int, default=1024, help="width of the encoder")
    parser.add_argument("--rate", type=float, default=3.5, help="tokens a second of speech")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    torch.manual_seed(wanted.seed)
    torch.set_grad_enabled(False)
    folder, sherpa = wanted.folder, wanted.folder / "sherpa"
    sherpa.mkdir(parents=True, exist_ok=True)
    parts = Parts(wanted.vocabulary, wanted.layers, wanted.width)
    encoded = parts.encode(speech())
    reached = parts.calibrate(encoded.split(len(encoded) // 5), wanted.rate)
    print(f"{reached:.1f} tokens a second")
    save(folder / "decoder_joint-model.onnx", RNNTDecoderJoint(parts.decoder, parts.joint))
    save(sherpa / "decoder.onnx", parts.decoder)
    save(sherpa / "joiner.onnx", parts.joint)
    metadata = {
        "vocab_size": str(wanted.vocabulary),
        "normalize_type": "per_feature",
        "pred_rnn_layers": "2",
        "pred_hidden": "640",
        "subsampling_factor": "8",
        "model_type": "EncDecRNNTBPEModel",
        "version": "2",
        "model_author": "NeMo",
        "comment": "random weights",
        "url": "in the shape of nvidia/parakeet-tdt-0.6b-v3",  # sherpa-onnx tells a TDT model by this
        "feat_dim": "128",
    }
    save(folder / "encoder-model.onnx", parts.encoder, metadata)
    graph = folder / "encoder-model.onnx"
    shutil.copy(graph, sherpa / "encoder.onnx")
    data = folder / "encoder-model.onnx.data"
    if data.exists():
        shared = sherpa / data.name  # a hard link: onnxruntime refuses data that a symbolic link brings from elsewhere
        shared.unlink(missing_ok=True)
        os.link(data, shared)
    # Words of two tokens on average, spelled so that every token has a text of its own.
    names = [("\u2581" if number % 2 else "") + f"t{number}" for number in range(wanted.vocabulary)]
    lines = "".join(f"{name} {number}\n" for number, name in enumerate([*names, "<blk>"]))
    (folder / "vocab.txt").write_text(lines, encoding="utf-8")
    (sherpa / "tokens.txt").write_text(lines, encoding="utf-8")
    config = {"model_type": "nemo-conformer-tdt", "features_size": 128, "subsampling_factor": 8}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
