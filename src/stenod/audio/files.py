"""Audio files, of any container or raw: float samples at a rate that the intake takes, a second at a time.

Everything here blocks: call it in a thread. No whole file is ever in memory, whatever it claims to hold. Damage is skipped
and counted; what cannot be decoded at all is BadAudio, in one line that names neither paths nor internals.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self, TypeAlias

from stenod.audio.containers import Container
from stenod.audio.formats import WIDTH, Unpacker, bytes_per_second, check
from stenod.errors import BadAudio, BadRequest
from stenod.options import AudioFormat, Encoding

Source: TypeAlias = bytes | BinaryIO | str | os.PathLike[str]
"""A file's content, an open binary file (read from its beginning, left open), or a path."""

_BLOCK: Final = 1 << 16
"""Bytes of a raw file that are read at once."""


def open_audio(source: Source, *, raw: AudioFormat | None = None) -> AudioReader:
    """Open a file and decode its first second. `raw` says what it holds where it has no container.

    What the file is named or announced as is not believed, its content is probed. Raises BadAudio, and BadRequest for a
    `raw` format that cannot be heard.
    """
    if raw is not None:
        check(raw)
        if raw.encoding not in WIDTH:
            raise BadRequest(f"{raw.encoding} is no encoding of raw audio", code="bad_format")
    with ExitStack() as resources:
        file = _opened(source, resources)
        decoder = _Raw(file, raw) if raw is not None else resources.enter_context(Container(file))
        return AudioReader(decoder, resources)


class _Decoder(Protocol):
    @property
    def format(self) -> AudioFormat: ...

    @property
    def duration(self) -> float | None: ...

    @property
    def skipped(self) -> int: ...

    @property
    def decoded(self) -> int: ...

    def blocks(self) -> Iterator[bytes]: ...


class AudioReader:
    """An open audio file that holds audio; a context manager. One caller at a time."""

    def __init__(self, decoder: _Decoder, resources: ExitStack) -> None:
        self.format = decoder.format
        """What `chunks` gives: f32le, the file's own channels, its own rate where that lies in 8 to 48 kHz, else the
        nearest that does."""
        self.duration = decoder.duration
        """Seconds, if the file says so; a file may lie."""
        self._decoder = decoder
        chunks = _gathered(decoder.blocks(), bytes_per_second(self.format))
        first = next(chunks, None)
        if first is None:
            raise BadAudio("the file holds no audio")
        if decoder.skipped > decoder.decoded:
            raise BadAudio("the file is too damaged, or no audio at all")
        self._chunks = chain((first,), chunks)
        self._resources = resources.pop_all()

    @property
    def skipped(self) -> int:
        """Packets so far that could not be decoded and were left out; of a raw file, bytes at its end that are no sample."""
        return self._decoder.skipped

    def chunks(self) -> Iterator[bytes]:
        """Give the samples, interleaved, a second at a time; once."""
        return self._chunks

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()


class _Raw:
    """A file of samples and nothing else."""

    def __init__(self, file: BinaryIO, raw: AudioFormat) -> None:
        self.format = AudioFormat(encoding=Encoding.F32LE, rate=raw.rate, channels=raw.channels)
        self.skipped = 0
        self.decoded = 0
        self._file = file
        self._unpacker = Unpacker(raw)
        self.duration = _size(file) / bytes_per_second(raw) if file.seekable() else None

    def blocks(self) -> Iterator[bytes]:
        while data := self._file.read(_BLOCK):
            samples = self._unpacker.unpack(data)
            self.decoded += samples.size
            yield samples.tobytes()
        self.skipped = self._unpacker.waiting


def _opened(source: Source, resources: ExitStack) -> BinaryIO:
    """Open `source`; what is opened here is closed with the resources."""
    if isinstance(source, bytes):
        file: BinaryIO = io.BytesIO(source)
    elif isinstance(source, (str, os.PathLike)):
        try:
            file = Path(source).open("rb")  # noqa: SIM115  the resources close it
        except OSError as error:
            raise BadAudio(f"the file cannot be opened: {error.strerror}") from None
        resources.enter_context(file)
    else:
        file = source
    if file.seekable():
        if not _size(file):
            raise BadAudio("the file is empty")
        file.seek(0)
    return file


def _size(file: BinaryIO) -> int:
    """How many bytes there are; the file is then at its beginning."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return size


def _gathered(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Cut blocks of any size anew, `size` bytes each but the last."""
    gathered = bytearray()
    for block in blocks:
        gathered += block
        while len(gathered) >= size:
            yield bytes(gathered[:size])
            del gathered[:size]
    if gathered:
        yield bytes(gathered)
