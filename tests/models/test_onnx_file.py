"""Headers of ONNX files, read from bytes made by hand and from files that runtimes read."""

from __future__ import annotations

from pathlib import Path

import pytest

from stenod.models import onnx_file
from stenod.vad import silero
from support.onnx_header import onnx_header


def test_names_and_metadata_are_found_behind_the_weights(tmp_path: Path):
    file = tmp_path / "model.onnx"
    file.write_bytes(
        onnx_header(["audio", "length"], {"vocab_size": 128, "": "odd", "umlaut": "ä"}, weights=70_000, outputs=["out"])
    )
    told = onnx_file.read(file)
    assert (told.inputs, told.outputs) == (("audio", "length"), ("out",))
    assert told.metadata == {"vocab_size": "128", "": "odd", "umlaut": "ä"}


def test_a_file_that_runtimes_read():
    told = onnx_file.read(Path(silero.__file__).with_name("silero.onnx"))
    assert told.inputs == ("input", "state", "sr")
    assert told.outputs == ("output", "stateN")


@pytest.mark.parametrize(
    ("inputs", "metadata", "streams"),
    [
        (("audio_signal", "length"), {}, False),
        (("audio_signal", "length", "cache_last_channel"), {}, True),
        (("audio_signal", "length"), {"streaming_model_type": "nemo_parakeet_unified_streaming"}, True),
    ],
)
def test_what_streams(tmp_path: Path, inputs: tuple[str, ...], metadata: dict[str, str], streams: bool):
    file = tmp_path / "encoder.onnx"
    file.write_bytes(onnx_header(inputs, metadata))
    assert onnx_file.read(file).streams is streams


WHOLE = onnx_header(["audio"], {"key": "value"}, weights=300)


@pytest.mark.parametrize(
    "data",
    [b"", b"no model at all", b"\xff" * 50, bytes(20), WHOLE[:-1], WHOLE[:40], b"\x3a\xff\xff\xff\xff\x7f" + bytes(9)],
)
def test_what_is_no_onnx_file_is_a_value_error(tmp_path: Path, data: bytes):
    file = tmp_path / "broken.onnx"
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"broken\.onnx|empty"):
        onnx_file.read(file)
