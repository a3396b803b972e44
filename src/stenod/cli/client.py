"""`stenod client`: talks to a running server, ours or another of the same dialect, as its users would.

One stream with live text, many of them under stress, a check of latencies, or a walk over the HTTP endpoints. Here are the
flags; what is done is in `streams`, `latency` and `endpoints`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import typer

from stenod.cli.addresses import site
from stenod.cli.dialect import Wish
from stenod.cli.dialects import DIALECTS, Name
from stenod.cli.endpoints import table, visits
from stenod.cli.flags import Language

DURATION = 5.0
"""Seconds of tones where nothing is said of the audio."""


def client(  # noqa: PLR0913, PLR0917 - a parameter for each flag
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where the server is: host:port, or a URL of http, https, ws or wss.")
    ] = "localhost:8000",
    protocol: Annotated[Name, typer.Option("--protocol", help="The dialect to speak.")] = Name.WS,
    audio: Annotated[
        Path | None,
        typer.Option("--audio", metavar="PATH", help="Stream this file, of any container.", show_default=False),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration",
            metavar="SECONDS",
            min=0.1,
            help=f"Without a file: so many seconds of tones, or of the microphone. [default: {DURATION:g} of tones]",
            show_default=False,
        ),
    ] = None,
    microphone: Annotated[
        bool, typer.Option("--microphone", help="Stream what is spoken, until Ctrl-C or --duration.")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Ask for this model.")] = None,
    variant: Annotated[
        str | None, typer.Option("--variant", metavar="NAME", help="Ask for this variant of it (tldw, core).")
    ] = None,
    language: Language = None,
    token: Annotated[
        str | None,
        typer.Option("--token", metavar="KEY", help="The key that the server wants.", envvar="STENOD_SERVER_API_KEY"),
    ] = None,
    pace: Annotated[
        float,
        typer.Option("--pace", metavar="FACTOR", min=0, help="Times as fast as spoken; 0: as the server takes it."),
    ] = 1.0,
    stress: Annotated[
        int | None,
        typer.Option("--stress", metavar="N", min=1, max=1000, help="Open N streams at once; print the latencies."),
    ] = None,
    check_latency: Annotated[
        bool,
        typer.Option("--check-latency", help="Print latencies; fail unless partials take < 300 and finals < 600 ms."),
    ] = False,
    check_endpoints: Annotated[
        bool, typer.Option("--check-endpoints", help="Ask every HTTP endpoint of the server once; fail if one does.")
    ] = False,
) -> None:
    """Stream audio to a running server and show what it hears, live."""
    if check_endpoints:
        _check_endpoints(url, token)
        return
    if audio is not None and (microphone or duration is not None):
        raise typer.BadParameter("a file needs neither --microphone nor --duration", param_hint="--audio")
    if microphone and stress is not None:
        raise typer.BadParameter("one microphone is one stream", param_hint="--stress")
    from stenod.cli import latency, streams  # noqa: PLC0415 - heavy, and `--help` has no need of it

    dialect = DIALECTS[protocol](Wish(model=model, variant=variant, language=language, token=token))
    seconds = duration if microphone else duration or DURATION
    work = streams.Work(url=url, dialect=dialect, audio=audio, seconds=seconds, microphone=microphone, pace=pace)
    takes, failures = anyio.run(streams.many, work, stress) if stress else ([anyio.run(streams.one, work)], [])
    fine = not failures and not any(take.of("error") for take in takes)
    if stress:
        for line in streams.report(takes, failures):
            typer.echo(line)
    if stress or check_latency:
        found = latency.measure(takes)
        for line in latency.table(found):
            typer.echo(line)
        for passed, line in latency.verdict(found) if check_latency else ():
            typer.echo(f"{'PASS' if passed else 'FAIL'}: {line}")
            fine &= passed
    if not fine:
        raise typer.Exit(1)


def _check_endpoints(url: str, token: str | None) -> None:
    rows = list(visits(site(url), token))
    for line in table(rows):
        typer.echo(line)
    if not all(row.passed for row in rows):
        raise typer.Exit(1)
