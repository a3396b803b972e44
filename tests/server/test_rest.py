"""Uploads over a real socket: every answer and every refusal, and what stops the work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from stenod.server import schemas
from support.serving import Running, fake, pcm, said, serving, until, wav

OPENAI = "/v1/audio/transcriptions"
PARAKEET = "/transcribe"
SPEECH = wav(pcm([1, 2, 3]) + pcm([4, 5]))
TEXT = said([1, 2, 3, 4, 5])


def post(
    server: Running, path: str, data: dict[str, Any] | None = None, audio: bytes | None = SPEECH
) -> httpx.Response:
    files = {} if audio is None else {"file": ("upload", audio)}
    return httpx.post(server.http + path, data=data or {}, files=files, timeout=30)


@pytest.mark.parametrize(
    "form", [{}, {"model": ""}, {"model": "auto"}, {"model": "whisper-1", "response_format": "json"}]
)
def test_json(server: Running, form: dict[str, str]) -> None:
    answer = post(server, OPENAI, form)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = schemas.OpenAITranscription.model_validate(answer.json())
    assert body.text == TEXT
    assert body.usage.seconds == pytest.approx((len(SPEECH) - 44) / 32_000, abs=0.001)


def test_verbose_json(server: Running) -> None:
    form = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"], "language": "en"}
    body = schemas.OpenAIVerboseTranscription.model_validate(post(server, OPENAI, form).json())
    assert (body.text, body.language) == (TEXT, "english")
    assert body.segments is not None
    assert [segment.text for segment in body.segments] == [" " + said([1, 2, 3]), " " + said([4, 5])]
    assert body.words is not None
    assert [word.word for word in body.words] == TEXT.split()
    assert [word.start for word in body.words] == pytest.approx([0.5, 0.8, 1.1, 2.7, 3.0], abs=0.02)


@pytest.mark.parametrize(
    ("form", "media", "beginning"),
    [
        ({"response_format": "text"}, "text/plain; charset=utf-8", TEXT + "\n"),
        ({"response_format": "srt"}, "text/plain; charset=utf-8", "1\n00:00:00,5"),
        ({"response_format": "vtt"}, "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.5"),
    ],
)
def test_texts(server: Running, form: dict[str, str], media: str, beginning: str) -> None:
    answer = post(server, OPENAI, form)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media)
    assert answer.text.startswith(beginning)


@pytest.mark.parametrize("path", [OPENAI, PARAKEET])
@pytest.mark.parametrize("chunked", ["true", "false"])
def test_timestamps_of_the_first_document(server: Running, path: str, chunked: str) -> None:
    answer = post(server, path, {"include_timestamps": "true", "should_chunk": chunked}).json()
    model = schemas.Transcription if path == PARAKEET else schemas.OpenAITranscription
    body = model.model_validate(answer)
    assert body.timestamps is not None
    assert [word.text for word in body.timestamps.words] == TEXT.split()
    assert "".join(char.text for char in body.timestamps.chars) == TEXT.replace(" ", "")
    assert [segment.text for segment in body.timestamps.segments] == [said([1, 2, 3]), said([4, 5])]


def test_plain_transcribe(server: Running) -> None:
    assert post(server, PARAKEET).json() == {"text": TEXT, "timestamps": None}


def test_the_name_of_the_file_is_not_believed(server: Running) -> None:
    for name in ("upload", "a.mp3", "speech.txt", "..", "x" * 300):
        answer = httpx.post(server.http + PARAKEET, files={"file": (name, SPEECH, "image/png")})
        assert answer.json() == {"text": TEXT, "timestamps": None}


REFUSALS = [
    (OPENAI, {}, b"this is no audio, not even nearly" * 30, (400, "bad_audio", "file")),
    (OPENAI, {}, b"", (400, "bad_audio", "file")),
    (OPENAI, {}, None, (400, "missing_field", "file")),
    (OPENAI, {"file": "text"}, None, (400, "missing_field", "file")),
    (OPENAI, {"model": "nobody"}, SPEECH, (404, "model_not_found", "model")),
    (OPENAI, {"response_format": "xml"}, SPEECH, (400, "unsupported_value", "response_format")),
    (OPENAI, {"stream": "true"}, SPEECH, (400, "unsupported_value", "stream")),
    (OPENAI, {"prompt": "p" * 70_000}, SPEECH, (400, "invalid_form", None)),
    (PARAKEET, {}, b"this is no audio, not even nearly" * 30, (415, None, None)),
    (PARAKEET, {}, b"RIFF", (415, None, None)),
    (PARAKEET, {}, None, (422, None, None)),
    (PARAKEET, {"include_timestamps": "perhaps"}, SPEECH, (422, None, None)),
    (PARAKEET, {"prompt": "p" * 70_000}, SPEECH, (400, None, None)),
]


@pytest.mark.parametrize(("path", "form", "audio", "expected"), REFUSALS)
def test_refusals(
    server: Running, path: str, form: dict[str, str], audio: bytes | None, expected: tuple[int, str, str]
) -> None:
    status, *names = expected
    answer = post(server, path, form, audio)
    assert answer.status_code == status
    if path == PARAKEET:
        assert schemas.Detail.model_validate(answer.json()).detail
    else:
        problem = schemas.OpenAIError.model_validate(answer.json()).error
        assert [problem.type, problem.code, problem.param] == ["invalid_request_error", *names]
    assert answer.headers["x-request-id"].startswith("req_")
    assert "/tmp" not in answer.text
    assert "Traceback" not in answer.text


def test_a_body_that_is_no_form(server: Running) -> None:
    for content, kind in (
        (b"{}", "application/json"),
        (b"--x", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=y"),
        (b"\xff" * 100, "multipart/form-data; boundary=\xff".encode("latin-1")),
        (b"", "text/plain"),
    ):
        answer = httpx.post(
            server.http + OPENAI,
            content=content,
            headers=[(b"content-type", kind if isinstance(kind, bytes) else kind.encode())],
        )
        assert answer.status_code == 400
        schemas.OpenAIError.model_validate(answer.json())


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    """One that takes 1 MB, and works slowly: half a second for each second of audio."""
    with serving(fake("fake?rate=0.5", server={"max_upload_mb": 1, "grace": 1.0})) as running:
        yield running


@pytest.mark.parametrize("path", [OPENAI, PARAKEET])
@pytest.mark.parametrize("declared", [True, False])
def test_too_large(small: Running, path: str, declared: bool) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + b"\0" * 4_000_000
        + b"\r\n--x--\r\n"
    )
    parts = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = httpx.post(small.http + path, content=body if declared else parts, headers=headers, timeout=20)
    assert answer.status_code == 413
    assert "1 MB" in answer.text


@pytest.mark.anyio
async def test_hanging_up_stops_the_work(small: Running) -> None:
    audio = wav(b"".join(pcm([word], before=0.2, after=0.6) for word in range(1, 30)))
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + audio + b"\r\n--x--\r\n"
    head = f"POST {OPENAI} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", small.port)
    writer.write(head.encode() + body)
    await writer.drain()
    await anyio.to_thread.run_sync(until, lambda: small.service.sessions.count == 1, 5)
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
    took = await anyio.to_thread.run_sync(until, lambda: small.service.sessions.count == 0, 5)
    assert took < 3


@pytest.mark.anyio
async def test_several_at_once_do_not_mix(server: Running) -> None:
    async def one(client: httpx.AsyncClient, index: int) -> None:
        words = [1000 * index + at for at in range(4)]
        answer = await client.post(PARAKEET, files={"file": wav(pcm(words))})
        assert answer.json()["text"] == said(words)

    async with httpx.AsyncClient(base_url=server.http, timeout=30) as client, anyio.create_task_group() as tasks:
        for index in range(1, 11):
            tasks.start_soon(one, client, index)


def test_half_a_file_is_never_passed_off_as_the_whole() -> None:
    """Draining ends every session; a file's is then answered with an error that asks to come again."""
    audio = wav(b"".join(pcm([word], before=0.2, after=0.6) for word in range(1, 30)))
    with serving(fake("fake?rate=1", server={"grace": 0.5})) as closing, ThreadPoolExecutor() as threads:
        answer = threads.submit(post, closing, OPENAI, audio=audio)
        until(lambda: closing.service.sessions.count == 1, 5)
        closing.drain()
        response = answer.result(10)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert schemas.OpenAIError.model_validate(response.json()).error.code == "shutting_down"


@pytest.mark.parametrize(("path", "status"), [(OPENAI, 500), (PARAKEET, 500)])
def test_a_hole_in_the_text_is_an_error(path: str, status: int) -> None:
    with serving(fake("fake?raise_on=w4")) as broken:
        answer = post(broken, path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


@pytest.mark.slow
def test_real_speech(samples: Path) -> None:
    """The engine that is always there, the real detector, and a file with known words."""
    [sample] = [one for one in json.loads((samples / "manifest.json").read_text()) if one["file"] == "river.wav"]
    with serving(fake("pocketsphinx", endpointing={"vad": "silero"})) as running:
        answer = post(running, OPENAI, {"model": "auto"}, (samples / "river.wav").read_bytes())
    wanted = {word["text"] for word in sample["words"]}
    heard = set(answer.json()["text"].lower().split())
    assert len(wanted & heard) >= 0.7 * len(wanted)
