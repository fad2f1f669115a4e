"""New digits: what is asked for, what comes of it, and how checkpoints that come and go are borne."""

import base64
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan import checkpoint
from dcgan.failure import Failure
from dcgan.page.app import Page
from dcgan.page.drawing import Artist, Drawing, Order, Refused
from page_stand_in import JSON, RunFolder, answer, served

SEED_7 = Order(3, 7)


def test_new_digits_come_with_what_is_read_in_them(page: Page) -> None:
    drawing = answer(page, "POST", "/api/digits", json={"count": 5, "seed": 42}).json()
    assert (drawing["count"], drawing["seed"], drawing["epoch"]) == (5, 42, 12)
    assert [digit["reads"] for digit in drawing["digits"]] == [0, 1, 2, 3, 4]
    assert drawing["digits"][3]["confidence"] == 0.5
    for image in [drawing["image"], *(digit["image"] for digit in drawing["digits"])]:
        assert base64.b64decode(image).startswith(b"\x89PNG")
    again = answer(page, "POST", "/api/digits", json={"count": 5, "seed": 42}).json()
    assert again == drawing


def test_without_a_seed_each_drawing_has_its_own() -> None:
    seeds = {Order.read(b'{"count": 1, "seed": null}').seed for _ in range(4)}
    assert len(seeds) == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{", 400),
        (b"[" * 4000, 400),
        (b'{"count": 0}', 400),
        (b'{"count": 65}', 400),
        (b'{"count": "16"}', 400),
        (b'{"count": true}', 400),
        (b'{"count": NaN}', 400),
        (b'{"count": 1.5}', 400),
        (b'{"count": 1, "seed": -1}', 400),
        (b'{"count": 1, "seed": 4294967296}', 400),
        (b'{"count": 1, "seed": "1"}', 400),
        (b'{"count": 1' + b"0" * 5000 + b"}", 413),
        (b'{"count": 1}' + b" " * 5000, 413),
        (b"\xff\xfe", 400),
    ],
)
def test_a_bad_order_is_refused_in_one_line(page: Page, body: bytes, status: int) -> None:
    refusal = answer(page, "POST", "/api/digits", content=body, headers=JSON)
    assert refusal.status_code == status
    assert "\n" not in refusal.json()["error"]


def test_a_body_that_never_ends_is_not_waited_for(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan.page.guard.BODY_SECONDS", 0.1)

    async def ask() -> int:
        messages = iter([{"type": "http.request", "body": b"{", "more_body": True}])
        sent: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            if (message := next(messages, None)) is None:
                await anyio.sleep(60)
            return message or {}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/digits",
            "headers": headers,
            "query_string": b"",
        }
        with anyio.fail_after(5):
            await page.app()(scope, receive, send)  # type: ignore[arg-type]
        return int(str(sent[0]["status"]))

    assert anyio.run(ask) == 408


def test_one_drawing_at_a_time(run_folder: RunFolder) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slowly(order: Order) -> Drawing:
        begun.set()
        go_on.wait(10)
        raise Refused(409, "enough")

    with served(Page(run_folder.path, draw=slowly)) as address, httpx.Client(base_url=address, timeout=10) as client:
        first = threading.Thread(target=lambda: client.post("/api/digits", json={"count": 1}))
        first.start()
        assert begun.wait(5)
        second = client.post("/api/digits", json={"count": 1})
        assert second.status_code == 429
        assert "another drawing" in second.json()["error"]
        assert client.get("/healthz").text == "ok\n", "the page answers while it draws"
        go_on.set()
        first.join(5)
        assert client.post("/api/digits", json={"count": 1}).status_code == 409


def test_a_drawing_that_fails_is_a_line_and_not_the_end(run_folder: RunFolder) -> None:
    def broken(order: Order) -> Drawing:
        raise MemoryError("no room")

    page = Page(run_folder.path, draw=broken)
    for _ in range(2):
        refusal = answer(page, "POST", "/api/digits", json={"count": 3})
        assert refusal.status_code == 503
        assert refusal.json()["error"] == "drawing 3 digits: MemoryError: no room"


