"""Where logging is set up, once: plain lines on standard error. Only commands call it."""

from __future__ import annotations

import logging
import sys

LAYOUT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS = ("stenod", "uvicorn")


class OneLine(logging.Formatter):
    """A message is one line, whatever a client put into it; only a traceback below it takes more."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging names it
        """Format the line, with control characters made visible."""
        line = super().formatMessage(record)
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def set_up(level: str) -> None:
    """Log stenod and its web server at `level`, everything else from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(LAYOUT))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
