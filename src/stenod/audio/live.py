"""Compressed audio while it arrives: Opus packets, and files that are still growing. No resampling, no mixing, no frames.

Demuxers read when they like and wait where they stand, so a growing file is read by a thread of its own. It takes turns
with its caller: one works while the other waits, so what comes out depends on what went in and nothing is locked, and
neither bytes nor samples pile up. Everything here blocks; what cannot be decoded is BadAudio.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from stenod.audio.containers import Container
from stenod.audio.formats import Unpacker
from stenod.errors import BadAudio
from stenod.jobs import Samples

_MOST: Final = 10.0
"""Seconds given out at once: a message of compressed audio may hold hours."""

_HOPELESS: Final = 1 << 20
"""Bytes without a sample in them after which no more is expected of a stream."""

_BAD_PACKETS: Final = 8
"""Packets in a row that are none after which no more is expected of a stream."""

_PREAMBLE: Final = 4096
"""Bytes that may be nothing but headers: a stream that ends so soon has no audio, and is no error."""

_HEAD: Final = 12
"""Bytes that tell what a stream is."""


class Packets:
    """Opus packets (RFC 6716), each given alone. Mono is made stereo, and the other way round, where `channels` says so."""

    rate = 48_000
    more = False
    repaired = waiting = 0

    def __init__(self, channels: int) -> None:
        self.skipped = 0
        self._channels = channels
        self._bad = 0  # in a row
        context = av.CodecContext.create("libopus", "r")
        assert isinstance(context, AudioCodecContext)  # noqa: S101 - which codec it is was said
        context.sample_rate = self.rate
        context.layout = "stereo" if channels == 2 else "mono"
        self._context = context

    def unpack(self, data: bytes) -> Samples:
        """Decode one packet; none is no packet."""
        if not data:
            return _nothing(self._channels)
        try:
            frames = self._context.decode(av.Packet(data))
        except (av.FFmpegError, ValueError):
            self.skipped += 1
            self._bad += 1
            if self._bad >= _BAD_PACKETS:
                raise BadAudio("these are no Opus packets, one in each message (is it a container?)") from None
            return _nothing(self._channels)
        self._bad = 0
        parts = [frame.to_ndarray().reshape(-1, self._channels) for frame in frames]
        return np.concatenate(parts).astype(np.float32) / np.float32(2**15) if parts else _nothing(self._channels)

    def finish(self) -> Samples:
        """Nothing is held back."""
        return _nothing(self._channels)

    def close(self) -> None:
        """Nothing is held open."""


class Growing:
    """A file in a container, cut anywhere. Its thread begins with the first bytes and ends with `close` at the latest."""

    repaired = waiting = 0  # samples are decoded: they are numbers, and whole

    def __init__(self) -> None:
        self.rate = 0
        self.more = False
        """Whether samples of what was fed are still to come."""
        self._source = _Source(self._wait)
        self._container: Container | None = None
        self._thread: threading.Thread | None = None
        self._callers, self._threads = threading.Semaphore(0), threading.Semaphore(0)  # turns
        self._ready: list[Samples] = []
        self._error: BaseException | None = None
        self._over = False  # the thread has nothing left to do
        self._closed = False

    @property
    def skipped(self) -> int:
        """Packets that could not be read or decoded."""
        return 0 if self._container is None else self._container.skipped

    def unpack(self, data: bytes) -> Samples:
        """Decode what `data` completes, up to ten seconds of it; whether there is more, `more` says."""
        if data and self._over and self._error is None:
            self._error = BadAudio("what follows in this stream cannot be decoded")
        self._source.put(data)
        if data or self.more:
            self._turn()
        return self._taken()

    def finish(self) -> Samples:
        """Decode to the end. A stream that breaks off is as good as one that ends."""
        self._source.ended = True
        parts = [self._taken()]
        while self._thread is not None and not self._over:
            self._turn()
            parts.append(self._taken())
        return np.concatenate([part for part in parts if part.size] or [_nothing(1)])

    def close(self) -> None:
        """End the thread, wherever it is."""
        self._source.ended = self._closed = True
        if self._thread is not None:
            self._turn()
            self._thread.join()

    def _taken(self) -> Samples:
        ready, self._ready = self._ready, []
        if ready:
            return np.concatenate(ready)
        if self._error is not None:
            raise self._error
        return _nothing(1)

    def _turn(self) -> None:
        """Let the thread work until it needs bytes, has given enough, or is done."""
        if self._over:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="stenod-growing", daemon=True)
            self._thread.start()
        self._threads.release()
        self._callers.acquire()

    # --------------------------------------------------------------------------------------------------- in the thread

    def _wait(self) -> None:
        """It is the caller's turn, until it wants more."""
        self._callers.release()
        self._threads.acquire()

    def _work(self) -> None:
        self._threads.acquire()
        try:
            self._decode()
        except BadAudio as error:
            if not self._source.ended:
                self._error = error
            elif self._source.total >= _PREAMBLE:
                self._error = BadAudio("the stream ended before anything in it could be decoded")
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            self._error = error
        finally:
            self._over = True
            self._callers.release()

    def _decode(self) -> None:
        head = self._source.head()
        if len(head) < _HEAD:
            return
        kind = kind_of(head)
        if kind is None:
            raise BadAudio("this is no audio in a container, or of a kind that stenod does not hear live")
        with Container(self._source, kind=kind) as self._container:
            self.rate = self._container.format.rate
            unpacker, held = Unpacker(self._container.format), 0.0
            for block in self._container.blocks():
                if self._closed:
                    return
                self._source.fruitless = 0
                self._ready.append(unpacker.unpack(block))
                held += len(self._ready[-1]) / self.rate
                if held >= _MOST:
                    self.more = True
                    self._wait()
                    self.more, held = False, 0.0
        if self._source.hopeless:
            raise BadAudio("nothing in a megabyte of this stream could be decoded")


