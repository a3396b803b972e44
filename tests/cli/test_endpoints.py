"""The walk over the endpoints: of the real server, and of servers that have something wrong with them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typer.testing import CliRunner

from stenod.cli.endpoints import visits
from stenod.cli.main import app


@contextmanager
def answering(answers: dict[str, tuple[int, str]]):
    """A server that says `answers`, by method and path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(f"{self.command} {self.path}", (404, "nothing"))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_endpoint_of_the_real_server_answers(server) -> None:
    found = list(visits(server.http))
    assert {f"{visit.method} {visit.path}" for visit in found} >= {
        "GET /openapi.json",
        "GET /healthz",
        "GET /readyz",
        "GET /v1/models",
        "GET /config",
        "POST /v1/audio/transcriptions",
        "POST /transcribe",
    }
    assert not [visit for visit in found if not visit.passed]
    assert all("w1 w2 w3" in visit.answer for visit in found if visit.path.endswith(("transcribe", "transcriptions")))


def test_the_command_prints_a_table_and_fails_with_an_endpoint() -> None:
    description = json.dumps(
        {
            "paths": {
                "/good": {"get": {}},
                "/bad": {"get": {}, "put": {}},
                "/named/{name}": {"get": {}},
                "/test": {"post": {}},
                "/json": {"post": {"requestBody": {"content": {"application/json": {}}}}},
            }
        }
    )
    answers = {
        "GET /openapi.json": (200, description),
        "GET /good": (200, "yes\n\nyes"),
        "GET /bad": (503, "not yet"),
        "POST /test": (200, "works"),
    }
    with answering(answers) as url:
        told = CliRunner().invoke(app, ["client", url, "--check-endpoints"])
    rows = [line.split() for line in told.stdout.splitlines()]
    assert [(row[0], row[1], row[2], row[3]) for row in rows[:-1]] == [
        ("ok", "GET", "/openapi.json", "200"),
        ("ok", "GET", "/good", "200"),
        ("FAIL", "GET", "/bad", "503"),
        ("ok", "POST", "/test", "200"),
    ]
    assert rows[-1] == ["4", "endpoints,", "1", "failed"]
    assert told.exit_code == 1


def test_a_server_that_is_not_there_or_none_of_this_kind() -> None:
    with answering({"GET /openapi.json": (200, "<html>")}) as url:
        assert [visit.passed for visit in visits(url)] == [True, False]
    [visit] = visits(url)
    assert (visit.status, visit.passed) == (0, False)
    assert "refused" in visit.answer
