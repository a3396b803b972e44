"""`stenod`: the commands in one place, and how every command fails.

Exit codes: 0 all fine, 1 it failed (one line on standard error says why), 2 it was called wrongly, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from stenod import __version__
from stenod.cli.client import client
from stenod.cli.config import config
from stenod.cli.file import file
from stenod.cli.microphone import microphone
from stenod.cli.models import app as models
from stenod.cli.serve import serve
from stenod.errors import StenodError

app = typer.Typer(
    name="stenod",
    help="A speech-to-text server.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": 100},
)
app.command("serve")(serve)
app.command("websocket", hidden=True)(serve)
app.command("file")(file)
app.command("microphone")(microphone)
app.command("client")(client)
app.command("config")(config)
app.add_typer(models, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"stenod {__version__}")
        raise typer.Exit


@app.callback()
def stenod(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn speech into text: live, and from files."""


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name="stenod")
    except* StenodError as failed:  # task groups hand on what they were left by in groups
        sys.stderr.write(f"stenod: {_first(failed).message}\n")
    except* BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on: `stenod file ... | head`
    sys.exit(1)


def _first(group: ExceptionGroup[StenodError]) -> StenodError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, ExceptionGroup) else inner
