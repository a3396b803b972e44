"""Drives the pure session: commands through the intake into it, its jobs to the recogniser, its events to the outbox.

One runner is one connection's worth of sessions: one as a rule, one a channel where channels are kept apart. All of it
runs in one event loop and `Session.feed` never waits, so there is nothing to lock. The wall clock lives here and nowhere
below.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream

from stenod.errors import EngineFailed, StenodError
from stenod.events import Audio, Clear, Command, Commit, Configure, End, Event, Fail, Final, Warned
from stenod.jobs import (
    Analyze,
    Answer,
    Decode,
    Decoded,
    Diarize,
    Frame,
    Insight,
    Labelled,
    Lane,
    Recognizer,
    Shed,
    Stalled,
    Withdraw,
)
from stenod.options import AudioFormat, Options
from stenod.session.core import Input, Output, Session
from stenod.session.outbox import Entry, Outbox


class Ears(Protocol):
    """The intake: bytes to frames, a list of them for each channel."""

    @property
    def more(self) -> bool:
        """Whether what was heard holds more frames than were given: hear no bytes, to get them."""
        ...

    async def hear(self, data: bytes) -> list[list[Frame]]:
        """The frames that `data` completes."""
        ...

    async def cut(self, *, last: bool = False) -> list[list[Frame]]:
        """Everything received so far, the last frame short; `last`: no more will be heard."""
        ...

    async def reformat(self, audio_format: AudioFormat) -> list[list[Frame]]:
        """The format holds from the next byte; what was received so far."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds one connection."""

    behind: float = 30.0
    """Seconds of finished audio that may wait for its decode before no more is read."""
    unread: int = 2000
    """Events kept for a client that does not read."""
    stall: float | None = None
    """Seconds without audio, in the middle of speech, after which the utterance is taken to be over."""


