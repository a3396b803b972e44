"""The work that a lane has done: a whole view at once, or one more step of an engine state that has heard the rest before.

The parent's books of a state are here: whose it is, where it began, what it has heard. No waiting, no scheduling.
"""

from __future__ import annotations

from dataclasses import dataclass

from stenod.engines.base import Request
from stenod.engines.child import Step
from stenod.engines.pool import Pool
from stenod.engines.work import StateLost
from stenod.jobs import Decode, Samples


class Stretch:
    """One engine state in the parent's books: whose it is, where it began, what it has heard."""

    def __init__(self, pool: Pool, number: int, origin: int) -> None:
        self.pool = pool
        self.number = number
        self.origin = origin
        """Session position of the first sample it heard."""
        self.consumed = origin
        """Session position after the last sample it heard."""
        self.generation: int | None = None
        """Of the worker that holds it; None until its first step is sent."""
        self.dead = False

    def fresh(self, job: Decode) -> Samples:
        """What of the job's view it has not heard. Raises StateLost where there is a gap between the two."""
        if self.dead or self.consumed < job.start:
            raise StateLost
        return job.samples[self.consumed - job.start :]

    def release(self) -> None:
        """Give the place in the worker back; doing it twice is harmless."""
        self.dead = True
        self.pool.release(self.number)


@dataclass(slots=True)
class Whole:
    """Work: decode the job's whole view at once."""

    job: Decode

    def prepare(self, generation: int) -> Request:  # noqa: ARG002 any worker will do
        """The request."""
        return Request(self.job.samples, self.job.options)

    def settle(self, *, answered: bool) -> None:
        """Nothing to remember."""


@dataclass(slots=True)
class Onward:
    """Work: let the stretch's state hear what is fresh in the job's view."""

    stretch: Stretch
    job: Decode

    def prepare(self, generation: int) -> Step:
        """The step; the first one opens the state. Raises StateLost where the state died with an earlier worker."""
        stretch, job = self.stretch, self.job
        chunk = stretch.fresh(job)
        opens = job.options if stretch.generation is None else None
        if opens is not None:
            stretch.generation = generation
        elif stretch.generation != generation:
            raise StateLost
        return Step(stretch.number, chunk, job.last, opens)

    def settle(self, *, answered: bool) -> None:
        """Note what was heard; a failed step has killed the state, a last one has finished it."""
        if answered:
            self.stretch.consumed = max(self.stretch.consumed, self.job.start + len(self.job.samples))
        if self.job.last or not answered:
            self.stretch.release()
