"""Streaming NeMo transducers through sherpa-onnx: cache-aware FastConformer, and parakeet-unified in chunks. CPU.

`layout` tells a folder that holds one and what it can do, `words` makes words of tokens, `engine` steps over the audio.
The heavy import (sherpa_onnx) happens in the worker, when a model is loaded.
"""

from __future__ import annotations

from stenod.engines.base import Family
from stenod.engines.shelf import shelf
from stenod.engines.streaming.engine import load
from stenod.engines.streaming.layout import adopt, capabilities

__all__ = ["FAMILY"]

FAMILY = Family("streaming", shelf("streaming", lambda one: capabilities(one.languages)), load, adopt)
