"""Live text for a person: in a terminal the growing line is rewritten, elsewhere everything is a line of its own."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text


class Display:
    """Where finals and partials appear. A context manager, used from one task.

    Finals are lines of standard output, notes and errors lines of standard error. Where standard output is no terminal,
    partials are lines too, marked with `~`.
    """

    def __init__(self, *, partials: bool = True) -> None:
        self._partials = partials
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if sys.stdout.isatty() else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()

    def partial(self, text: str, stable: int = 0) -> None:
        """The utterance as it looks now; its first `stable` characters will stay."""
        if self._live is not None:
            self._live.update(Text(text[:stable]) + Text(text[stable:], style="dim"), refresh=True)
        elif self._partials and text:
            _line(f"~ {text}")

    def final(self, text: str) -> None:
        """What will not change any more."""
        if self._live is not None:
            self._live.update("", refresh=True)
        if text:
            self._say(text)

    def note(self, text: str) -> None:
        """Something beside the text."""
        sys.stderr.write(f"{text}\n")

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._console.print(Text(text))
        else:
            _line(text)


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
