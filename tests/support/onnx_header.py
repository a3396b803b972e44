"""Bytes of an ONNX file without a graph worth running: names of inputs and metadata, for what only reads headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def onnx_header(
    inputs: Sequence[str] = (),
    metadata: Mapping[str, object] | None = None,
    *,
    weights: int = 0,
    outputs: Sequence[str] = (),
) -> bytes:
    """A ModelProto; `weights` bytes of an initializer lie between what a reader wants."""
    graph = _field(2, b"main_graph") + _field(5, _field(9, bytes(weights)))
    graph += b"".join(_field(11, _field(1, name.encode())) for name in inputs)
    graph += b"".join(_field(12, _field(1, name.encode())) for name in outputs)
    props = [_field(1, key.encode()) + _field(2, str(value).encode()) for key, value in (metadata or {}).items()]
    return b"\x08\x08" + _field(2, b"by hand") + _field(7, graph) + b"".join(_field(14, prop) for prop in props)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))
