"""Checkpoints of Parakeet's kinds, tiny and with random weights, made by the NeMo toolkit itself. They speak nonsense."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Final

TEXTS: Final = (
    "one two three four five six seven",
    "eight nine ten eleven twelve",
    "the quick brown fox",
    "it's a tale, sir!",
)

PREPROCESSOR: Final = {
    "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
    "sample_rate": 16000,
    "normalize": "per_feature",
    "window_size": 0.025,
    "window_stride": 0.01,
    "window": "hann",
    "features": 80,
    "n_fft": 512,
    "log": True,
    "frame_splicing": 1,
    "dither": 1e-5,
    "pad_to": 0,
    "pad_value": 0.0,
}
ENCODER: Final = {
    "_target_": "nemo.collections.asr.modules.ConformerEncoder",
    "feat_in": 80,
    "feat_out": -1,
    "n_layers": 2,
    "d_model": 32,
    "use_bias": False,
    "subsampling": "dw_striding",
    "subsampling_factor": 8,
    "subsampling_conv_channels": 16,
    "causal_downsampling": False,
    "ff_expansion_factor": 2,
    "self_attention_model": "rel_pos",
    "n_heads": 2,
    "att_context_size": [-1, -1],
    "xscaling": False,
    "untie_biases": True,
    "pos_emb_max_len": 500,
    "conv_kernel_size": 9,
    "conv_norm_type": "batch_norm",
    "dropout": 0.0,
    "dropout_pre_encoder": 0.0,
    "dropout_emb": 0.0,
    "dropout_att": 0.0,
}
DURATIONS: Final = [0, 1, 2, 3, 4]


def pieces(folder: Path, size: int = 48) -> Path:
    """A SentencePiece vocabulary in `folder`, as NeMo wants it: `tokenizer.model` and `vocab.txt`."""
    import sentencepiece  # noqa: PLC0415 heavy

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=size,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    known = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
    words = [known.id_to_piece(number) for number in range(1, known.get_piece_size())]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return folder


def nemo(kind: str, folder: Path, seed: int = 0) -> Any:
    """A random model: `tdt`, `rnnt`, `ctc` or `hybrid` (TDT and CTC). Its scores lie wide apart, so no two are equal."""
    import torch  # noqa: PLC0415 heavy
    from nemo.collections.asr import models  # noqa: PLC0415
    from nemo.utils import logging  # noqa: PLC0415
    from omegaconf import OmegaConf  # noqa: PLC0415

    logging.set_verbosity(logging.ERROR)
    told = _configuration(kind, pieces(folder / "pieces"))
    made = {
        "tdt": models.EncDecRNNTBPEModel,
        "rnnt": models.EncDecRNNTBPEModel,
        "ctc": models.EncDecCTCModelBPE,
        "hybrid": models.EncDecHybridRNNTCTCBPEModel,
    }[kind]
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = made(OmegaConf.create(told)).eval()
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if weight.ndim > 1 and name.startswith(("joint", "decoder", "ctc_decoder")):
                weight.normal_(0, 1)
            elif "pre_encode" in name and weight.ndim > 1:
                weight.normal_(0, 0.5)  # what is heard is to outweigh what the layers add
            if name.endswith("embed.weight"):
                weight[-1] = 0  # of the blank, before the first label
    return net


def _configuration(kind: str, tokenizer: Path) -> dict[str, Any]:
    ctc = {
        "_target_": "nemo.collections.asr.modules.ConvASRDecoder",
        "feat_in": 32,
        "num_classes": -1,
        "vocabulary": [],
    }
    told: dict[str, Any] = {
        "sample_rate": 16000,
        "preprocessor": dict(PREPROCESSOR),
        "encoder": dict(ENCODER),
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "decoding": {"strategy": "greedy_batch"},
        "optim": {"name": "adamw", "lr": 0.1},
    }
    if kind == "ctc":
        return told | {"decoder": ctc}
    told |= {
        "model_defaults": {"enc_hidden": 32, "pred_hidden": 24, "joint_hidden": 24},
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {"pred_hidden": 24, "pred_rnn_layers": 1, "t_max": None, "dropout": 0.0},
        },
        "joint": {
            "_target_": "nemo.collections.asr.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "fused_batch_size": -1,
            "jointnet": {"joint_hidden": 24, "activation": "relu", "dropout": 0.2},  # has a place in the names
        },
        "decoding": {"strategy": "greedy_batch", "greedy": {"max_symbols": 3}},
        "loss": {"loss_name": "default"},
    }
    if kind == "hybrid":
        told["aux_ctc"] = {
            "ctc_loss_weight": 0.3,
            "use_cer": False,
            "decoder": ctc,
            "decoding": {"strategy": "greedy_batch"},
        }
    if kind != "rnnt":
        told["model_defaults"] |= {"tdt_durations": DURATIONS, "num_tdt_durations": len(DURATIONS)}
        told["joint"]["num_extra_outputs"] = len(DURATIONS)
        told["decoding"] |= {"model_type": "tdt", "durations": DURATIONS}
        told["loss"] = {
            "loss_name": "tdt",
            "tdt_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0, "durations": DURATIONS, "sigma": 0.02, "omega": 0.1},
        }
    return told


def mlx(net: Any, folder: Path) -> Path:
    """`net`, made by `nemo`, as parakeet-mlx loads it: `config.json` and `model.safetensors` in `folder`."""
    import mlx.core as mx  # noqa: PLC0415 heavy
    from omegaconf import OmegaConf  # noqa: PLC0415

    weights: dict[str, Any] = {}
    for name, value in net.state_dict().items():
        if name.startswith(("preprocessor", "loss")) or "lstm" in name or "num_batches" in name:
            continue
        weights[name] = mx.array(value.movedim(1, -1).contiguous().numpy() if value.ndim > 2 else value.numpy())
    if hasattr(net, "joint"):
        stem, lstm = "decoder.prediction.dec_rnn.lstm.0", net.decoder.prediction["dec_rnn"].lstm
        weights[f"{stem}.Wx"] = mx.array(lstm.weight_ih_l0.detach().numpy())
        weights[f"{stem}.Wh"] = mx.array(lstm.weight_hh_l0.detach().numpy())
        weights[f"{stem}.bias"] = mx.array((lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().numpy())
    told = OmegaConf.to_container(net.cfg, resolve=True)
    pieces = net.tokenizer.ids_to_tokens(list(range(net.tokenizer.vocab_size)))
    for part in (told.get("joint"), told.get("aux_ctc", {}).get("decoder"), told["decoder"]):
        if part is not None and "vocabulary" in part:
            part["vocabulary"] = pieces
    told["target"] = f"{type(net).__module__}.{type(net).__name__}"
    folder.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "config.json").write_text(json.dumps(told))
    return folder
