"""What `stenod client` does with streams: one that is shown as it comes, or many at once, which are counted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio

from stenod.cli import sources
from stenod.cli.dialect import CHUNK, Dialect, Said
from stenod.cli.display import Display
from stenod.cli.interrupts import stopping
from stenod.cli.streaming import Take, stream
from stenod.errors import StenodError
from stenod.jobs import Samples
from stenod.options import RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is streamed where."""

    url: str
    dialect: Dialect
    audio: Path | None
    """A file; without one, `seconds` of tones or of the microphone."""
    seconds: float | None
    microphone: bool
    pace: float

    def chunks(self, stop: anyio.Event) -> AsyncGenerator[Samples]:
        """The audio, from its beginning; `stop` ends what is spoken."""
        if self.audio is not None:
            return sources.file(self.audio)
        if self.microphone:
            return sources.microphone(stop, self.seconds)
        return sources.tones(self.seconds or 0.0)

    async def stream(self, tell: Callable[[Said], None], stop: anyio.Event) -> Take:
        """Once through."""
        pace = 0 if self.microphone else self.pace  # speech has a pace of its own
        return await stream(self.url, self.dialect, self.chunks(stop), pace=pace, tell=tell)


async def one(work: Work) -> Take:
    """One stream, shown as it comes."""
    stop = anyio.Event()
    with Display() as display:

        def tell(said: Said) -> None:
            match said.kind:
                case "partial":
                    display.partial(said.text)
                case "final":
                    display.final(said.text)
                case "note" | "error":
                    display.note(f"{said.kind}: {said.text}")
                case "over":
                    pass

        if not work.microphone:
            return await work.stream(tell, stop)
        async with stopping(stop):
            return await work.stream(tell, stop)


async def many(work: Work, count: int) -> tuple[list[Take], list[str]]:
    """Several streams of the same audio; gives those that came to their end, and why the others did not."""
    takes: list[Take] = []
    failures: list[str] = []

    async def each() -> None:
        try:
            takes.append(await work.stream(lambda _: None, anyio.Event()))
        except* StenodError as failed:
            failures.append(_first(failed).message)

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(each)
    return takes, failures


def report(takes: list[Take], failures: list[str]) -> Iterator[str]:
    """What became of many streams, line by line."""
    errors = [heard.said.text for take in takes for heard in take.of("error")]
    yield f"streams: {len(takes) + len(failures)}, failed: {len(failures)}, errors told: {len(errors)}"
    for reason in sorted({*failures, *errors}):
        yield f"  {(failures + errors).count(reason)} x {reason}"
    yield f"distinct transcripts: {len({take.text for take in takes})}"
    late = max((take.late for take in takes), default=0.0)
    if late > CHUNK / RATE:
        yield f"this machine was up to {1000 * late:.0f} ms late in sending, which is part of what follows"


def _first(group: BaseExceptionGroup[StenodError]) -> StenodError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
