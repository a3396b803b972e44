"""The recognisers of this machine: names to models, models to workers. Implements `jobs.Recognizer`.

The composition of this room and nothing more: the registry says what there is, a pool per worker does the work, and a lane
is a session's way to them. Workers start with the first request for their model, or with `preload`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import TaskGroup

from stenod.engines.base import LoadOptions, Model
from stenod.engines.lane import Crew, PoolLane, Refine
from stenod.engines.pool import Pool
from stenod.engines.registry import AUTO, Registry, check
from stenod.engines.worker import ProcessWorker
from stenod.errors import ModelNotFound, StenodError
from stenod.jobs import Resolved
from stenod.models.names import GENERIC
from stenod.options import DecodeOptions, Options


class LocalRecognizer:
    """Use as an async context manager; leaving it ends every worker.

    `model` is what `auto` means to clients: itself `auto` (the best that can do what is asked), or a name as
    `Registry.configure` takes it. `others` are further models set up that way. `workers` processes serve each model; 0: as
    many as it finds worth having. Raises ModelNotFound, BadSettings.
    """

    def __init__(  # noqa: PLR0913 each a setting of its own, by name
        self,
        registry: Registry,
        *,
        model: str = AUTO,
        others: Sequence[str] = (),
        load: LoadOptions | None = None,
        workers: int = 0,
        processing_timeout: float = 60.0,
        refine: Refine | None = None,
        holds: int = 0,
    ) -> None:
        self.registry = registry
        self._load = load or LoadOptions()
        self._workers = workers
        self._timeout = processing_timeout
        self._refine = refine
        self._holds = holds
        self._default = None if model == AUTO else registry.configure(model)
        self._offered: dict[str, Model] = {}
        """What the operator named, under each name that a client may use for it."""
        for name in others:
            self._offer(registry.configure(name))
        if self._default is not None:
            self._offer(self._default)
        self._chosen: dict[tuple[str, str | None, str], Model] = {}
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
                    for pool in crew.pools:
                        await pool.aclose()

    def resolve(self, options: Options) -> Resolved:
        """See Recognizer."""
        asked, instead_of = options.decode, None
        try:
            model = self.model(asked)
        except ModelNotFound:
            if not options.fallback and asked.model not in GENERIC:
                raise
            model, instead_of = self.model(replace(asked, model=AUTO)), asked.model
        if options.revision is not None:
            self.model(options.revision)
        drafts = None if options.drafts is None else self.model(replace(asked, model=options.drafts)).name
        capabilities = model.capabilities
        warnings: list[tuple[str, str]] = []
        if options.decode.prompt and not capabilities.vocabulary:
            warnings.append(("prompt_ignored", f"the model {model.name!r} takes no prompt"))
        return Resolved(
            model.name, model.family, capabilities.max_seconds, capabilities.words, instead_of, drafts, tuple(warnings)
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
        """The model that `options` get. Raises ModelNotFound, BadRequest."""
        key = options.model, options.language, options.task
        known = self._chosen.get(key)
        if known is None:
            known = self._choose(options)
            if len(self._chosen) < 1000:  # languages come from clients
                self._chosen[key] = known
        return known

    def models(self) -> tuple[Model, ...]:
        """What clients can have, the default first."""
        first = [self._default] if self._default is not None else []
        rest = [model for model in self._offered.values() if model not in first]
        rest += [model for model in self.registry.models() if model.installed and model.quality > 0]
        return tuple({model.name: model for model in (*first, *rest)}.values())

    async def preload(self, name: str = AUTO) -> Model:
        """Load the model that clients get for `name`, in all its workers. Raises Unavailable, EngineFailed."""
        crew = self._crew(DecodeOptions(model=name))
        troubles: list[StenodError] = []

        async def start(pool: Pool) -> None:
            try:
                await pool.start()
            except StenodError as error:
                troubles.append(error)

        async with anyio.create_task_group() as tasks:
            for pool in crew.pools:
                tasks.start_soon(start, pool)
        if troubles:
            raise troubles[0]
        return crew.model

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """The gauges of each worker's pool, by model."""
        return {name: [pool.snapshot() for pool in crew.pools] for name, crew in self._crews.items()}

    def _offer(self, model: Model) -> None:
        base = self.registry.resolve(model.name.partition("?")[0])
        self._offered.update(dict.fromkeys((model.name, base.name, *base.aliases), model))

    def _choose(self, options: DecodeOptions) -> Model:
        """Names the operator gave go first; a model of quality 0 is for those alone."""
        model = self._default if options.model == AUTO else self._offered.get(options.model)
        if model is not None:
            check(model, options)
            return model
        model = self.registry.resolve(options.model, options)
        if model.quality == 0:
            raise ModelNotFound(f"the model {model.name!r} is not offered by this server")
        return model

    def _crew(self, options: DecodeOptions) -> Crew:
        """The pools for `options`, made where these are the first to ask."""
        if self._tasks is None:
            raise RuntimeError("a recogniser works inside its `async with` only")
        model = self.model(options)
        crew = self._crews.get(model.name)
        if crew is None:
            family = self.registry.family(model)
            workers = [
                ProcessWorker(family, model, self._load, timeout=self._timeout)
                for _ in range(self._workers or model.capabilities.workers)
            ]
            crew = Crew(model, [Pool(worker, model.capabilities) for worker in workers])
            for pool in crew.pools:
                self._tasks.start_soon(pool.run)
            self._crews[model.name] = crew
        return crew
