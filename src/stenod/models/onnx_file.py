"""What an ONNX file says about itself, read without loading it: names of inputs and outputs, and its metadata.

Walks the protobuf framing of the file (the wire format of https://protobuf.dev/programming-guides/encoding, the fields of
onnx.proto: ModelProto.graph = 7, .metadata_props = 14; GraphProto.input = 11, .output = 12; ValueInfoProto.name = 1) and
steps over tensors, so that half a gigabyte of weights costs milliseconds. Needs neither onnx nor onnxruntime.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

_Buffer: TypeAlias = mmap.mmap | bytes

_GRAPH: Final = 7
_METADATA: Final = 14
_INPUT: Final = 11
_OUTPUT: Final = 12
_KEY: Final = 1
_VALUE: Final = 2
_SKIPPED: Final = {1: 8, 5: 4}
"""Bytes of the fields that have a fixed size, by wire type."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What a file says of itself."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]

    @property
    def streams(self) -> bool:
        """Whether it is (part of) a NeMo model exported for sherpa-onnx's online recogniser.

        Cache-aware encoders take their caches as inputs; the buffered export of parakeet-unified says so by name.
        """
        return "cache_last_channel" in self.inputs or "streaming_model_type" in self.metadata


def read(path: Path) -> OnnxFile:
    """The names and the metadata in the file at `path`. Raises ValueError where it is no ONNX file, OSError."""
    with path.open("rb") as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _model(data)
        except (IndexError, UnicodeDecodeError) as error:
            raise ValueError(f"{path.name!r} is no ONNX file") from error


def _model(data: _Buffer) -> OnnxFile:
    inputs: list[str] = []
    outputs: list[str] = []
    metadata: dict[str, str] = {}
    found = False
    for field, start, end in _fields(data, 0, len(data)):
        if field == _GRAPH:
            found = True
            for inner, first, last in _fields(data, start, end):
                if inner in (_INPUT, _OUTPUT):
                    names = inputs if inner == _INPUT else outputs
                    names.append(_strings(data, first, last).get(_KEY, ""))
        elif field == _METADATA:
            entry = _strings(data, start, end)
            metadata[entry.get(_KEY, "")] = entry.get(_VALUE, "")
    if not found:
        raise IndexError("no graph")
    return OnnxFile(tuple(inputs), tuple(outputs), metadata)


def _fields(data: _Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, first byte and end of each field with a length; the others are stepped over."""
    while at < end:
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == 2:
            length, at = _varint(data, at)
            if at + length > end:
                raise IndexError("a field reaches over the end")
            yield tag >> 3, at, at + length
            at += length
        elif kind == 0:
            _, at = _varint(data, at)
        else:
            at += _SKIPPED.get(kind, end + 1)
    if at != end:
        raise IndexError("the fields do not fill their frame")


def _strings(data: _Buffer, start: int, end: int) -> dict[int, str]:
    """The fields `_KEY` and `_VALUE` of a message whose fields of these numbers are texts, as far as they are."""
    found: dict[int, str] = {}
    for field, first, last in _fields(data, start, end):
        if field in (_KEY, _VALUE):
            found[field] = data[first:last].decode("utf-8", "replace")
    return found


def _varint(data: _Buffer, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError("no number is that long")
