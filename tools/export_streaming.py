"""A cache-aware NeMo checkpoint as the files that the streaming engine reads.

    python tools/export_streaming.py CHECKPOINT.nemo FOLDER [LOOKAHEAD]

Needs nemo_toolkit[asr] and onnx. For checkpoints that nobody publishes in this form, parakeet_realtime_eou_120m above all.
LOOKAHEAD is the right context in encoder frames of 80 ms, one of those the checkpoint was trained with; chunks are that and
one frame long. The layout is that of sherpa-onnx's online transducers: encoder.onnx, decoder.onnx, joiner.onnx and
tokens.txt, and the facts that its runtime wants in the encoder's metadata.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from nemo.collections.asr.models import ASRModel

FRAMES = 8
"""Feature frames to an encoder frame."""


def export(  # noqa: PLR0913 the three networks, and what they do not know themselves
    encoder: Any,
    decoder: Any,
    joint: Any,
    folder: Path,
    *,
    vocabulary: Sequence[str],
    normalize: str,
    facts: Mapping[str, object],
) -> None:
    """Write the four files into `folder`. The networks must be in evaluation mode."""
    folder.mkdir(parents=True, exist_ok=True)
    encoder.export_cache_support = True
    encoder.export(str(folder / "encoder.onnx"), onnx_opset_version=17)
    decoder.export(str(folder / "decoder.onnx"), onnx_opset_version=17)
    joint.export(str(folder / "joiner.onnx"), onnx_opset_version=17)
    lines = [f"{token} {number}\n" for number, token in enumerate([*vocabulary, "<blk>"])]
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")
    streaming = encoder.streaming_cfg
    chunk, context = _steady(streaming.chunk_size), _steady(streaming.pre_encode_cache_size)
    _describe(
        folder / "encoder.onnx",
        {
            "vocab_size": len(vocabulary),
            "window_size": chunk + context,
            "chunk_shift": chunk,
            "normalize_type": "" if normalize == "NA" else normalize,
            "cache_last_channel_dim1": len(encoder.layers),
            "cache_last_channel_dim2": streaming.last_channel_cache_size,
            "cache_last_channel_dim3": encoder.d_model,
            "cache_last_time_dim1": len(encoder.layers),
            "cache_last_time_dim2": encoder.d_model,
            "cache_last_time_dim3": encoder.conv_context_size[0],
            "pred_rnn_layers": decoder.pred_rnn_layers,
            "pred_hidden": decoder.pred_hidden,
            "subsampling_factor": FRAMES,
            **facts,
        },
    )


def _steady(size: int | Sequence[int]) -> int:
    """What holds from the second chunk on, where the first has a size of its own."""
    return size if isinstance(size, int) else size[1]


def _describe(file: Path, facts: Mapping[str, object]) -> None:
    """Put `facts` into the metadata of `file`; weights too large for it go into a file beside it."""
    model = onnx.load(file)
    del model.metadata_props[:]
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=str(value))
    large = model.ByteSize() > 1 << 30
    onnx.save(model, file, save_as_external_data=large, location="encoder.data" if large else None)


def main(checkpoint: str, folder: str, lookahead: str | None = None) -> None:
    """The command line."""
    model = ASRModel.restore_from(checkpoint, map_location="cpu").eval()
    if lookahead is not None:
        left = model.encoder.att_context_size[0]
        model.encoder.set_default_att_context_size([left, int(lookahead)])
    export(
        model.encoder,
        model.decoder,
        model.joint,
        Path(folder),
        vocabulary=list(model.joint.vocabulary),
        normalize=model.cfg.preprocessor.normalize,
        facts={"feat_dim": model.cfg.preprocessor.features, "model_type": type(model).__name__},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
