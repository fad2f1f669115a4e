"""The data file: found, downloaded, verified, refused; each with a way out."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan import data
from dcgan.data import Source
from dcgan.failure import Failure


def packed(**changes: Any) -> bytes:
    """A small data file, with some of its arrays changed."""
    images, labels = np.arange(2 * 784, dtype=np.uint8).reshape(2, 28, 28), np.array([3, 4], np.uint8)
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:1], "y_test": labels[:1]} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Server:
    """What the test server does, and what it was asked for."""

    content: bytes
    port: int = 0
    status: int = 200
    break_after: int | None = None
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)

    @property
    def source(self) -> Source:
        """Where the content lies."""
        return Source(f"http://127.0.0.1:{self.port}/mnist.npz", digest(self.content), len(self.content))


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server(packed())

    class Handler(BaseHTTPRequestHandler):
        """Serves `told.content`, as badly as told."""

        def do_GET(self) -> None:
            """Answer a GET."""
            wanted = self.headers.get("Range")
            told.asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and told.ranges else 0
            self.send_response(206 if start else told.status)
            self.send_header("Content-Length", str(len(told.content) - start))
            self.end_headers()
            self.wfile.write(told.content[start : told.break_after])

        def log_message(self, *_: Any) -> None:
            """Be silent."""

    service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = service.server_address[1]
    thread = threading.Thread(target=service.serve_forever, daemon=True)
    thread.start()
    yield told
    service.shutdown()
    service.server_close()


@pytest.fixture(autouse=True)
def no_other_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(data.VARIABLE, raising=False)
    monkeypatch.setattr(data, "PAYLOAD", tmp_path / "payload" / "mnist.npz")


def test_the_known_file_is_the_one_of_the_pins() -> None:
    source = data.pinned()
    assert source.url.startswith("https://")
    assert (len(source.sha256), source.size) == (64, 11_490_434)


def test_a_download_is_verified_and_kept(server: Server, tmp_path: Path) -> None:
    first = data.load(tmp_path, source=server.source)
    again = data.load(tmp_path, source=server.source)
    assert first.train_images.shape == (2, 28, 28)
    assert again.sha256 == digest(server.content)
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["mnist.npz"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_broke_off_goes_on(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.break_after, server.ranges = 500, ranges
    with pytest.raises(Failure, match="goes on at the next start") as caught:
        data.load(tmp_path, source=server.source)
    assert caught.value.exit_code == 75
    server.break_after = None
    data.load(tmp_path, source=server.source)
    assert server.asked == [None, "bytes=500-"]


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_an_http_error_says_what_to_do(server: Server, tmp_path: Path, status: int) -> None:
    server.status = status
    with pytest.raises(Failure, match=f"the server answered {status}.*--data") as caught:
        data.load(tmp_path, source=server.source)
    assert caught.value.exit_code == (75 if status >= 500 else 78)


def test_no_network_is_not_for_ever(tmp_path: Path) -> None:
    nowhere = Source("http://127.0.0.1:9/mnist.npz", "0" * 64, 10)
    with pytest.raises(Failure, match=r"Connection refused.*--data") as caught:
        data.load(tmp_path, source=nowhere)
    assert caught.value.exit_code == 75


def test_a_larger_file_is_not_taken(server: Server, tmp_path: Path) -> None:
    source = replace(server.source, size=100)
    with pytest.raises(Failure, match="larger than the 100 bytes"):
        data.load(tmp_path, source=source)
    assert list(tmp_path.iterdir()) == []


def test_other_content_is_not_taken(server: Server, tmp_path: Path) -> None:
    source = replace(server.source, sha256="0" * 64)
    with pytest.raises(Failure, match="its sha256 is"):
        data.load(tmp_path, source=source)
    assert list(tmp_path.iterdir()) == []


def test_the_order_of_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [tmp_path / "run" / "mnist.npz", data.PAYLOAD, tmp_path / "variable.npz", tmp_path / "given.npz"]
    run = tmp_path / "run"
    for number, place in enumerate(places):
        place.parent.mkdir(exist_ok=True)
        content = packed(y_test=np.array([number], np.uint8))
        place.write_bytes(content)
        if place.name == "variable.npz":
            monkeypatch.setenv(data.VARIABLE, str(place))
        given = place if place.name == "given.npz" else None
        found = data.load(run, given, digest(content))
        assert found.test_labels.tolist() == [number]


def test_another_file_needs_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(packed())
    with pytest.raises(Failure, match="say --data-sha256 if you want this one"):
        data.load(tmp_path, path)
    with pytest.raises(Failure, match="correct --data-sha256"):
        data.load(tmp_path, path, "0" * 64)
    assert len(data.load(tmp_path, path, digest(path.read_bytes()).upper()).train_images) == 2


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="there is no data file at"):
        data.load(tmp_path, tmp_path / "nowhere.npz")


def test_a_foreign_digest_is_not_downloaded(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="give its path with --data"):
        data.load(tmp_path, None, "0" * 64)


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": np.zeros((2, 28, 28), np.float32)},
        {"x_train": np.zeros((2, 784), np.uint8)},
        {"x_train": np.zeros((0, 28, 28), np.uint8)},
        {"y_train": np.zeros(3, np.uint8)},
        {"y_train": np.array([3, 10], np.uint8)},
        {"y_test": None},
        {"x_test": np.array([{}], object)},
    ],
)
def test_other_contents_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "odd.npz"
    path.write_bytes(packed(**changes))
    with pytest.raises(Failure, match="it is no MNIST file"):
        data.load(tmp_path, path, digest(path.read_bytes()))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and so on", bytes(1000)])
def test_any_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.npz"
    path.write_bytes(content)
    with pytest.raises(Failure, match="it is no MNIST file"):
        data.load(tmp_path, path, digest(content))
