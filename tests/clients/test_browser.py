"""The browser's module in a real browser, whose microphone is a file: AudioWorklet, WebSocket, text on the page."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.sync.client import connect

from conftest import missing
from support.serving import Running, pcm, until, wav

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("a browser (Debian package chromium)")
    assert found is not None
    return found


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def site(directory: Path) -> Iterator[str]:
    """Files over HTTP."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=directory))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Page:
    """A tab, by way of the browser's debugging protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._numbers = count(1)

    def run(self, script: str) -> Any:
        """The value of `script`."""
        number = next(self._numbers)
        parameters = {"expression": script, "returnByValue": True, "userGesture": True}
        self._socket.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": parameters}))
        while (answer := json.loads(self._socket.recv(timeout=20))).get("id") != number:
            pass
        return answer["result"]["result"].get("value")

    def text(self, name: str) -> str:
        return str(self.run(f"document.getElementById('{name}')?.textContent ?? ''")).strip()


@contextmanager
def browsing(chromium: str, url: str, microphone: Path, profile: Path) -> Iterator[Page]:
    """A browser at `url`; its microphone hears the file once, and may be used without asking."""
    command = [
        chromium,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        url,
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            told = profile / "DevToolsActivePort"
            until(lambda: told.exists() and "\n" in told.read_text(), 60)
            tabs = f"http://127.0.0.1:{told.read_text().splitlines()[0]}/json/list"
            until(lambda: any(tab["url"] == url for tab in httpx.get(tabs).json()), 30)
            [tab] = [tab for tab in httpx.get(tabs).json() if tab["url"] == url]
            with connect(tab["webSocketDebuggerUrl"], max_size=2**24, open_timeout=30) as socket:
                yield Page(socket)
        finally:
            process.terminate()


def test_what_is_spoken_into_the_browser_is_on_the_page(
    clients, chromium: str, server: Running, tmp_path: Path
) -> None:
    spoken = tmp_path / "spoken.wav"
    spoken.write_bytes(wav(pcm(range(1, 7), before=1.0) + pcm(range(7, 10), after=20)))
    with site(clients / "javascript") as address:
        url = f"{address}/example.html?url={quote(server.ws + '/ws', safe='')}"
        with browsing(chromium, url, spoken, tmp_path / "profile") as page:
            until(lambda: page.run("document.getElementById('toggle')?.onclick != null"), 20)
            page.run("document.getElementById('toggle').click()")
            until(lambda: "w9" in page.text("text"), 30)
            assert page.text("toggle") == "Stop"
            page.run("document.getElementById('toggle').click()")
            until(lambda: page.text("toggle") == "Speak", 20)
            assert page.text("text").split() == [f"w{number}" for number in range(1, 10)]
