"""stenod as a library: what a program calls that wants text and no server."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

from stenod.service import Service, Source, Transcription
from stenod.settings import load_settings


def transcribe(source: Source, *, model: str = "auto", language: str | None = None) -> Transcription:
    """Transcribe a file (a path, an open binary file, or its bytes), with the settings of the environment.

    Blocks, and starts a recogniser for this call: for many files use the command `stenod file`, or a server. Raises
    BadAudio, BadRequest, ModelNotFound, EngineFailed (all StenodError).
    """
    return anyio.run(partial(_transcribe, source, model=model, language=language))


async def _transcribe(source: Source, *, model: str, language: str | None) -> Transcription:
    settings = load_settings({"model.name": model}, environ=os.environ, directory=Path.cwd())
    async with Service(settings) as service:
        options = service.options()
        return await service.transcribe(
            source, options=replace(options, decode=replace(options.decode, language=language))
        )