class Core:
    """The core as the page sees it, with checkpoints that a test makes come and go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this core in place of the real one."""
        self.newest: Path | None = Path("ckpt-0015.npz")
        self.bad = 0
        self.loaded: list[Path] = []
        self.part(monkeypatch, "checkpoint", newest=lambda folder: self.newest)
        self.part(monkeypatch, "draw", Generator=self)
        self.part(monkeypatch, "evaluate", recognise=lambda images: (images[:, 0, 0], images[:, 0, 0] / 255))

    def part(self, monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
        """Put a module in place of the core's."""
        module = ModuleType(f"dcgan.{name}")
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(self, path: Path) -> "Core":
        """Load a checkpoint, or find it bad."""
        if self.bad:
            self.bad -= 1
            raise Failure(f"reading {path}: its digest differs")
        self.loaded.append(path)
        self.epoch = int(path.stem.split("-")[1])
        return self

    def sample(self, count: int, seed: int) -> NDArray[np.uint8]:
        """Draw shades of grey."""
        return np.full((count, 28, 28), seed, np.uint8)


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    """A core in place of the real one."""
    return Core(monkeypatch)


def test_the_newest_checkpoint_is_loaded_once(core: Core, tmp_path: Path) -> None:
    artist = Artist(tmp_path)
    assert [artist(SEED_7).epoch for _ in range(3)] == [15, 15, 15]
    assert len(core.loaded) == 1
    core.newest = Path("ckpt-0030.npz")
    drawing = artist(SEED_7)
    assert drawing.epoch == 30
    assert drawing.images.shape == (3, 28, 28)
    assert list(drawing.reads) == [7, 7, 7]


def test_without_a_checkpoint_there_is_a_line(core: Core, tmp_path: Path) -> None:
    core.newest = None
    with pytest.raises(Refused, match="no checkpoint yet") as refused:
        Artist(tmp_path)(SEED_7)
    assert refused.value.status == 409


def test_a_checkpoint_that_vanishes_is_tried_again_and_a_bad_one_is_named(core: Core, tmp_path: Path) -> None:
    core.bad = 1
    assert Artist(tmp_path)(SEED_7).epoch == 15
    core.bad = 99
    with pytest.raises(Refused, match=r"drawn from: reading ckpt-0015\.npz: its digest differs"):
        Artist(tmp_path)(SEED_7)


SHAPES: dict[str, tuple[int, ...]] = {
    "dense/kernel": (100, 12544),
    "conv1/kernel": (5, 5, 128, 256),
    "conv2/kernel": (5, 5, 64, 128),
    "conv3/kernel": (5, 5, 1, 64),
}
CHANNELS = {"norm0": 12544, "norm1": 128, "norm2": 64}


def untrained(path: Path, epoch: int) -> None:
    """Write a checkpoint of a generator that has learned nothing."""
    chance = np.random.default_rng(epoch)
    weights = {name: chance.normal(0, 0.05, shape).astype(np.float32) for name, shape in SHAPES.items()}
    for name, channels in CHANNELS.items():
        weights |= {f"{name}/{part}": np.ones(channels, np.float32) for part in ("scale", "variance")}
        weights |= {f"{name}/{part}": np.zeros(channels, np.float32) for part in ("offset", "mean")}
    checkpoint.write(path, checkpoint.Checkpoint(epoch, 0, {"average": weights}, {}))


def test_the_real_generator_and_classifier_answer(tmp_path: Path) -> None:
    untrained(checkpoint.kept_path(tmp_path, 15), 15)
    page = Page(tmp_path)
    first = answer(page, "POST", "/api/digits", json={"count": 3, "seed": 1})
    assert first.status_code == 200
    drawing = first.json()
    assert (drawing["epoch"], len(drawing["digits"])) == (15, 3)
    assert all(0 <= one["reads"] <= 9 and 0 <= one["confidence"] <= 1 for one in drawing["digits"])
    assert answer(page, "POST", "/api/digits", json={"count": 3, "seed": 1}).json() == drawing
    newer = checkpoint.rolling_path(tmp_path, 16, 0)
    untrained(newer, 16)
    assert answer(page, "POST", "/api/digits", json={"count": 1}).json()["epoch"] == 16
    newer.write_bytes(newer.read_bytes()[:-1000])
    assert answer(page, "POST", "/api/digits", json={"count": 1}).json()["epoch"] == 15, "the newest good one"
