"""New digits from the newest checkpoint, one drawing at a time.

The generator and the classifier are the package's own, in NumPy; they are imported when the first
digits are asked for, so that the page starts at once. The work runs in a thread that does not hold
up the end of the process.
"""

import asyncio
import base64
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcgan.failure import Failure
from dcgan.page.fields import Json, parse, whole

if TYPE_CHECKING:
    from dcgan.draw import Generator

MOST = 64
SEEDS = 2**32
TRIES = 3


class Refused(Exception):
    """The request cannot be met; one line says why, and `status` is the HTTP status that goes with it."""

    def __init__(self, status: int, line: str) -> None:
        """Say `line`, to be answered with `status`."""
        super().__init__(line)
        self.status = status


@dataclass(frozen=True)
class Order:
    """What was asked for: how many digits, from which seed."""

    count: int
    seed: int

    @classmethod
    def read(cls, body: bytes) -> "Order":
        """Return the order in a request's body, with a seed of our own where it names none."""
        try:
            raw = parse(body)
        except ValueError as error:
            raise Refused(400, f"reading what is to be drawn: {error}") from None
        count, seed = whole(raw.get("count"), 1, MOST), raw.get("seed")
        if count is None:
            raise Refused(400, f"count is to be a whole number from 1 to {MOST}")
        known = secrets.randbelow(SEEDS) if seed is None else whole(seed, 0, SEEDS - 1)
        if known is None:
            raise Refused(400, f"seed is to be a whole number from 0 to {SEEDS - 1}, or null")
        return cls(count, known)


@dataclass(frozen=True)
class Drawing:
    """What was drawn: images uint8 (n, 28, 28), and for each what the classifier reads, how surely."""

    epoch: int
    images: NDArray[np.uint8]
    reads: NDArray[np.int64]
    confidence: NDArray[np.float64]

    def document(self, order: Order) -> Json:
        """Return the answer to the request."""
        from dcgan.picture import grid, png

        digits = zip(self.images, self.reads, self.confidence, strict=True)
        return {
            "seed": order.seed,
            "count": order.count,
            "epoch": self.epoch,
            "image": _base64(png(grid(self.images))),
            "digits": [
                {"image": _base64(_plain(image)), "reads": int(reads), "confidence": round(float(sure), 4)}
                for image, reads, sure in digits
            ],
        }


Draw = Callable[[Order], Drawing]


class Artist:
    """Draws from the newest checkpoint of a run folder, and keeps its generator until there is a newer."""

    def __init__(self, folder: Path) -> None:
        """Draw from the run in `folder`, once asked to."""
        self._folder = folder
        self._path: Path | None = None
        self._generator: Generator | None = None

    def __call__(self, order: Order) -> Drawing:
        """Draw what was ordered; raises `Refused`."""
        from dcgan.evaluate import recognise

        generator = self._newest()
        images = generator.sample(order.count, order.seed)
        reads, confidence = recognise(images)
        return Drawing(generator.epoch, images, reads, confidence)

    def _newest(self) -> "Generator":
        # A rolling checkpoint may be gone between its choice and its reading, for a newer one.
        for _ in range(TRIES):
            try:
                return self._load()
            except (Failure, OSError) as error:
                line = str(error)
        raise Refused(409, f"no checkpoint can be drawn from: {line}")

    def _load(self) -> "Generator":
        from dcgan.checkpoint import newest
        from dcgan.draw import Generator

        path = newest(self._folder)
        if path is None:
            raise Refused(409, "there is no checkpoint yet: the training writes one after its first epoch")
        if self._generator is None or path != self._path:
            self._generator, self._path = Generator.load(path), path
        return self._generator


class Studio:
    """Lets one drawing be made at a time, outside the event loop."""

    def __init__(self, draw: Draw) -> None:
        """Let `draw` do the work."""
        self._draw = draw
        self._busy = False

    async def draw(self, order: Order) -> Json:
        """Return the document of a new drawing; raises `Refused`, with 429 while another is made."""
        if self._busy:
            raise Refused(429, "another drawing is being made: ask again in a moment")
        self._busy = True
        task: Future[Json] = Future()
        # Free again when the work is done, not when the one who asked for it has gone.
        task.add_done_callback(lambda _: self._free())
        threading.Thread(target=self._work, args=(order, task), name="drawing", daemon=True).start()
        return await asyncio.shield(asyncio.wrap_future(task))

    def _free(self) -> None:
        self._busy = False

    def _work(self, order: Order, task: "Future[Json]") -> None:
        try:
            task.set_result(self._draw(order).document(order))
        except Refused as error:
            task.set_exception(error)
        except Exception as error:  # whatever it is, the page goes on and says it
            task.set_exception(Refused(503, f"drawing {order.count} digits: {type(error).__name__}: {error}"))


def _plain(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    from dcgan.picture import png

    return png(Image.fromarray(image))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
