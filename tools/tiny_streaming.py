"""Makes the streaming engine's test model, a cache-aware FastConformer transducer of 50 000 parameters.

    python tools/tiny_streaming.py tests/models/tiny-streaming

Needs nemo_toolkit[asr] and onnx; a few minutes on one core. It understands a toy language of nine tones that
`tests/support/tiny_streaming.py` speaks: four begin a word, four go on with one, the ninth is a listener's "uh"; after a
word and 0.4 s of silence it says <EOU>, after "uh" <EOB>, as parakeet_realtime_eou_120m does. Trained frame by frame on
the known alignment (cross entropy), which a toy needs no transducer loss for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from export_streaming import export
from nemo.collections.asr.modules import AudioToMelSpectrogramPreprocessor, ConformerEncoder, RNNTDecoder, RNNTJoint
from numpy.typing import NDArray
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.tiny_streaming import RATE, VOCABULARY, Said, compose, phrase  # type: ignore[import-not-found]  # tests/

FRAME = 0.08
"""Seconds of an encoder frame."""
LEAD = 0.09
"""Seconds of silence that the engine puts ahead of a stretch, for the frames that a first chunk never decodes."""
BLANK = len(VOCABULARY)
STEPS, BATCH = 800, 12


class Networks:
    """Encoder, prediction network and joint, with fresh weights."""

    def __init__(self) -> None:
        self.mel = AudioToMelSpectrogramPreprocessor(
            sample_rate=RATE, window_size=0.025, window_stride=0.01, features=80, normalize="NA", n_fft=512, log=True,
            dither=0.0, pad_to=0,
        )  # fmt: skip
        self.encoder = ConformerEncoder(
            feat_in=80, feat_out=-1, n_layers=2, d_model=32, use_bias=False, subsampling="dw_striding",
            subsampling_factor=8, subsampling_conv_channels=16, causal_downsampling=True, ff_expansion_factor=2,
            self_attention_model="rel_pos", n_heads=2, att_context_size=[16, 1], att_context_style="chunked_limited",
            xscaling=False, untie_biases=True, pos_emb_max_len=256, conv_kernel_size=5, conv_norm_type="layer_norm",
            conv_context_size="causal", dropout=0.0, dropout_pre_encoder=0.0, dropout_emb=0.0, dropout_att=0.0,
        )  # fmt: skip
        self.decoder = RNNTDecoder(
            prednet={"pred_hidden": 32, "pred_rnn_layers": 1, "dropout": 0.0}, vocab_size=BLANK, blank_as_pad=True
        )
        joint = {"joint_hidden": 32, "activation": "relu", "dropout": 0.0, "encoder_hidden": 32, "pred_hidden": 32}
        self.joint = RNNTJoint(jointnet=joint, num_classes=BLANK, vocabulary=list(VOCABULARY))

    def parts(self) -> nn.ModuleList:
        """What is trained."""
        return nn.ModuleList([self.encoder, self.decoder, self.joint])

    def loss(self, phrases: list[tuple[NDArray[np.float32], list[Said]]]) -> Tensor:
        """Cross entropy of every decision along the known alignments."""
        lengths = torch.tensor([len(samples) for samples, _ in phrases])
        audio = torch.zeros(len(phrases), int(lengths.max()))
        tokens = torch.full((len(phrases), max(len(said) for _, said in phrases) or 1), BLANK)
        for row, (samples, said) in enumerate(phrases):
            audio[row, : len(samples)] = torch.from_numpy(samples)
            tokens[row, : len(said)] = torch.tensor([one.token for one in said], dtype=torch.long)
        mel, frames = self.mel(input_signal=audio, length=lengths)
        channel, time, channel_length = self.encoder.get_initial_cache_state(batch_size=len(phrases))
        # one long chunk after empty caches: what a stream hears from its first sample, all steps at once
        encoded, encoded_lengths, *_ = self.encoder.forward_internal(
            mel,
            frames,
            cache_last_channel=channel,
            cache_last_time=time,
            cache_last_channel_len=channel_length,
        )
        predicted, _ = self.decoder.predict(tokens, add_sos=True)
        places: list[tuple[int, int, int]] = []
        wanted: list[int] = []
        for row, (_, said) in enumerate(phrases):
            for frame, known, token in decisions(said, int(encoded_lengths[row])):
                places.append((row, frame, known))
                wanted.append(token)
        rows, at, known_at = torch.tensor(places).unbind(1)
        sum_of = self.joint.enc(encoded.transpose(1, 2)[rows, at]) + self.joint.pred(predicted[rows, known_at])
        weight = torch.ones(BLANK + 1)
        weight[BLANK] = 0.5
        return nn.functional.cross_entropy(self.joint.joint_net(sum_of), torch.tensor(wanted), weight=weight)


def decisions(said: list[Said], frames: int) -> list[tuple[int, int, int]]:
    """(frame, tokens said before, token or blank) along the alignment: a token is said in the frame that hears its end."""
    found: list[tuple[int, int, int]] = []
    known = 0
    for frame in range(frames):
        while known < len(said) and said[known].time <= (frame + 2) * FRAME - LEAD:  # a first step drops two
            found.append((frame, known, said[known].token))
            known += 1
        found.append((frame, known, BLANK))
    return found


def example(random: np.random.Generator) -> tuple[NDArray[np.float32], list[Said]]:
    """A phrase at some level, with silence around it and noise over it, `LEAD` ahead; and what it says when."""
    before, after = float(max(0.0, random.uniform(-0.2, 0.8))), float(random.uniform(0.1, 1.4))
    words = [] if random.random() < 0.1 else phrase(random)
    samples, said = compose(words, before=before, after=after, level=float(10 ** random.uniform(-1.2, -0.2)))
    loudness = 10 ** random.uniform(-5, -2.3) * (random.random() < 0.7)
    noisy = samples + loudness * random.standard_normal(len(samples)).astype(np.float32)
    return np.concatenate((np.zeros(round(LEAD * RATE), np.float32), noisy.astype(np.float32))), said


def main(folder: str) -> None:
    """Train and export."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    random = np.random.default_rng(1)
    nets = Networks()
    parts = nets.parts().train()
    optimizer = torch.optim.AdamW(parts.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=STEPS)
    for step in range(1, STEPS + 1):
        loss = nets.loss([example(random) for _ in range(BATCH)])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {float(loss):.4f}", flush=True)
    parts.eval()
    facts = {"feat_dim": 80, "model_type": "EncDecRNNTBPEModel", "comment": "a toy for tests: tools/tiny_streaming.py"}
    export(nets.encoder, nets.decoder, nets.joint, Path(folder), vocabulary=VOCABULARY, normalize="NA", facts=facts)


if __name__ == "__main__":
    main(*sys.argv[1:])
