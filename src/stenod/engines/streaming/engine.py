"""The streaming engine: many streams, one `decode_streams` for all that have audio enough. Blocking; nothing of sessions.

What a stream answers depends on its own audio alone, not on how it was cut, nor on the company it was decoded in: chunks
are the model's own, counted from the stream's first sample. (Not quite so in int8, where the activations of a batch are
quantized as one.)

Paper: Noroozi et al., "Stateful Conformer with Cache-based Inference for Streaming Automatic Speech Recognition", 2023.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from stenod.engines.base import Capabilities, LoadOptions, Model, Request, State, StreamingEngine
from stenod.engines.streaming.layout import PRECISIONS, Layout, files, read
from stenod.engines.streaming.words import ENDS, EOU, Token, transcript
from stenod.errors import Unavailable
from stenod.jobs import Samples
from stenod.options import RATE, DecodeOptions
from stenod.transcript import Transcript

FRAME: Final = 0.01
"""Seconds of a feature frame."""

TAIL: Final = 0.32
"""Seconds of silence put behind the end of a stretch, besides what fills the last chunk: transducers say a word a little
after it was spoken."""


@dataclass(slots=True, eq=False)
class Stream:
    """One stretch: sherpa-onnx's stream, and what it has said up to its last reset."""

    handle: Any
    language: str | None
    said: list[Token] = field(default_factory=list)


class SherpaStreaming:
    """A StreamingEngine over sherpa-onnx's OnlineRecognizer."""

    def __init__(self, recognizer: Any, layout: Layout, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self._recognizer = recognizer
        self._layout = layout
        self._frame = layout.numbers["subsampling_factor"] * FRAME
        self._turns = EOU in layout.vocabulary
        self._lead = _silence(layout.lead * FRAME)
        self._tail = _silence(layout.chunk * FRAME + TAIL)

    def transcribe(self, batch: Sequence[Request]) -> list[Transcript]:
        """Each request as one stretch, all of them side by side."""
        states = [self.open(request.options) for request in batch]
        try:
            return self.step(states, [request.samples for request in batch], [True] * len(batch))
        finally:
            self.close(states)

    def open(self, options: DecodeOptions) -> State:
        """A stream of its own; a model that is told the language is told this one's."""
        handle = self._recognizer.create_stream()
        language = options.language
        if self._layout.languages:
            handle.set_option("language", language or "auto")
        elif language is None:
            (language,) = self.capabilities.languages[:1]
        handle.accept_waveform(RATE, self._lead)
        return Stream(handle, language)

    def step(self, states: Sequence[State], chunks: Sequence[Samples], last: Sequence[bool]) -> list[Transcript]:
        """See StreamingEngine."""
        for stream, chunk, ends in zip(states, chunks, last, strict=True):
            stream.handle.accept_waveform(RATE, chunk.tolist())
            if ends:
                stream.handle.accept_waveform(RATE, self._tail)
                stream.handle.input_finished()
        while ready := [stream for stream in states if self._recognizer.is_ready(stream.handle)]:
            self._recognizer.decode_streams([stream.handle for stream in ready])
            if self._turns:
                for stream in ready:
                    self._begin_anew(stream)
        return [self._transcript(stream) for stream in states]

    def close(self, states: Sequence[State]) -> None:
        """Drop the streams, and their caches with them."""
        for stream in states:
            stream.handle = None

    def _begin_anew(self, stream: Stream) -> None:
        """After the end of an utterance the decoder would stay silent for ever: it was trained to be reset there."""
        tokens = self._tokens(stream)
        if any(token.text in ENDS for token in tokens):
            stream.said += tokens
            self._recognizer.reset(stream.handle)

    def _tokens(self, stream: Stream) -> list[Token]:
        """What was said since the last reset."""
        result = self._recognizer.get_result_all(stream.handle)
        times, logs = result.timestamps, result.ys_probs
        chances = [math.exp(min(0.0, log)) for log in logs] if len(logs) == len(times) else [None] * len(times)
        said = zip(result.tokens, times, chances, strict=False)  # tokens that are unknown have a time and no text
        return [Token(text, result.start_time + at, chance) for text, at, chance in said]

    def _transcript(self, stream: Stream) -> Transcript:
        tokens = [*stream.said, *self._tokens(stream)]
        return transcript(tokens, frame=self._frame, language=stream.language, turns=self._turns)


def load(model: Model, options: LoadOptions) -> StreamingEngine:
    """See Family. Raises Unavailable."""
    if find_spec("sherpa_onnx") is None:
        raise Unavailable(f"the model {model.name!r} needs a package; `pip install 'stenod[streaming]'` gets it")
    from sherpa_onnx import OnlineRecognizer  # noqa: PLC0415 heavy

    place = Path(dict(model.params)["directory"])
    wanted = PRECISIONS if options.precision == "auto" else (options.precision,)
    precision = next((one for one in wanted if files(place, one) is not None), None)
    if precision is None:
        there = [one for one in PRECISIONS if files(place, one) is not None]
        raise Unavailable(f"the model {model.name!r} is here as {' and '.join(there) or 'nothing'}, not as {wanted[0]}")
    try:
        layout = read(place, precision)
        recognizer = OnlineRecognizer.from_transducer(
            **{part: str(file) for part, file in layout.files.items()},
            num_threads=options.threads or max(1, (os.cpu_count() or 1) // model.capabilities.workers),
        )
    except Unavailable as error:
        raise Unavailable(f"the model {model.name!r} is damaged: {error.message}") from error
    except (RuntimeError, ValueError, OSError) as error:
        raise Unavailable(f"the model {model.name!r} is damaged: a file of it cannot be read") from error
    return SherpaStreaming(recognizer, layout, model.capabilities)


def _silence(seconds: float) -> list[float]:
    return np.zeros(round(seconds * RATE)).tolist()
