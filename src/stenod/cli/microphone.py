"""`stenod microphone`: what is spoken, as text, live. No server: the service in this process does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import anyio
import typer

from stenod.cli.display import Display
from stenod.cli.flags import Config, Language, LogLevel, ModelName, loaded
from stenod.cli.interrupts import stopping
from stenod.cli.logs import set_up
from stenod.cli.rendering import stamped
from stenod.errors import StenodError
from stenod.events import Audio, Configure, End, Failed, Final, Partial, Warned
from stenod.options import AudioFormat, Encoding
from stenod.settings import Settings


def microphone(  # noqa: PLR0913, PLR0917 - a parameter for each flag
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Say when each sentence was said.")] = False,
    duration: Annotated[
        float | None, typer.Option("--duration", metavar="SECONDS", min=0.1, help="Listen so long; else until Ctrl-C.")
    ] = None,
    language: Language = None,
    model: ModelName = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Transcribe what is spoken into the microphone, until Ctrl-C.

    In a terminal the sentence being spoken is shown as it grows; otherwise each finished one is a line.
    """
    found = loaded({"model.name": model, "server.log_level": log_level}, config)
    set_up(found.settings.server.log_level if "server.log_level" in found.origins else "WARNING")
    anyio.run(_listen, found.settings, language, timestamps, duration)


async def _listen(settings: Settings, language: str | None, timestamps: bool, duration: float | None) -> None:
    from stenod.cli import sources  # noqa: PLC0415 - heavy, and `--help` has no need of it
    from stenod.service import Service  # noqa: PLC0415 - likewise
    from stenod.session.sessions import Handle, SessionClosed  # noqa: PLC0415 - likewise

    async def speak(handle: Handle, stop: anyio.Event) -> None:
        defaults = settings.options()
        decode = replace(defaults.decode, language=language or defaults.decode.language)
        try:
            await handle.send(Configure(replace(defaults, format=AudioFormat(encoding=Encoding.F32LE), decode=decode)))
            async for chunk in sources.microphone(stop, duration):
                await handle.send(Audio(chunk.tobytes()))
            await handle.send(End())
        except SessionClosed:
            pass  # it has told its reader why

    stop = anyio.Event()
    async with Service(settings) as service, anyio.create_task_group() as tasks, stopping(stop):
        handle = service.sessions.open(settings.options())
        tasks.start_soon(speak, handle, stop)
        with Display(partials=False) as display:
            async for event, _ in handle.events():
                match event:
                    case Partial(transcript=transcript, stable=stable):
                        display.partial(transcript.text, stable)
                    case Final():
                        for line in stamped([event]) if timestamps else [event.transcript.text]:
                            display.final(line)
                    case Warned(message=message):
                        display.note(f"note: {message}")
                    case Failed(message=message, code=code):
                        raise StenodError(message, code=code)
                    case _:
                        pass
