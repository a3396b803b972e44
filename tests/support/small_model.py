"""The small model that really decodes (`tests/models/small`), its other forms, and its speech. No checks, no engines.

Only one form is in git: the graphs in onnx-asr's layout. `int8`, `nemo` and `mlx` derive the others from it, each into a
folder of its own; they want the packages that those forms are for.
"""

from __future__ import annotations

import io
import json
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

SMALL: Final = Path(__file__).resolve().parent.parent / "models" / "small"
RATE: Final = 16_000
DURATIONS: Final = [0, 1, 2, 3, 4]
EPSILON: Final = 1e-5
"""What torch adds to a variance; a batch norm whose variance is 1 - EPSILON multiplies by one."""

PREPROCESSOR: Final[dict[str, Any]] = {
    "sample_rate": RATE,
    "normalize": "per_feature",
    "window_size": 0.025,
    "window_stride": 0.01,
    "window": "hann",
    "features": 128,
    "n_fft": 512,
    "log": True,
    "frame_splicing": 1,
    "dither": 0.0,
    "pad_to": 0,
    "pad_value": 0.0,
}


@dataclass(frozen=True)
class Spoken:
    """One take: float32 samples at 16 kHz, what is said, and (word, start, end) in seconds.

    `condition`: clean, speed, noise, both; or `confusable` or `rare`, where `about` is the word that is easily mistaken.
    """

    name: str
    samples: NDArray[np.float32]
    text: str
    words: tuple[tuple[str, float, float], ...]
    condition: str
    about: str

    @property
    def wav(self) -> bytes:
        """The same as a WAV file, mono, s16."""
        target = io.BytesIO()
        with wave.open(target, "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
            file.writeframes(np.rint(self.samples * 32768).clip(-32768, 32767).astype("<i2").tobytes())
        return target.getvalue()


def speech(*conditions: str) -> list[Spoken]:
    """The committed takes, of these conditions or of all."""
    entries = json.loads((SMALL / "speech" / "manifest.json").read_text(encoding="utf-8"))
    return [
        Spoken(
            name=entry["file"].removesuffix(".flac"),
            samples=_samples(SMALL / "speech" / entry["file"]),
            text=entry["text"],
            words=tuple((word["text"], word["start"], word["end"]) for word in entry["words"]),
            condition=entry["condition"],
            about=entry["about"],
        )
        for entry in entries
        if not conditions or entry["condition"] in conditions
    ]


def _samples(path: Path) -> NDArray[np.float32]:
    with av.open(str(path)) as file:
        frames = [frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)]
    pcm: NDArray[np.float32] = np.concatenate(frames).astype(np.float32) / 32768
    return pcm


