"""The engine that is always there: CMU PocketSphinx with the small English model inside its package. CPU only, streaming.

A decoder holds one utterance at a time, so each open stretch has a decoder of its own, of a bounded set that grows as it is
needed. What a decoder answers depends on the stretch alone: not on how it was cut into chunks, nor on what was heard before.
The library keeps a mean of the cepstra from utterance to utterance and moves it at chunk borders; here the mean starts
anew from `PRIOR` with each stretch and moves after each block of 50 ms, which also serves accuracy (docs/performance.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stenod.engines.base import Capabilities, Family, LoadOptions, Model, Request, State, StreamingEngine
from stenod.errors import Unavailable
from stenod.jobs import Samples
from stenod.models.store import Store
from stenod.options import DecodeOptions
from stenod.transcript import Transcript, Word, of_words

BLOCK: Final = 800
"""Samples that the decoder is given at a time: 50 ms, five frames."""

FRAMES: Final = BLOCK // 160
"""Frames of 10 ms in a block."""

PRIOR: Final = np.array([50.0, 3, 3, 10, -3, -3, -8, -3, -4, -3, 2, -2, 4])
"""Mean cepstrum of clear speech, shape (13,): the average over several dozen recordings."""

WEIGHT: Final = 100.0
"""Frames that the prior counts for."""

_WINDOW: Final = 500
"""Frames that the library's own mean counts for after `set_cmn` (CMN_WIN in its source)."""

_TUNING: Final = {
    "loglevel": "FATAL",
    "maxhmmpf": 3000,  # a quarter faster than the usual 30000, with the same words
    "fwdflat": False,  # the second pass costs a twentieth of the utterance at its end and made more errors
}

_VARIANT: Final = re.compile(r"\(\d+\)$")
"""`read(2)`: another pronunciation."""


class Voice:
    """One decoder and the stretch it hears."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder  # noqa: PLC0415 heavy

        self._decoder: Any = Decoder(**_TUNING)
        self._rest: NDArray[np.int16] = np.zeros(0, np.int16)
        self._sum = PRIOR
        self._frames = 0.0
        self._mean = PRIOR
        self.hearing = False

    def begin(self) -> None:
        """Begin a stretch, remembering nothing of the one before."""
        self._rest = np.zeros(0, np.int16)
        self._sum, self._frames = PRIOR * WEIGHT, WEIGHT
        self._decoder.reinit_feat()  # forgets the level of the noise
        self._normalise(PRIOR)
        self._decoder.start_utt()
        self.hearing = True

    def hear(self, samples: Samples) -> None:
        """Take more audio; what does not fill a block waits."""
        audio = np.concatenate((self._rest, np.clip(np.rint(samples * 32767), -32768, 32767).astype(np.int16)))
        whole = len(audio) - len(audio) % BLOCK
        for start in range(0, whole, BLOCK):
            self._decoder.process_raw(audio[start : start + BLOCK].tobytes())
            self._adapt()
        self._rest = audio[whole:]

    def end(self) -> None:
        """Hear what waits and finish the stretch."""
        if self.hearing:
            self.hearing = False
            if len(self._rest):
                self._decoder.process_raw(self._rest.tobytes())
            self._decoder.end_utt()

    def transcript(self) -> Transcript:
        """What was said so far. Confidences, posteriors of the word lattice, are there when the stretch has ended."""
        words = [
            Word(
                _VARIANT.sub("", segment.word),
                segment.start_frame / 100,
                (segment.end_frame + 1) / 100,
                None if self.hearing else min(1.0, max(0.0, segment.prob)),
            )
            for segment in self._decoder.seg() or ()
            if segment.word[0] not in "<[+"  # sentence marks, silence, noises
        ]
        return of_words(words, language="en")

    def _adapt(self) -> None:
        """Move the mean by the block just heard, which the library has summed up with the mean it was told."""
        heard = np.array([float(number) for number in self._decoder.get_cmn(True).split(",")])
        self._sum = self._sum + (_WINDOW + FRAMES) * heard - _WINDOW * self._mean
        self._frames += FRAMES
        self._normalise(self._sum / self._frames)

    def _normalise(self, mean: NDArray[np.float64]) -> None:
        self._mean = mean
        self._decoder.set_cmn(",".join(f"{number:.6g}" for number in mean))


class PocketSphinx:
    """A StreamingEngine over a set of decoders, about 95 MB each; one more than `max_states` at most."""

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._free = [Voice()]

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """Each request as one stretch."""
        answers: list[Transcript] = []
        for request in batch:
            voice = self.open(request.options)
            try:
                answers += self.step([voice], [request.samples], [True])
            finally:
                self.close([voice])
        return answers

    def open(self, options: DecodeOptions) -> State:  # noqa: ARG002 one language, no vocabulary
        """A decoder of its own for a stretch."""
        voice = self._free.pop() if self._free else Voice()
        voice.begin()
        return voice

    def step(self, states: Sequence[State], chunks: Sequence[Samples], last: Sequence[bool]) -> list[Transcript]:
        """One after the other: the library decodes no batches."""
        answers: list[Transcript] = []
        for voice, chunk, ends in zip(states, chunks, last, strict=True):
            voice.hear(chunk)
            if ends:
                voice.end()
            answers.append(voice.transcript())
        return answers

    def close(self, states: Sequence[State]) -> None:
        """Make the decoders free for other stretches."""
        for voice in states:
            voice.end()
            self._free.append(voice)


def _models(store: Store) -> Sequence[Model]:  # noqa: ARG001 it needs no files
    """The one model, which comes with the package."""
    return (
        Model(
            name="pocketsphinx-en-us",
            aliases=("pocketsphinx",),
            family="pocketsphinx",
            installed=find_spec("pocketsphinx") is not None,
            languages=("en",),
            capabilities=Capabilities(
                languages=("en",),
                max_seconds=60.0,
                words=True,
                confidence=True,
                streams=True,
                max_states=4,
                workers=min(os.cpu_count() or 1, 4),
            ),
            licence="BSD-2-Clause",
            size_mb=100,
            quality=10,
            expect="about 10 % word errors on clear synthetic speech and 60 % on hard recordings (LibriSpeech test-other):"
            " to try things out, not for real use",
        ),
    )


def _load(model: Model, options: LoadOptions) -> StreamingEngine:  # noqa: ARG001 no precision, no device
    """Load the first decoder, which also shows that the package works."""
    if find_spec("pocketsphinx") is None:
        raise Unavailable("pocketsphinx is not installed; `pip install pocketsphinx` gets it")
    return PocketSphinx(model.capabilities)


FAMILY = Family("pocketsphinx", _models, _load)