class _Source(io.RawIOBase):
    """The bytes of a growing file, as its demuxer reads them: one that finds none waits until there are."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.ended = False
        self.total = 0
        """Bytes received."""
        self.fruitless = 0
        """Bytes read since the last sample."""
        self._wait = wait
        self._bytes = memoryview(b"")

    @property
    def hopeless(self) -> bool:
        """Whether so much was read in vain that no more is."""
        return self.fruitless > _HOPELESS

    def put(self, data: bytes) -> None:
        """Add bytes; the caller waits until they are read, so there are few others."""
        self.total += len(data)
        self._bytes = memoryview(bytes(self._bytes) + data if self._bytes else data)

    def head(self) -> bytes:
        """The first bytes, still to be read; fewer at the end."""
        while len(self._bytes) < _HEAD and not self.ended:
            self._wait()
        return bytes(self._bytes[:_HEAD])

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, `size` at most; none at the end."""
        while not self._bytes and not self.ended:
            self._wait()
        if self.hopeless:
            return b""
        data, self._bytes = bytes(self._bytes[:size]), self._bytes[size:]
        self.fruitless += len(data)
        return data


def kind_of(head: bytes) -> str | None:
    """Which demuxer reads a stream that begins so (at least 12 bytes), or None. What it was announced as is not asked."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[4:8] in {b"ftyp", b"styp"}:
        return "mov"
    if head[0] == 0xFF and head[1] & 0xE0 == 0xE0:  # the sync word of MPEG audio; layer 0 is ADTS
        return "mp3" if head[1] & 0x06 else "aac"
    return None


_MAGIC: Final = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"RIFF", "wav"),
    (b"RF64", "wav"),
    (b"ID3", "mp3"),
    (b"FORM", "aiff"),
    (b"caff", "caf"),  # codespell:ignore caf
    (b".snd", "au"),
    (b"#!AMR", "amr"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)


def _nothing(channels: int) -> Samples:
    return np.empty((0, channels), np.float32)