def vocabulary() -> list[str]:
    """The pieces without blank, by id."""
    lines = (SMALL / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return [line.rsplit(" ", 1)[0] for line in lines][:-1]


def architecture() -> dict[str, dict[str, Any]]:
    """The settings of NeMo's `encoder`, `prednet` and `jointnet`."""
    found: dict[str, dict[str, Any]] = json.loads((SMALL / "architecture.json").read_text(encoding="utf-8"))
    return found


def weights() -> dict[str, NDArray[np.float32]]:
    """The weights by the names they have in NeMo's EncDecRNNTBPEModel, read back from the two graphs."""
    found: dict[str, NDArray[np.float32]] = {}
    for file, prefix in (("encoder-model.onnx", "encoder."), ("decoder_joint-model.onnx", "")):
        for tensor in onnx.load(str(SMALL / file)).graph.initializer:
            if not tensor.name.startswith(("layers.", "pre_encode.", "decoder.", "joint.")):
                continue
            value = numpy_helper.to_array(tensor)
            if "dec_rnn.lstm." in tensor.name:
                found |= _lstm(tensor.name, value)
            elif tensor.name.endswith(".T"):
                found[prefix + tensor.name.removesuffix(".T")] = np.ascontiguousarray(value.T)
            else:
                found[prefix + tensor.name] = value
    for name in [name for name in found if name.endswith("batch_norm.bias")]:
        like, stem = found[name], name.removesuffix("bias")
        found[f"{stem}weight"] = np.ones_like(like)
        found[f"{stem}running_mean"] = np.zeros_like(like)
        found[f"{stem}running_var"] = np.full_like(like, 1 - EPSILON)
    return found


def _lstm(name: str, value: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """One of ONNX's arrays W, R, B as torch's: gates from (input, output, forget, cell) to (input, forget, cell, output)."""

    def regate(weight: NDArray[np.float32]) -> NDArray[np.float32]:
        enter, leave, forget, cell = np.split(weight, 4)
        return np.concatenate([enter, forget, cell, leave])

    stem, kind = name[:-1], name[-1]
    if kind == "B":
        first, second = np.split(value[0], 2)
        return {f"{stem}bias_ih_l0": regate(first), f"{stem}bias_hh_l0": regate(second)}
    return {f"{stem}weight_{'ih' if kind == 'W' else 'hh'}_l0": regate(value[0])}


def int8(folder: Path) -> Path:
    """Both graphs with 8-bit weights, as onnx-asr names them, with vocabulary and config. Wants nothing more."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - slow to import

    folder.mkdir(parents=True, exist_ok=True)
    for file in ("encoder-model", "decoder_joint-model"):
        quantize_dynamic(str(SMALL / f"{file}.onnx"), str(folder / f"{file}.int8.onnx"), weight_type=QuantType.QUInt8)
    for name in ("vocab.txt", "config.json"):
        (folder / name).write_bytes((SMALL / name).read_bytes())
    return folder


def config(tokenizer: Path) -> dict[str, Any]:
    """NeMo's configuration of the model; `tokenizer`: a folder with `tokenizer.model` and `vocab.txt`."""
    shapes, pieces = architecture(), vocabulary()
    names = "nemo.collections.asr"
    return {
        "target": f"{names}.models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "sample_rate": RATE,
        "compute_eval_loss": False,
        "log_prediction": False,
        "skip_nan_grad": False,
        "model_defaults": {
            "enc_hidden": shapes["encoder"]["d_model"],
            "pred_hidden": shapes["prednet"]["pred_hidden"],
            "joint_hidden": shapes["jointnet"]["joint_hidden"],
            "tdt_durations": DURATIONS,
            "num_tdt_durations": len(DURATIONS),
        },
        "tokenizer": {"dir": str(tokenizer), "type": "bpe"},
        "preprocessor": {"_target_": f"{names}.modules.AudioToMelSpectrogramPreprocessor"} | PREPROCESSOR,
        "encoder": {"_target_": f"{names}.modules.ConformerEncoder"} | shapes["encoder"],
        "decoder": {
            "_target_": f"{names}.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "vocab_size": len(pieces),
            "prednet": shapes["prednet"],
        },
        "joint": {
            "_target_": f"{names}.modules.RNNTJoint",
            "log_softmax": None,
            "preserve_memory": False,
            "fuse_loss_wer": False,
            "num_classes": len(pieces),
            "num_extra_outputs": len(DURATIONS),
            "vocabulary": pieces,
            "jointnet": shapes["jointnet"],
        },
        "decoding": {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": DURATIONS,
            "greedy": {"max_symbols": 10},
            "beam": {"beam_size": 2, "return_best_hypothesis": False, "score_norm": True},
        },
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {"fastemit_lambda": 0.0, "clamp": -1.0, "durations": DURATIONS, "sigma": 0.02, "omega": 0.1},
        },
    }


def nemo(target: Path) -> Path:
    """A `.nemo` archive of the model. Wants nemo_toolkit[asr]."""
    import torch  # noqa: PLC0415 - only here
    from nemo.collections.asr.models import EncDecRNNTBPEModel  # noqa: PLC0415
    from omegaconf import OmegaConf  # noqa: PLC0415

    model = EncDecRNNTBPEModel(OmegaConf.create(config(SMALL)))
    state = {name: torch.from_numpy(np.array(value)) for name, value in weights().items()}
    odd = model.load_state_dict(state, strict=False)
    lost = [name for name in odd.missing_keys if "num_batches_tracked" not in name and not name.startswith("preproc")]
    if lost or odd.unexpected_keys:
        raise ValueError(f"not the weights of this model: without {lost}, with {odd.unexpected_keys}")
    model.eval().save_to(str(target))
    return target


def mlx(folder: Path) -> Path:
    """`config.json` and `model.safetensors` as parakeet-mlx loads them. Wants mlx.

    Convolutions have their channels last; the LSTM's two biases are one.
    """
    import mlx.core as mx  # noqa: PLC0415 - only here

    folder.mkdir(parents=True, exist_ok=True)
    found = {name: value for name, value in weights().items() if "dec_rnn.lstm" not in name}
    for name, value in found.items():
        if value.ndim > 2:
            found[name] = np.ascontiguousarray(np.moveaxis(value, 1, -1))
    every, stem = weights(), "decoder.prediction.dec_rnn.lstm."
    found[f"{stem}0.Wx"] = every[f"{stem}weight_ih_l0"]
    found[f"{stem}0.Wh"] = every[f"{stem}weight_hh_l0"]
    found[f"{stem}0.bias"] = every[f"{stem}bias_ih_l0"] + every[f"{stem}bias_hh_l0"]
    mx.save_safetensors(str(folder / "model.safetensors"), {name: mx.array(value) for name, value in found.items()})
    (folder / "config.json").write_text(json.dumps(config(SMALL)), encoding="utf-8")
    return folder
