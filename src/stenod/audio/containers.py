"""Containers and codecs through PyAV, which brings its own ffmpeg. Only `audio.files` and `audio.live` import this.

ffmpeg is never told a name or a path, and may open nothing else: no protocol is allowed, and only demuxers of containers
that hold their own audio are. Playlists, lists of other files (hls, dash, concat, imf) and raw codecs without a signature,
which ffmpeg finds in almost anything (HTML as AMR), are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Final, Protocol, Self

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet

from stenod.audio.formats import MOST_CHANNELS, RATES
from stenod.errors import BadAudio
from stenod.options import AudioFormat, Encoding

_OPTIONS: Final = {
    "format_whitelist": "wav,w64,flac,mp3,aac,ogg,mov,matroska,asf,aiff,au,caf,amr",  # codespell:ignore caf
    "protocol_whitelist": "none",
}

_AT_ONCE: Final = {"probesize": "32", "analyzeduration": "0"}
"""The headers are believed, and decoding begins with the first packet."""

_PATIENCE: Final = 8
"""Failed reads in a row after which a file is at its end."""

_NOT_AUDIO: Final = "this is no audio file, or of a kind that stenod does not read"


class Bytes(Protocol):
    """A file as it is read here; `seek` and `tell` are asked only where it is `seekable`."""

    def read(self, size: int, /) -> bytes:
        """Some bytes, `size` at most; none at the end."""
        ...

    def seekable(self) -> bool:
        """Whether it can be read anywhere."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go somewhere."""
        ...

    def tell(self) -> int:
        """Where that is."""
        ...


class Container:
    """An open container; a context manager. Its audio comes out as f32le, in blocks of one codec frame or so.

    `kind` names the demuxer of a file that is still growing: nothing is read ahead to find out.
    """

    def __init__(self, file: Bytes, *, kind: str | None = None) -> None:
        self.skipped = 0
        """Packets that could not be read or decoded."""
        self.decoded = 0
        """Frames that could."""
        try:
            self._container = av.open(
                _Nameless(file),
                "r",
                format=kind,
                options=_OPTIONS | (_AT_ONCE if kind else {}),
                metadata_errors="ignore",
            )
        except (av.FFmpegError, ValueError):
            raise BadAudio(_NOT_AUDIO) from None
        try:
            self._begin()
        except BaseException:
            self._container.close()
            raise

    def _begin(self) -> None:
        """Decode the first frame: what it says of rate and channels is true, the header's word may not be."""
        if not self._container.streams.audio:
            raise BadAudio("the file holds no audio: none of its streams is sound")
        self._stream = self._container.streams.audio[0]
        self._frames = self._all_frames()
        first = next(self._frames, None)
        if first is None:
            raise BadAudio("the file holds no audio that can be decoded")
        self._first = first
        lowest, highest = RATES
        self.format = AudioFormat(
            encoding=Encoding.F32LE,
            rate=min(max(first.sample_rate, lowest), highest),
            channels=first.layout.nb_channels,
        )
        if not 1 <= self.format.channels <= MOST_CHANNELS:
            raise BadAudio(f"the file has {self.format.channels} channels: at most {MOST_CHANNELS} can be heard")
        self.duration = None if self._container.duration is None else self._container.duration / 1_000_000

    def blocks(self) -> Iterator[bytes]:
        """Give all the audio once, in one format throughout: where it changes in the middle, it is changed back."""
        kind, resampler = None, None
        for frame in chain((self._first,), self._frames):
            if kind != (frame.format.name, frame.layout.name, frame.sample_rate):
                yield from self._resampled(resampler, None)
                kind = (frame.format.name, frame.layout.name, frame.sample_rate)
                resampler = AudioResampler("flt", self._first.layout, self.format.rate)
            yield from self._resampled(resampler, frame)
        yield from self._resampled(resampler, None)

    def _resampled(self, resampler: AudioResampler | None, frame: AudioFrame | None) -> Iterator[bytes]:
        """Frames in the format of the first; `frame` None gives what the resampler still holds."""
        if resampler is None:
            return
        try:
            for ready in resampler.resample(frame):
                yield ready.to_ndarray().tobytes()
        except (av.FFmpegError, ValueError):  # a frame that no conversion makes sense of
            self.skipped += 1

    def _all_frames(self) -> Iterator[AudioFrame]:
        """Decode packet by packet, over damage."""
        failed = 0
        while failed < _PATIENCE:
            try:
                for packet in self._container.demux(self._stream):
                    failed = 0
                    yield from self._decoded_from(packet)
            except (av.FFmpegError, ValueError):
                failed += 1
                self.skipped += 1
            else:
                return

    def _decoded_from(self, packet: Packet[AudioStream]) -> Iterator[AudioFrame]:
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            self.skipped += 1
            return
        for frame in frames:
            if frame.samples:
                self.decoded += 1
                yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()


class _Nameless:
    """A file as ffmpeg sees it: it can be read, and no name tempts it to guess."""

    def __init__(self, file: Bytes) -> None:
        self.read = file.read
        self.seekable = file.seekable
        self.seek = file.seek
        self.tell = file.tell
