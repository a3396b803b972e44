"""The running server from outside: real processes, real sockets, real signals."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from stenod.cli.listening import CannotListen, address, listen

STAGE = Path(__file__).with_name("stage.py")


@contextlib.contextmanager
def staged(*, port: int = 0, grace: float = 5, drain_takes: float = 0, broken: str = "whole"):
    command = [sys.executable, str(STAGE), *map(str, (port, grace, drain_takes, broken))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def begun(process) -> str:
    """The address, once it answers."""
    assert process.stdout.readline() == "up\n"
    url: str = process.stdout.readline().strip()
    return url


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_an_idle_server_in_order(number) -> None:
    with staged() as process:
        url = begun(process)
        assert urllib.request.urlopen(url, timeout=5).read() == b'"here"'
        process.send_signal(number)
        assert process.communicate(timeout=10) == ("drain\ndrained\ndown\n", "")
        assert process.returncode == 0


def test_open_sockets_are_drained_before_they_are_closed() -> None:
    with staged(drain_takes=0.5) as process:
        url = begun(process).replace("http", "ws")
        with connect(f"{url}/ws") as client:
            assert client.recv() == "hello"
            process.send_signal(signal.SIGINT)
            assert client.recv(timeout=5) == "final"
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000
        assert process.wait(10) == 0


def test_while_draining_the_server_still_answers() -> None:
    with staged(drain_takes=2) as process:
        url = begun(process)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "drain\n"
        assert urllib.request.urlopen(url, timeout=5).read() == b'"here"'


def test_draining_ends_with_the_grace_period() -> None:
    with staged(grace=0.2, drain_takes=60) as process:
        url = begun(process).replace("http", "ws")
        with connect(f"{url}/ws") as client:
            assert client.recv() == "hello"
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=10)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_leaves_at_once_and_cleans_up(number, code) -> None:
    with staged(grace=60, drain_takes=60) as process:
        begun(process)
        process.send_signal(number)
        assert process.stdout.readline() == "drain\n"
        began = time.monotonic()
        process.send_signal(number)
        assert process.communicate(timeout=10)[0] == "down\n"
        assert process.returncode == code
        assert time.monotonic() - began < 3


def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with staged(port=port) as process:
            out, error = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "")
    assert error.startswith(f"stenod: 127.0.0.1:{port} is taken by another program; ")
    assert error.count("\n") == 1


def test_an_app_that_cannot_start_is_one_line() -> None:
    with staged(broken="broken") as process:
        assert process.communicate(timeout=10) == ("", "stenod: the recogniser is not installed\n")
        assert process.returncode == 1


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "\ud800", "a" * 300])
def test_hosts_that_are_not_here(host) -> None:
    with pytest.raises(CannotListen, match="no address of this machine"):
        listen(host, 0)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:{}"), ("localhost", "http://localhost:{}"), ("0.0.0.0", "http://0.0.0.0:{}")],
)
def test_every_address_of_a_host_is_on_one_port(host, url) -> None:
    sockets = listen(host, 0)
    try:
        ports = {each.getsockname()[1] for each in sockets}
        assert len(ports) == 1
        assert address(host, sockets) == url.format(ports.pop())
        with socket.create_connection(sockets[0].getsockname()[:2], timeout=5):
            accepted, _ = sockets[0].accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    finally:
        for each in sockets:
            each.close()


def test_an_ipv6_address_is_bracketed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert address("::1", [server]) == f"http://[::1]:{server.getsockname()[1]}"
