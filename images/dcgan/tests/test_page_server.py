"""The server as a process: how it begins, how it ends, and what bad clients do to it."""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from dcgan.page import events as page_events
from dcgan.page.app import Page
from page_stand_in import RunFolder, draw, events, served, until

PACKAGE = Path(__file__).parents[1]
SERVE = """
import sys
from pathlib import Path
from dcgan.page import serve
sys.exit(serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
"""
SLOW = """
import time
from dcgan.page import app
app.Artist = lambda folder: lambda order: time.sleep(60)
"""
ENDS_WITHIN = 2.0


def start(folder: Path, port: int = 0, host: str = "127.0.0.1", script: str = SERVE) -> subprocess.Popen[str]:
    """Start a server of the folder."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", script, str(folder), host, str(port)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


@contextmanager
def started(folder: Path, **options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server; yield it and its address, and end it in any case."""
    process = start(folder, **options)  # type: ignore[arg-type]
    assert process.stderr is not None
    try:
        assert select.select([process.stderr], [], [], 20)[0], "it said nothing"
        yield process, process.stderr.readline().split()[-1].rstrip("/")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Ask a server to end; return its exit code and what else it said."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert time.monotonic() - began < ENDS_WITHIN
    return process.returncode, said


def test_it_serves_a_folder_that_is_not_there_and_ends_when_told(tmp_path: Path) -> None:
    with started(tmp_path / "none") as (process, address):
        assert httpx.get(f"{address}/healthz").text == "ok\n"
        assert httpx.get(f"{address}/api/state").json()["state"] is None
        assert ended(process) == (0, "")


def test_it_ends_in_time_with_listeners_and_a_drawing_under_way(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run").trained(2)
    with started(run.path, script=SLOW + SERVE) as (process, address), closing(events(address)) as heard:
        next(heard)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/api/digits", json={"count": 1}, timeout=0.5)
        assert httpx.post(f"{address}/api/digits", json={"count": 1}).status_code == 429
        assert ended(process)[0] == 0


def test_a_port_in_use_is_one_line_and_not_now(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(tmp_path, port)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 75
    assert said == (
        f"opening the page at 127.0.0.1:{port}: address already in use; end what holds it, or choose another --port\n"
    )


def test_a_port_that_there_cannot_be_is_for_somebody(tmp_path: Path) -> None:
    process = start(tmp_path, 70_000)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 78
    assert said.endswith("choose a --port from 0 to 65535\n")
    assert said.count("\n") == 1


def test_what_is_no_http_does_not_end_it(tmp_path: Path) -> None:
    host = b"Host: localhost\r\n"
    with served(Page(tmp_path, draw=draw)) as address:
        port = int(address.rsplit(":", 1)[1])
        for request, status in (
            (b"\x16\x03\x01\x00\xff\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\n\r\n", b"400"),
            (b"GET / HTTP/1.0\r\n\r\n", b"421"),
            (b"GET / HTTP/1.1\r\n" + host + host + b"\r\n", b"400"),
            (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", b"421"),
            (b"GET /%ff%00 HTTP/1.1\r\n" + host + b"\r\n", b"404"),
            (b"GET / HTTP/1.1\r\n" + host + b"X: " + b"x" * 200_000 + b"\r\n\r\n", b"400"),
        ):
            assert spoken(port, request).split(b" ")[1] == status, request[:60]
        assert httpx.get(f"{address}/healthz").status_code == 200


def spoken(port: int, request: bytes) -> bytes:
    """Send bytes and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        return connection.makefile("rb").readline()


def test_a_listener_that_stalls_loses_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_events, "SEND_LIMIT", 0.2)
    monkeypatch.setattr(page_events, "SIGN_OF_LIFE", 0.1)
    run = RunFolder(tmp_path / "run")
    run.put("metrics.jsonl", b"".join(run.row(epoch) for epoch in range(1, 12_000)))
    page = Page(run.path, listeners=1, period=0.05)
    with served(page) as address, socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", int(address.rsplit(":", 1)[1])))
        stalled.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert until(lambda: httpx.get(f"{address}/api/events").status_code == 503, 2)
        assert until(lambda: status_of(address) == 200)


def status_of(address: str) -> int:
    """Return with what status a listener is met."""
    with httpx.stream("GET", f"{address}/api/events") as stream:
        return stream.status_code
