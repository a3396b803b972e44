"""stenod: a speech-to-text server. Many wire protocols enter, one streaming core serves them, several recognisers answer.

The public door for programs: `transcribe` for a file; `CoreTranscriber` for those who bring a decoder of their own;
`Session`, the state machine itself. What a name needs is imported when it is first used: `import stenod` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stenod.core_transcriber import CoreTranscriber, StreamingConfig
    from stenod.library import transcribe
    from stenod.options import Options
    from stenod.session.core import Session
    from stenod.transcript import Transcript, Word

__version__ = "0.1.0"

__all__ = [
    "CoreTranscriber",
    "Options",
    "Session",
    "StreamingConfig",
    "Transcript",
    "Word",
    "__version__",
    "transcribe",
]

_HOMES = {
    "CoreTranscriber": "stenod.core_transcriber",
    "Options": "stenod.options",
    "Session": "stenod.session.core",
    "StreamingConfig": "stenod.core_transcriber",
    "Transcript": "stenod.transcript",
    "Word": "stenod.transcript",
    "transcribe": "stenod.library",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stenod' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
