"""From a folder to an engine: the precision, the sessions, the front-end that fits them."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from stenod.decoding.features import LogMel
from stenod.decoding.transducer import MOST
from stenod.engines.base import LoadOptions, Model
from stenod.engines.parakeet_onnx.engine import Ctc, Engine, Parts, Transducer
from stenod.engines.parakeet_onnx.layouts import Layout, vocabulary
from stenod.engines.parakeet_onnx.networks import Encoder, decoder
from stenod.engines.parakeet_onnx.precision import choose
from stenod.engines.parakeet_onnx.runtime import Runtime
from stenod.errors import Unavailable

WINDOWS: Final = {64: 0.02}
"""Seconds of the analysis window by mel bands, where NeMo's models have other than 25 ms: QuartzNet and Jasper."""

SHARED: Final = {"cpu": 6_000}
"""Frames of features that may share a run of the encoder: more gains nothing on a processor, and takes memory."""

SHARED_ON_GPU: Final = 100_000


def load(found: Layout, model: Model, options: LoadOptions) -> Engine:
    """The engine of the model in a folder. Raises Unavailable."""
    tokens = vocabulary(found.vocabulary)
    runtime = Runtime.of(options)
    factor = found.config.get("subsampling_factor")
    given = int(factor) if isinstance(factor, int) and factor > 0 else None

    def trial(precision: str) -> float:
        """Seconds that the encoder takes for five seconds of silence."""
        encoder = Encoder(runtime.session(found.forms[precision].encoder), given)
        silence, frames = np.zeros((1, encoder.bands, 512), np.float32), np.array([500])
        took = []
        for _ in range(4):
            began = time.perf_counter()
            encoder(silence, frames)
            took.append(time.perf_counter() - began)
        return min(took[1:])

    form = found.forms[choose(found, options.precision, runtime.device, trial)]
    encoder = Encoder(runtime.session(form.encoder), given)
    window = found.config.get("window_size", WINDOWS.get(encoder.bands, 0.025))
    front = LogMel(encoder.bands, float(window))
    language = model.languages[0] if len(model.languages) == 1 and model.languages[0] != "*" else None
    parts = Parts(model.capabilities, encoder, front, tokens, language)
    engine: Engine
    if form.decoder:
        networks = decoder(runtime, form.decoder)
        if networks.classes < len(tokens):
            raise Unavailable(f"{found.vocabulary.name} has more tokens than the model; pull the model again")
        most = found.config.get("max_tokens_per_step", MOST)
        engine = Transducer(parts, networks, int(most))
    else:
        engine = Ctc(parts)
    engine.time_encoder(SHARED.get(runtime.device, SHARED_ON_GPU))
    return engine