class Runner:
    """The sessions of one connection, from the first command to the last event."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it is made of
        self,
        recognizer: Recognizer,
        ears: Callable[[Options], Ears],
        defaults: Options,
        limits: Limits,
        outbox: Outbox,
        origin: float = 0.0,
    ) -> None:
        self._recognizer = recognizer
        self._make_ears = ears
        self._options = defaults
        self._limits = limits
        self._outbox = outbox
        self._origin = origin
        self._sessions: list[Session] = []
        self._lanes: list[Lane] = []
        self._ears: Ears | None = None
        self._progress = anyio.Event()
        self._abandoned = False

    async def run(self, commands: MemoryObjectReceiveStream[Command]) -> None:
        """Work until every session has ended. What a client does wrong becomes events; a client that left cancels."""
        async with AsyncExitStack() as lanes, anyio.create_task_group() as tasks, commands:
            tasks.start_soon(self._watch, tasks)
            await self._pump(commands, tasks, lanes)

    async def _watch(self, tasks: TaskGroup) -> None:
        """Stop everything when there is nothing left to do."""
        while not self._over:
            await self._progress.wait()
        tasks.cancel_scope.cancel()

    @property
    def _over(self) -> bool:
        return self._abandoned or (bool(self._sessions) and all(session.finished for session in self._sessions))

    def _progressed(self) -> None:
        """Wake whoever waits for something to have changed."""
        self._progress.set()
        self._progress = anyio.Event()

    # ---------------------------------------------------------------------------------------------------- commands

    async def _pump(
        self, commands: MemoryObjectReceiveStream[Command], tasks: TaskGroup, lanes: AsyncExitStack
    ) -> None:
        while True:
            command: Command | None = None
            with anyio.move_on_after(self._limits.stall):
                command = await commands.receive()
            if isinstance(command, Audio):
                await self._caught_up()
            try:
                await self._take(command, tasks, lanes)
            except StenodError as error:
                if not self._sessions:
                    await self._start(self._options, lanes)  # so that there is somebody to tell it
                self._feed_all(Fail(error.code, error.message, fatal=True), tasks)

    async def _caught_up(self) -> None:
        """Wait while too much finished audio is undecoded."""
        while any(session.undecoded > self._limits.behind for session in self._sessions):
            await self._progress.wait()

    async def _take(self, command: Command | None, tasks: TaskGroup, lanes: AsyncExitStack) -> None:
        """Carry out one command; None says that there was none for a while."""
        if isinstance(command, Configure):
            await self._configure(command, tasks, lanes)
            return
        if not self._sessions:
            if command is None:
                return
            await self._start(self._options, lanes)
        assert self._ears is not None  # noqa: S101 - started
        match command:
            case Audio(data):
                self._feed_frames(await self._ears.hear(data), tasks)
                while self._ears.more:
                    await self._caught_up()
                    self._feed_frames(await self._ears.hear(b""), tasks)
            case Commit() | Clear() | End() | None:
                self._feed_frames(await self._ears.cut(last=isinstance(command, End)), tasks)
            case _:
                pass
        channel = command.channel if isinstance(command, Commit) else None
        item: Input = Stalled() if command is None else command
        for index in range(len(self._sessions)) if channel is None else [channel]:
            if index < len(self._sessions):
                self._feed(index, item, tasks)

    async def _configure(self, command: Configure, tasks: TaskGroup, lanes: AsyncExitStack) -> None:
        first = not self._sessions
        try:
            options, warnings = self._settle(command.options)
        except StenodError as error:
            if first:
                await self._start(self._options, lanes)
            self._feed_all(Fail(error.code, error.message, fatal=first), tasks)
            return
        if self._ears is None:
            await self._start(options, lanes)
        elif options.format != self._options.format:
            self._feed_frames(await self._ears.reformat(options.format), tasks)
        self._options = options
        self._feed_all(Configure(options, command.ignored), tasks)
        for warning in warnings:
            self._say(0, warning)

    def _settle(self, wanted: Options) -> tuple[Options, list[Warned]]:
        """What is wanted as it can be had here, and how that differs. Raises ModelNotFound, BadRequest."""
        warnings: list[Warned] = []
        resolved = self._recognizer.resolve(wanted)
        asked = resolved.instead_of
        if asked is not None:
            message = f"The model {asked[:80]!r} is not available here; {resolved.model!r} takes its place."
            warnings.append(Warned("model_fallback", message, {"asked": asked, "given": resolved.model}))
        warnings += [Warned(code, message) for code, message in resolved.warnings]
        if wanted.diarize:
            warnings.append(Warned("diarization_unavailable", "Speaker diarization is not installed."))
        if wanted.analyze:
            warnings.append(Warned("insights_unavailable", "Insights are not installed."))
        given = replace(
            wanted,
            decode=replace(wanted.decode, model=resolved.model),
            drafts=resolved.drafts,
            word_times=resolved.words,
            max_utterance=min(wanted.max_utterance, resolved.max_seconds),
            diarize=False,
            analyze=False,
        )
        return given, warnings

    async def _start(self, options: Options, lanes: AsyncExitStack) -> None:
        """Make the intake, and a session and a lane for each channel."""
        self._ears = self._make_ears(options)
        lanes.push_async_callback(self._ears.close)
        channels = options.format.channels if options.format.split else 1
        for _ in range(channels):
            self._lanes.append(await lanes.enter_async_context(self._recognizer.lane()))
            self._sessions.append(Session(options, origin=self._origin))

    # ------------------------------------------------------------------------------------------------------ feeding

    def _feed_frames(self, channels: list[list[Frame]], tasks: TaskGroup) -> None:
        for index, frames in enumerate(channels):
            for frame in frames:
                self._feed(index, frame, tasks)

    def _feed_all(self, item: Input, tasks: TaskGroup) -> None:
        for index in range(len(self._sessions)):
            self._feed(index, item, tasks)

    def _feed(self, index: int, item: Input, tasks: TaskGroup) -> None:
        outputs = self._sessions[index].feed(item)
        untold = [output.start for output in outputs if isinstance(output, Final)]
        for output in outputs:
            if isinstance(output, Final):
                del untold[0]
            self._carry_out(index, output, tasks, settled=min(untold, default=math.inf))
        self._progressed()

    def _carry_out(self, index: int, output: Output, tasks: TaskGroup, *, settled: float) -> None:
        match output:
            case Decode():
                tasks.start_soon(self._decode, index, output, tasks)
            case Withdraw(stretch):
                tasks.start_soon(self._lanes[index].withdraw, stretch)
            case Diarize(utterance):
                missing = EngineFailed("Speaker diarization is not installed.", code="diarization_unavailable")
                self._feed(index, Labelled(utterance, missing), tasks)
            case Analyze():
                missing = EngineFailed("Insights are not installed.", code="insights_unavailable")
                self._feed(index, Insight("summary", missing), tasks)
            case _:
                self._say(index, output, settled)

    async def _decode(self, index: int, job: Decode, tasks: TaskGroup) -> None:
        asked = time.perf_counter()
        result: Answer | Shed | StenodError
        try:
            result = await self._lanes[index].decode(job)
        except StenodError as error:
            result = error
        self._feed(index, Decoded(job.job, result, time.perf_counter() - asked), tasks)

    def _say(self, index: int, event: Event, settled: float = math.inf) -> None:
        """`settled`: seconds up to which nothing is still to be said, where several finals come at once."""
        session = self._sessions[index]
        if not self._outbox.put(Entry(event, index, min(settled, session.acked), session.lag)):
            self._abandoned = True
            self._progressed()
