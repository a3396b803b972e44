"""The composition root without sockets: recogniser, voice activity detector and sessions, put together from the settings.

The server attaches its doors to it, the command line and the library call it directly. Nothing here speaks a protocol.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from stenod.audio.files import AudioReader, open_audio
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import Registry
from stenod.errors import StenodError
from stenod.events import Audio, Configure, End, Failed, Final
from stenod.intake import Intake
from stenod.models.hub import Hub
from stenod.options import Options
from stenod.refine.words import Segment, segments
from stenod.session.runner import Ears, Limits
from stenod.session.sessions import Handle, SessionClosed, Sessions
from stenod.settings import Settings
from stenod.transcript import join
from stenod.upkeep import Upkeep
from stenod.vad.base import Vad
from stenod.vad.energy import Energy
from stenod.vad.scorer import Scorer
from stenod.vad.silero import Silero

Source: TypeAlias = bytes | BinaryIO | str | PathLike[str]
Progress: TypeAlias = Callable[[float, float | None], None]
"""Called with the seconds transcribed so far, and the seconds there are where the file says so."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What a whole file says."""

    text: str
    segments: tuple[Segment, ...]
    """Sentence by sentence, where the engine tells sentences, and parted at pauses."""
    language: str | None
    duration: float
    """Seconds of audio."""


class Service:
    """Everything that transcribes, ready to be used inside `async with`.

    `lasting`: for a server, which notices new models, and fetches a better one where the settings allow that.
    """

    def __init__(self, settings: Settings, *, lasting: bool = False) -> None:
        self.settings = settings
        self.recognizer = LocalRecognizer(
            Registry.installed(settings.store()),
            model=settings.model.name,
            others=settings.model.others,
            drafts=settings.model.drafts,
            load=settings.load_options(),
            workers=settings.model.workers,
            processing_timeout=settings.model.processing_timeout,
            idle_unload=settings.model.idle_unload,
            crowded_interval=settings.stream.crowded_interval,
        )
        self.upkeep = Upkeep(
            self.recognizer,
            settings.model.name,
            settings.store(),
            drafts=settings.model.drafts,
            lasting=lasting,
            hub=Hub.of(os.environ) if settings.model.fetch == "auto" else None,
            precision=settings.model.precision,
            device=settings.model.device,
        )
        self._scorer = Scorer(_detector(settings.endpointing.vad))
        self.sessions = Sessions(
            self.recognizer,
            self._ears,
            defaults=self.options(),
            limits=Limits(
                behind=settings.stream.max_behind,
                unread=settings.stream.max_unread,
                stall=settings.stream.stall or None,
            ),
        )
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.recognizer)
            await stack.enter_async_context(self._scorer)
            await stack.enter_async_context(self.sessions)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            self._tasks.start_soon(self.upkeep.run)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()
        return await self._stack.__aexit__(kind, error, trace)

    @property
    def ready(self) -> bool:
        """Whether the default model is loaded."""
        return self.upkeep.ready

    @property
    def failure(self) -> str | None:
        """Why the default model could not be loaded, if so."""
        return self.upkeep.failure

    @property
    def load_seconds(self) -> float | None:
        """What loading it took."""
        return self.upkeep.load_seconds

    def options(self) -> Options:
        """What a session does where its client says nothing."""
        return self.settings.options()

    async def transcribe(
        self, source: Source, *, options: Options | None = None, progress: Progress | None = None
    ) -> Transcription:
        """Transcribe a whole file: a path, an open binary file, or its bytes.

        Raises BadAudio where it is none, BadRequest or ModelNotFound where `options` ask for what is not to be had, and
        EngineFailed where a part of it could not be decoded.
        """
        handle = self.sessions.open(options, stall=math.inf)
        finals: list[Final] = []
        duration: list[float | None] = [None]
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(self._play, handle, source, options=options, told=duration))
                async for event, _ in handle.events():
                    if isinstance(event, Failed):
                        raise StenodError(event.message, code=event.code)
                    if not isinstance(event, Final):
                        continue
                    finals.append(event)
                    if progress is not None:
                        progress(event.end, duration[0])
        except ExceptionGroup as group:
            raise _only(group) from None
        finally:
            handle.detach()
        whole = join(final.transcript for final in finals)
        return Transcription(whole.text, tuple(segments(finals)), whole.language, finals[-1].end if finals else 0.0)

    async def _play(self, handle: Handle, source: Source, *, options: Options | None, told: list[float | None]) -> None:
        """Feed a file into a session, as fast as it takes it, and end it; `told[0]` receives its duration if it has one."""
        reader = await anyio.to_thread.run_sync(open_audio, source)
        try:
            told[0] = reader.duration
            base = replace(options or self.options(), live=False, partials=False)
            await handle.send(Configure(replace(base, format=replace(reader.format, split=base.format.split))))
            chunks = reader.chunks()
            while chunk := await anyio.to_thread.run_sync(_next, chunks):
                await handle.send(Audio(chunk))
            await handle.send(End())
        except SessionClosed:
            pass  # it has told its reader why
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_close, reader)

    def _ears(self, options: Options) -> Ears:
        return Intake(options.format, self._scorer)


def _detector(name: str) -> Vad:
    return Energy() if name == "energy" else Silero()


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


def _close(reader: AudioReader) -> None:
    reader.__exit__(None, None, None)


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that a client can understand."""
    matched, rest = group.split(StenodError)
    error: BaseException = matched if matched is not None else rest or group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
