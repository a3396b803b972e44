"""The recognisers of this machine: names to models, models to workers. Implements `jobs.Recognizer`.

The composition of this room and nothing more: `choice` says which model a name means, a crew of workers serves each model,
and a lane is a session's way to them. Workers start with the first request for their model, or with `preload`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from stenod.engines.base import LoadOptions, Model
from stenod.engines.choice import Choice
from stenod.engines.crew import Crew
from stenod.engines.lane import PoolLane, Refine
from stenod.engines.pool import Pool
from stenod.engines.registry import AUTO, Registry
from stenod.engines.worker import ProcessWorker
from stenod.errors import BadRequest, ModelNotFound, Unavailable
from stenod.jobs import Resolved
from stenod.models.names import GENERIC
from stenod.options import DecodeOptions, Options

_log = logging.getLogger(__name__)


class LocalRecognizer:
    """Use as an async context manager; leaving it ends every worker.

    `model` is what `auto` means to clients: itself `auto` (the best that can do what is asked), or a name as
    `Registry.configure` takes it. `others`, and `drafts` for partials, are further models set up that way. `workers`
    processes serve each model; 0: as many as it finds worth having. A model that nobody has used for `idle_unload` seconds
    leaves the memory; 0: none does. A session's partials are `crowded_interval` seconds apart where a crowd shares a worker.
    Raises ModelNotFound, BadSettings.
    """

    def __init__(  # noqa: PLR0913 each a setting of its own, by name
        self,
        registry: Registry,
        *,
        model: str = AUTO,
        others: Sequence[str] = (),
        drafts: str | None = None,
        load: LoadOptions | None = None,
        workers: int = 0,
        processing_timeout: float = 60.0,
        idle_unload: float = 0.0,
        crowded_interval: float = 0.0,
        refine: Refine | None = None,
        holds: int = 0,
    ) -> None:
        self.registry = registry
        self._load = load or LoadOptions()
        self._workers = workers
        self._timeout = processing_timeout
        self._idle_unload = idle_unload
        self._crowded_interval = crowded_interval
        self._refine = refine
        self._holds = holds
        self._choice = Choice(registry, model, others, drafts)
        self._crews: dict[str, Crew] = {}
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return None
        tasks.cancel_scope.cancel()
        try:
            return await tasks.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if list(group.exceptions) != [error]:
                raise
            return None  # the body's own error goes on as it was
        finally:
            with anyio.CancelScope(shield=True):
                for crew in self._crews.values():
                    await crew.aclose()

    def resolve(self, options: Options) -> Resolved:
        """See Recognizer."""
        asked, instead_of = options.decode, None
        try:
            model = self.model(asked)
        except (ModelNotFound, Unavailable):
            if not options.fallback and asked.model not in GENERIC:
                raise
            model, instead_of = self.model(replace(asked, model=AUTO)), asked.model
        default = self._choice.default
        if asked.model == AUTO and default is not None and model.name != default.name:
            instead_of = default.name
        if options.revision is not None:
            self.model(options.revision)
        capabilities = model.capabilities
        warnings: list[tuple[str, str]] = []
        drafts: str | None = None
        if options.drafts is not None:
            try:
                drafts = self.model(replace(asked, model=options.drafts)).name
            except (BadRequest, Unavailable) as error:
                warnings.append(("drafts_unavailable", f"{error.message}; partials come from {model.name!r}"))
        if options.decode.prompt and not capabilities.vocabulary:
            warnings.append(("prompt_ignored", f"the model {model.name!r} takes no prompt"))
        return Resolved(
            model.name,
            model.family,
            capabilities.max_seconds,
            capabilities.words,
            instead_of,
            drafts if drafts != model.name else None,
            tuple(warnings),
        )

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[PoolLane]:
        """See Recognizer."""
        lane = PoolLane(self._crew, self._refine, self._holds)
        try:
            yield lane
        finally:
            await lane.aclose()

    def model(self, options: DecodeOptions) -> Model:
        """The model that `options` get. Raises ModelNotFound, BadRequest, Unavailable."""
        return self._choice.model(options)

    def models(self) -> tuple[Model, ...]:
        """What clients can have, the default first."""
        return self._choice.models()

    @property
    def shunned(self) -> dict[str, str]:
        """Models that are installed and cannot be loaded, and why."""
        return self._choice.shunned

    def shun(self, model: Model | str, reason: str) -> None:
        """That model cannot be loaded: `auto` and generic names pass it over until `refresh`."""
        name = model if isinstance(model, str) else model.name
        _log.warning("The model %s cannot be loaded and is passed over: %s", name, reason)
        self._choice.shun(name, reason)
        self._retire(name)

    def refresh(self) -> None:
        """Look again at what is installed. Sessions keep the model they have; new ones may get another."""
        self._choice.refresh()
        there = {model.name: model for model in self._choice.models()}
        for name, crew in list(self._crews.items()):
            if crew.trouble is not None or there.get(name, crew.model) != crew.model:
                self._retire(name)

    async def preload(self, name: str = AUTO) -> Model:
        """Load the model that clients get for `name`, in all its workers. Raises Unavailable, EngineFailed."""
        crew = self._crew_of(self.model(DecodeOptions(model=name)))
        await crew.start()
        return crew.model

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """The gauges of each worker's pool, by model."""
        return {name: [pool.snapshot() for pool in crew.pools] for name, crew in self._crews.items()}

    def _crew(self, options: DecodeOptions) -> Crew:
        """The crew for `options`. A session was let in with its model and is not sent away where that does not load."""
        known = self._crews.get(options.model)
        if known is None:
            known = self._crew_of(self._still(options))
        if known.trouble is not None:
            if known.model.name not in self.shunned:
                self._choice.shun(known.model.name, known.trouble.message)
                _log.warning(
                    "The model %s cannot be loaded and is passed over: %s", known.model.name, known.trouble.message
                )
            with suppress(BadRequest):  # there is no other
                other = self._still(options)
                if other.name != known.model.name:
                    known = self._crew_of(other)
        return known

    def _still(self, options: DecodeOptions) -> Model:
        """The model, or another that can do what is asked where that one cannot be loaded."""
        try:
            return self.model(options)
        except Unavailable:
            return self.model(replace(options, model=AUTO))

    def _crew_of(self, model: Model) -> Crew:
        """The crew that serves `model`, made where it is wanted for the first time."""
        if self._tasks is None:
            raise RuntimeError("a recogniser works inside its `async with` only")
        crew = self._crews.get(model.name)
        if crew is None:
            crew = self._crews[model.name] = Crew(model, [self._pool(model) for _ in range(self._wanted(model))])
            self._tasks.start_soon(crew.run)
        return crew

    def _wanted(self, model: Model) -> int:
        """Worker processes for `model`."""
        return self._workers or model.capabilities.workers

    def _pool(self, model: Model) -> Pool:
        worker = ProcessWorker(self.registry.family(model), model, self._load, timeout=self._timeout)
        return Pool(
            worker,
            model.capabilities,
            name=model.name,
            batch_size=self._load.batch_size,
            idle_unload=self._idle_unload,
            crowded_interval=self._crowded_interval,
        )

    def _retire(self, name: str) -> None:
        """Whoever asks for that model next gets a new crew."""
        crew = self._crews.pop(name, None)
        if crew is not None:
            crew.retire()
