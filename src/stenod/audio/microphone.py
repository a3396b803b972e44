"""The microphone of this machine, by way of PortAudio. Blocking; no other audio device, no file, no session.

`sounddevice` is imported when a microphone is opened and not before: it looks for PortAudio as it is imported, and a server
needs neither.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from stenod.errors import Unavailable
from stenod.jobs import Samples
from stenod.options import RATE

HOW_TO_GET: Final = "pip install 'stenod[microphone]'"
HOW_TO_GET_PORTAUDIO: Final = "on Debian and Ubuntu: apt-get install libportaudio2"


class Microphone:
    """The default input device, or the one of the name or number `device`, at 16 kHz; a context manager.

    Making one raises Unavailable where sounddevice, PortAudio or the device is missing; the message says how to get it.
    """

    def __init__(self, device: str | None = None) -> None:
        self.missed = 0
        """Times that audio was lost because nobody read it."""
        self._resources = ExitStack()
        sound = _sounddevice()
        number = int(device) if device is not None and device.isdigit() else device
        try:
            with ExitStack() as resources:
                self._stream = resources.enter_context(
                    sound.RawInputStream(samplerate=RATE, channels=1, dtype="int16", device=number)
                )
                self._resources = resources.pop_all()
        except (sound.PortAudioError, ValueError) as error:
            if device is None and sound.default.device[0] < 0:
                raise Unavailable("this machine has no microphone that PortAudio knows of") from None
            reason = str(error.args[0] if error.args else error).splitlines()[0]
            raise Unavailable(f"the microphone cannot be opened: {reason}") from None

    def read(self, seconds: float) -> Samples:
        """The next `seconds`, shape (samples,); waits until they have been spoken."""
        data, overflowed = self._stream.read(round(seconds * RATE))
        self.missed += bool(overflowed)
        return np.frombuffer(bytes(data), np.int16).astype(np.float32) / np.float32(2**15)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()


def _sounddevice() -> Any:
    try:
        import sounddevice  # noqa: PLC0415 - see above
    except ImportError:
        raise Unavailable(f"the microphone needs the package sounddevice: {HOW_TO_GET}") from None
    except OSError:
        raise Unavailable(f"the microphone needs the library PortAudio; {HOW_TO_GET_PORTAUDIO}") from None
    return sounddevice
