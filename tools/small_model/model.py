"""The small model: parakeet-tdt's architecture out of NeMo's own modules, about a million parameters. No training here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from nemo.collections.asr.modules import ConformerEncoder, RNNTDecoder, RNNTJoint
from tdt import DURATIONS
from torch import Tensor, nn

FRAME: Final = 0.08
"""Seconds from one encoder frame to the next; frame k is about the sound at k * FRAME."""

ENCODER: Final[dict[str, Any]] = {
    "feat_in": 128,
    "feat_out": -1,
    "n_layers": 4,
    "d_model": 96,
    "use_bias": False,
    "subsampling": "dw_striding",
    "subsampling_factor": 8,
    "subsampling_conv_channels": 48,
    "causal_downsampling": False,
    "ff_expansion_factor": 4,
    "self_attention_model": "rel_pos",
    "n_heads": 4,
    "att_context_size": [-1, -1],
    "xscaling": False,
    "untie_biases": True,
    "pos_emb_max_len": 5000,
    "conv_kernel_size": 9,
    "conv_norm_type": "batch_norm",
    "dropout": 0.0,
    "dropout_pre_encoder": 0.0,
    "dropout_emb": 0.0,
    "dropout_att": 0.0,
}
PREDICTION: Final[dict[str, Any]] = {"pred_hidden": 64, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.0}
JOINT: Final[dict[str, Any]] = {
    "encoder_hidden": 96,
    "pred_hidden": 64,
    "joint_hidden": 96,
    "activation": "relu",
    "dropout": 0.1,
}


class SmallModel(nn.Module):
    """Encoder, prediction network and joint, named as in NeMo's EncDecRNNTBPEModel, and a frame classifier to learn by."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.encoder = ConformerEncoder(**ENCODER)
        self.decoder = RNNTDecoder(prednet=dict(PREDICTION), vocab_size=vocabulary, blank_as_pad=True)
        self.joint = RNNTJoint(
            jointnet=dict(JOINT), num_classes=vocabulary, num_extra_outputs=len(DURATIONS), log_softmax=False
        )
        self.joint.joint_net[1].p = 0.0  # that there is a dropout gives the layer behind it Parakeet's name
        self.frames = nn.Linear(ENCODER["d_model"], vocabulary + 1)
        self.blank = vocabulary

    def encode(self, mel: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, 128, T) to (B, T', 96) and its lengths."""
        encoded, frames = self.encoder(audio_signal=mel, length=lengths)
        return encoded.transpose(1, 2), frames

    def score(self, encoded: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, T', U+1, V+1+5) of every node."""
        predicted, _, _ = self.decoder(targets=targets, target_length=lengths)
        scores: Tensor = self.joint.joint(encoded, predicted.transpose(1, 2))
        return scores

    @torch.no_grad()
    def greedy(self, encoded: Tensor) -> list[tuple[int, int, int]]:
        """One item's frames (T', 96) to tokens as (token, first frame, frame after), at most ten from one frame."""
        found: list[tuple[int, int, int]] = []
        t, here, state = 0, 0, None
        predicted, state = self.decoder.predict(None, None, add_sos=False, batch_size=1)
        while t < len(encoded):
            scores = self.joint.joint(encoded[None, t : t + 1], predicted)[0, 0, 0]
            token = int(scores[: self.blank + 1].argmax())
            span = DURATIONS[int(scores[self.blank + 1 :].argmax())]
            if token != self.blank:
                found.append((token, t, t + span))
                predicted, state = self.decoder.predict(torch.tensor([[token]]), state, add_sos=False, batch_size=1)
                here = here + 1 if span == 0 else 0
                t += 1 if here >= 10 else span
            else:
                t, here = t + max(1, span), 0
        return found


def parameters(model: SmallModel) -> int:
    """How many weights the model has that are shipped."""
    return sum(weight.numel() for name, weight in model.named_parameters() if not name.startswith("frames."))


def load(path: Path, vocabulary: int) -> SmallModel:
    """The model of a checkpoint that `train.py` wrote, ready to be used."""
    model = SmallModel(vocabulary)
    model.load_state_dict(torch.load(path, weights_only=True))
    model.eval()
    return model
