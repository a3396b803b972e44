"""What the server says of itself: alive, ready, which models, which settings."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from stenod.options import DecodeOptions
from stenod.server.admission import Admission
from stenod.server.offer import find, offer, offers
from stenod.server.schemas import Detail, Health, ModelCard, ModelList, OpenAIError, Readiness
from stenod.service import Service

router = APIRouter(tags=["about the server"])


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive. Says nothing about being ready."""
    return Health(status="ok")


@router.get(
    "/readyz",
    response_model_exclude_none=True,
    responses={503: {"model": Readiness, "description": "Not yet, or no longer; `missing` says why"}},
)
async def readyz(request: Request, response: Response) -> Readiness:
    """Whether transcription requests are taken and the default model is loaded."""
    service = _service(request)
    admission: Admission = request.app.state.admission
    missing = []
    if admission.closed:
        missing.append("the server is shutting down")
    if not service.ready:
        missing.append(service.failure or f"the model {service.settings.model.name} is being loaded")
    if missing:
        response.status_code = 503
    return Readiness(status="not ready" if missing else "ready", missing=missing, notes=service.upkeep.notes or None)


@router.get("/v1/models")
async def models(request: Request) -> ModelList:
    """The models that can be asked for, the default first."""
    cards = [ModelCard.model_validate(card) for card in offers(_service(request).recognizer.models())]
    return ModelList(object="list", data=cards)


@router.get("/v1/models/{name:path}", responses={404: {"model": OpenAIError, "description": "No such model here"}})
async def model(request: Request, name: str) -> ModelCard:
    """One model, by its name, an alias, or a generic name (`auto`, `parakeet`); names may hold slashes."""
    recognizer = _service(request).recognizer
    card = find(recognizer.models(), name)
    if card is None:  # a generic name, or one that is refused with the reason
        card = offer(recognizer.model(DecodeOptions(model=name[:200])))
    return ModelCard.model_validate(card)


@router.get("/config", responses={500: {"model": Detail, "description": "A mistake of the server"}})
async def config(request: Request) -> dict[str, dict[str, Any]]:
    """The settings in force, by group; secrets are stars."""
    return _service(request).settings.masked()
