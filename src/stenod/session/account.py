"""Where every sample went: the ledger behind `Account`. Nothing enters it but numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from stenod.events import Account


@dataclass(slots=True)
class Ledger:
    """Each received sample is in exactly one final, dropped for a named reason, or still open."""

    received: int = 0
    final: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def receive(self, samples: int) -> None:
        """`samples` samples came in."""
        self.received += samples

    def finish(self, samples: int) -> None:
        """A final covers `samples` more samples."""
        self.final += samples

    def drop(self, samples: int, reason: str) -> None:
        """No final will cover these `samples`, because of `reason`."""
        if samples:
            self.dropped[reason] += samples

    @property
    def open(self) -> int:
        """Samples whose place is not decided."""
        return self.received - self.final - self.dropped.total()

    def balance(self) -> Account:
        """The account as it stands."""
        return Account(received=self.received, final=self.final, open=self.open, dropped=dict(self.dropped))
