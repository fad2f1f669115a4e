"""A run folder as a training would leave it, made by hand, and a draughtsman in place of a generator."""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
from PIL import Image

from dcgan.page.app import Page
from dcgan.page.drawing import Drawing, Order
from dcgan.page.server import bind, server

Json = dict[str, Any]
Event = tuple[str, Json]

JSON = {"content-type": "application/json"}
"""The header of a body that the page takes."""

GPU: Json = {
    "name": "GPU:0",
    "kind": "NVIDIA GeForce GTX 1050 Ti",
    "compute_capability": "6.1",
    "memory_bytes": 4 * 2**30,
    "share": 1.0,
}
CPU: Json = GPU | {"name": "CPU:0", "kind": "x86-64", "compute_capability": None, "memory_bytes": None}


class RunFolder:
    """A run folder that a test writes as it goes, by rename as the training does."""

    def __init__(self, path: Path, epochs: int = 50) -> None:
        """Make the folder `path`, for a training of so many epochs."""
        self.path = path
        self.epochs = epochs
        self.began = time.time() - 3600
        (path / "samples").mkdir(parents=True, exist_ok=True)
        (path / "checkpoints").mkdir(exist_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole."""
        target = self.path / name
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(data)
        os.replace(part, target)

    def settings(self, **settings: Any) -> None:
        """Write run.json."""
        known: Json = {"recipe": "fast", "batch": 256, "seed": 1, "device": "auto", "epochs": self.epochs}
        document = {"format": 1, "settings": known | settings, "data_sha256": "0" * 64, "package": "0"}
        self.put("run.json", json.dumps(document).encode())

    def state(self, **changes: Any) -> None:
        """Write state.json as in the middle of a training, with changes."""
        document: Json = {
            "format": 1,
            "phase": "training",
            "epoch": 12,
            "step": 100,
            "steps_per_epoch": 235,
            "epochs": self.epochs,
            "updated": time.time(),
            "started": self.began,
            "seconds_left": 1160.0,
            "images_per_second": 1967.2,
            "backend": "tensorflow 2.19.0",
            "precision": "float32",
            "devices": [GPU],
            "strategy": "single",
            "gain": None,
            "message": None,
            "exit_code": None,
        }
        self.put("state.json", json.dumps(document | changes).encode())

    def row(self, epoch: int, **changes: Any) -> bytes:
        """Return one line of metrics.jsonl."""
        document: Json = {
            "epoch": epoch,
            "seconds": 30.5,
            "images_per_second": 1967.2,
            "generator_loss": 0.8 + 0.4 * (1 - 0.9**epoch) + 0.05 * (epoch % 3),
            "discriminator_loss": 1.35 - 0.3 * (1 - 0.85**epoch) - 0.03 * (epoch % 2),
            "memory_bytes": 900 * 2**20,
            "device": "GPU:0",
            "legible": round(0.9 * (1 - 0.8**epoch), 3),
            "digits": [60 + 7 * ((3 * digit + epoch) % 10) for digit in range(10)],
            "time": self.began + 30.5 * epoch,
        }
        return json.dumps(document | changes).encode() + b"\n"

    def epoch(self, epoch: int, **changes: Any) -> None:
        """Leave all that an epoch leaves: its line, its picture, a checkpoint."""
        self.sample(epoch)
        with (self.path / "metrics.jsonl").open("ab") as metrics:
            metrics.write(self.row(epoch, **changes))
        self.put("checkpoints/rolling-0001-0000.npz", b"not one really")

    def sample(self, epoch: int) -> bytes:
        """Leave the grid of an epoch: the brighter the later."""
        data = picture(epoch * 4, "PNG")
        self.put(f"samples/epoch-{epoch:04d}.png", data)
        return data

    def trained(self, epochs: int) -> "RunFolder":
        """Fill the folder as after so many epochs."""
        self.settings()
        self.sample(0)
        for epoch in range(1, epochs + 1):
            self.epoch(epoch)
        self.state(epoch=epochs)
        return self


def picture(shade: int, kind: str) -> bytes:
    """Return a small picture of one shade of grey as PNG or GIF."""
    held = io.BytesIO()
    Image.new("L", (120, 120), shade % 256).save(held, kind)
    return held.getvalue()


def draw(order: Order) -> Drawing:
    """Draw noise that the seed decides; every fourth digit is hard to read."""
    images = np.random.default_rng(order.seed).integers(0, 256, (order.count, 28, 28), np.uint8)
    sure = np.where(np.arange(order.count) % 4 == 3, 0.5, 0.98)
    return Drawing(12, images, np.arange(order.count) % 10, sure)


@contextmanager
def served(page: Page) -> Iterator[str]:
    """Serve a page on a free port in a thread; yield its address."""
    running = server(page)
    with bind("127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        try:
            yield address
        finally:
            running.should_exit = True
            thread.join(5)
            assert not thread.is_alive(), "the server did not end"


def answer(page: Page, method: str, address: str, **options: Any) -> httpx.Response:
    """Ask the application without a server; what it raises is not caught."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(page.app(), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8890") as client:
            return await client.request(method, address, **options)

    return anyio.run(ask)


def events(address: str) -> Generator[Event, None, None]:
    """Yield (name, document) of the events as they come."""
    with httpx.stream("GET", f"{address}/api/events", timeout=10) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    """Wait until something holds; return whether it came to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return False
