"""What the server says of itself, and whether its OpenAPI document is true."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI

from stenod.protocols import openai_rest
from stenod.server import protocols, schemas
from stenod.server.app import UPLOADS
from support.serving import Running


def test_alive_and_ready(server: Running) -> None:
    assert httpx.get(f"{server.http}/healthz").json() == {"status": "ok"}
    ready = httpx.get(f"{server.http}/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "missing": []})


def test_models(server: Running) -> None:
    body = schemas.ModelList.model_validate(httpx.get(f"{server.http}/v1/models").json())
    assert body.data[0].id == "fake-streaming"
    assert "pocketsphinx" in {card.owned_by for card in body.data}
    for card in body.data:
        one = httpx.get(f"{server.http}/v1/models/{card.id}")
        assert schemas.ModelCard.model_validate(one.json()) == card


@pytest.mark.parametrize("name", ["nobody", "some/where/nobody", "some%2Fwhere", "%00", "x" * 2000])
def test_a_model_that_is_not_there(server: Running, name: str) -> None:
    answer = httpx.get(f"{server.http}/v1/models/{name}")
    assert answer.status_code == 404
    assert schemas.OpenAIError.model_validate(answer.json()).error.code == "model_not_found"


def test_config(server: Running) -> None:
    settings = httpx.get(f"{server.http}/config").json()
    assert settings["model"]["name"] == "fake-streaming"
    assert settings["server"]["port"] == 8000


@pytest.mark.parametrize(
    ("method", "path", "status", "model"),
    [
        ("GET", "/nowhere", 404, schemas.Detail),
        ("GET", "/v1/nowhere", 404, schemas.OpenAIError),
        ("GET", "/transcribe", 405, schemas.Detail),
        ("DELETE", "/v1/audio/transcriptions", 405, schemas.OpenAIError),
        ("GET", "/ws", 404, schemas.Detail),
    ],
)
def test_what_is_not_there(server: Running, method: str, path: str, status: int, model: Any) -> None:
    answer = httpx.request(method, server.http + path)
    assert answer.status_code == status
    model.model_validate(answer.json())
    assert answer.headers["x-request-id"]


def test_names_of_requests_differ(server: Running) -> None:
    names = {httpx.get(f"{server.http}/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(names) == 3


def test_the_protocols(server: Running) -> None:
    told = httpx.get(f"{server.http}/protocols").json()
    assert told == protocols.document()
    assert told["channels"]["ws"]["address"] == "/ws"


def test_openapi_document(server: Running) -> None:
    document = httpx.get(f"{server.http}/openapi.json").json()
    OpenAPI.model_validate(document)
    assert set(document["paths"]) == {
        "/", "/health", "/health/live", "/health/ready", "/info", "/metrics", "/stats",
        "/healthz", "/readyz", "/v1/models", "/v1/models/{name}", "/config", "/transcribe", "/v1/audio/transcriptions",
        "/audio/transcriptions", "/protocols",
        "/api/v1/audio/stream/status", "/api/v1/audio/stream/limits", "/api/v1/audio/stream/test",
    }  # fmt: skip
    for upload in UPLOADS:
        operation = document["paths"][upload.path]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["required"] == ["file"]
        assert set(operation["responses"]) == {"200", *map(str, upload.problems)}
        said = operation["responses"]["200"]["content"]
        assert set(said) == {"application/json", *upload.texts}
        assert resolves(document, said["application/json"]["schema"])
        for status in upload.problems:
            problem = operation["responses"][str(status)]["content"]["application/json"]["schema"]
            assert problem == {"$ref": f"#/components/schemas/{upload.problem.__name__}"}
            assert resolves(document, problem)


def test_documented_choices_are_the_real_ones() -> None:
    fields = schemas.OPENAI_FORM["properties"]
    assert tuple(fields["response_format"]["enum"]) == openai_rest.FORMATS
    assert tuple(fields["timestamp_granularities[]"]["items"]["enum"]) == openai_rest.GRANULARITIES


def resolves(document: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether every reference in `schema` leads somewhere."""
    parts = schema.get("anyOf", [schema])
    names = [part["$ref"].rpartition("/")[2] for part in parts]
    return bool(names) and all(name in document["components"]["schemas"] for name in names)


def test_documents_are_served(server: Running) -> None:
    assert "swagger" in httpx.get(f"{server.http}/docs").text.lower()
