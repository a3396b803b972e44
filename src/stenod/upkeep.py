"""Which model is served, kept at its best while the server runs: loaded, replaced where it does not load, or by a better.

A better one is fetched in the background where none of the Parakeet family is here, or was put there by somebody else. It is
loaded and warm before any session gets it; sessions keep the model they began with. Knows no protocol and no socket.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import anyio
import anyio.to_thread

from stenod.engines.base import Model
from stenod.engines.recognizer import LocalRecognizer
from stenod.engines.registry import AUTO
from stenod.errors import StenodError
from stenod.models import background
from stenod.models.hub import Hub
from stenod.models.store import Store
from stenod.options import DecodeOptions

log = logging.getLogger(__name__)

BEST: Final = "parakeet-tdt-0.6b-v3"
"""What is fetched where nobody chose: the checkpoint that hears most languages."""

FAMILY: Final = "parakeet-"
"""How the names of the engines begin that read a Parakeet."""

LOOK: Final = 5.0
"""Seconds between two looks at the folder of models."""


class Upkeep:
    """Keeps the model `name` (`auto`, or as configured) of a recogniser. `run` it inside the recogniser's `async with`.

    `drafts` names the model for partials, where that is another one. `lasting`: it goes on after the first load, and `hub`,
    where there is one, is asked for a better model.
    """

    def __init__(  # noqa: PLR0913 each a matter of its own, by name
        self,
        recognizer: LocalRecognizer,
        name: str,
        store: Store,
        *,
        drafts: str | None = None,
        lasting: bool = False,
        hub: Hub | None = None,
        precision: str = "auto",
        device: str = "auto",
    ) -> None:
        self.failure: str | None = None
        """Why nothing could be loaded, if so."""
        self.ready = False
        """Whether a model is loaded."""
        self.load_seconds: float | None = None
        """What loading it took."""
        self.fetching: str | None = None
        """The model that is being fetched."""
        self._recognizer = recognizer
        self._name = name
        self._store = store
        self._drafts = drafts
        self._lasting = lasting
        self._hub = hub
        self._form = precision, device

    @property
    def notes(self) -> list[str]:
        """What an operator should know though requests are served, one line each."""
        lines = [f"the model {name} cannot be loaded: {why}" for name, why in self._recognizer.shunned.items()]
        return lines + ([f"the model {self.fetching} is being fetched"] if self.fetching else [])

    async def run(self) -> None:
        """Load, then keep at it."""
        await self._load()
        if self._drafts is not None:
            try:
                await self._recognizer.preload(self._drafts)
            except StenodError as error:  # partials then come from the model of finals
                log.warning("The model %s for partials could not be loaded: %s", self._drafts, error.message)
        if self._lasting and self._name == AUTO:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._fetch)
                await self._watch()

    async def _load(self) -> None:
        """The model, or where the choice is open the best that loads."""
        began = time.monotonic()
        tried: set[str] = set()
        while True:
            model = None
            try:
                model = self._recognizer.model(DecodeOptions(model=self._name))
                await self._recognizer.preload(self._name)
            except StenodError as error:
                if model is None or self._name != AUTO or model.name in tried:
                    self.failure = error.message
                    log.warning("The model %s could not be loaded: %s", self._name, error.message)
                    return
                tried.add(model.name)
                self._recognizer.shun(model, error.message)
                continue
            self.load_seconds = round(time.monotonic() - began, 3)
            self.ready, self.failure = True, None
            return

    async def _fetch(self) -> None:
        """Where no Parakeet is here, ask the hub for one. One line in the log, whatever comes of it."""
        models = self._recognizer.registry.models()
        here = any(model.installed and model.family.startswith(FAMILY) for model in models)
        if self._hub is None or self._hub.offline or here or not any(model.name == BEST for model in models):
            return
        try:
            wanted = background.choose(BEST, *self._form)
            self.fetching = BEST
            took = await background.fetch(wanted, self._store)
            moved = await self._move()
        except StenodError as error:
            log.info("Stays with %s, without %s: %s", self._served(), BEST, error.message)
        else:
            if moved:
                log.info("Fetched %s (%s) in %.0f s; new sessions use it", BEST, wanted.precision, took)
        finally:
            self.fetching = None

    async def _watch(self) -> None:
        """Notice what others put into the folder of models, or take away."""
        seen = await anyio.to_thread.run_sync(self._store.changed)
        while True:
            await anyio.sleep(LOOK)
            now = await anyio.to_thread.run_sync(self._store.changed)
            if now != seen and self.fetching is None:
                seen = now
                await self._move()

    async def _move(self) -> bool:
        """To the best model that is here now and loads, once it is loaded. Whether the very best did."""
        recognizer = self._recognizer
        recognizer.registry.refresh()
        recognizer.shunned.clear()  # what did not load may have been mended
        while (best := self._best()) is not None and best.name not in recognizer.shunned:
            try:
                await recognizer.preload(best.name)
            except StenodError as error:
                recognizer.shun(best, error.message)
                continue
            break
        broken = dict(recognizer.shunned)
        recognizer.refresh()
        for name, reason in broken.items():
            recognizer.shun(name, reason)
        self.ready, self.failure = True, None
        return not broken

    def _best(self) -> Model | None:
        try:
            return self._recognizer.registry.resolve(AUTO, None, self._recognizer.shunned)
        except StenodError:
            return None

    def _served(self) -> str:
        try:
            return self._recognizer.model(DecodeOptions(model=self._name)).name
        except StenodError:
            return "nothing"
