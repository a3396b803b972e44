"""`stenod file`: files in, text out. Decoding is the service's business, and writing documents the renderer's."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import anyio
import typer

from stenod.cli.flags import Config, Language, LogLevel, ModelName, loaded
from stenod.cli.logs import set_up
from stenod.cli.progress import Progress
from stenod.cli.rendering import Format, Wish, render
from stenod.errors import StenodError
from stenod.options import Options
from stenod.settings import Settings


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done with each file."""

    settings: Settings
    language: str | None
    wish: Wish

    @property
    def options(self) -> Options:
        """The options of each file's session."""
        defaults = self.settings.options()
        return replace(defaults, live=False, partials=False, decode=replace(defaults.decode, language=self.language))


def file(  # noqa: PLR0913, PLR0917 - a parameter for each flag
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Audio or video files.", show_default=False)],
    form: Annotated[Format, typer.Option("--format", help="How to write the transcription.")] = Format.TEXT,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Say when each word or sentence was said.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Write a file for each into this folder.", file_okay=False),
    ] = None,
    language: Language = None,
    model: ModelName = None,
    log_level: LogLevel = None,
    config: Config = None,
) -> None:
    """Transcribe files.

    A file that fails is reported on standard error and the others are done all the same; the exit code is then 1.
    """
    if output is None and len(paths) > 1 and form in {Format.SRT, Format.VTT}:
        raise typer.BadParameter("several files of subtitles need a folder of their own", param_hint="--output")
    found = loaded({"model.name": model, "server.log_level": log_level}, config)
    set_up(found.settings.server.log_level if "server.log_level" in found.origins else "WARNING")
    work = Work(found.settings, language, Wish(form, timestamps))
    if anyio.run(_all, work, paths, _targets(paths, output, form)):
        raise typer.Exit(1)


def _targets(paths: Sequence[Path], output: Path | None, form: Format) -> list[Path | None]:
    """Where each file's document goes; None: to standard output. Files of one name but several kinds keep their kind."""
    if output is None:
        return [None] * len(paths)
    stems = Counter(path.stem for path in paths)
    names = [(path.stem if stems[path.stem] == 1 else path.name) + form.suffix for path in paths]
    for name, count in Counter(names).items():
        if count > 1:
            raise typer.BadParameter(f"{count} of the files would be written to {name}", param_hint="--output")
    output.mkdir(parents=True, exist_ok=True)
    return [output / name for name in names]


async def _all(work: Work, paths: Sequence[Path], targets: Sequence[Path | None]) -> int:
    """Transcribe the files in order; answers how many failed."""
    from stenod.service import Service  # noqa: PLC0415 - heavy, and `--help` has no need of it

    failed = 0
    async with Service(work.settings) as service:
        for path, target in zip(paths, targets, strict=True):
            try:
                with Progress(path.name) as progress:
                    done = await service.transcribe(path, options=work.options, progress=progress)
                language = done.language or work.language
                document = render(done.segments, seconds=done.duration, language=language, wish=work.wish)
                if target is not None:
                    target.write_text(document, encoding="utf-8")
            except (StenodError, OSError) as error:
                failed += 1
                sys.stderr.write(f"{path}: {_reason(error)}\n")
            else:
                if target is None:
                    heading = f"==> {path} <==\n" if len(paths) > 1 and work.wish.format is Format.TEXT else ""
                    sys.stdout.write(heading + document)
                    sys.stdout.flush()
    return failed


def _reason(error: StenodError | OSError) -> str:
    return error.message if isinstance(error, StenodError) else (error.strerror or str(error)).lower()
