"""Live updates as server-sent events.

Nothing is pushed into queues: each listener remembers the snapshot that it last sent and sends how
the present one differs, so that a slow one skips what has passed and costs no memory. All listeners
share one look at the folder a period, and with none there is no look at all.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator

from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from dcgan.page.fields import Json
from dcgan.page.watch import Snapshot, Watch

SIGN_OF_LIFE = 5.0
"""Seconds after which the state is sent again though nothing changed: the reader knows that we live."""

SEND_LIMIT = 20.0
"""Seconds that a listener may take to accept what it is sent; then its place is given to another."""


class Full(Exception):
    """As many are listening as may."""


class Feed:
    """The looks at one run folder, shared by at most `limit` listeners."""

    def __init__(self, watch: Watch, limit: int = 16, period: float = 1.0) -> None:
        """Look at most once in half a period of seconds."""
        self._watch = watch
        self._limit = limit
        self._period = period
        self._listeners = 0
        self._looking = asyncio.Lock()
        self._looked = float("-inf")
        self._snapshot: Snapshot | None = None
        self._closing = asyncio.Event()

    async def now(self) -> Snapshot:
        """Return a snapshot that is no older than half a period."""
        async with self._looking:
            if self._snapshot is None or time.monotonic() - self._looked > self._period / 2:
                self._snapshot = await asyncio.to_thread(self._watch.look)
                self._looked = time.monotonic()
            return self._snapshot

    def close(self) -> None:
        """End every stream: the server is about to."""
        self._closing.set()

    def enter(self) -> None:
        """Take a listener's place; raises `Full`."""
        if self._listeners >= self._limit:
            raise Full(f"{self._limit} are listening already, which is as many as may")
        self._listeners += 1

    def leave(self) -> None:
        """Give a listener's place back."""
        self._listeners -= 1

    async def listen(self) -> AsyncIterator[bytes]:
        """Yield events until the server closes; the reader's going away ends it from outside."""
        yield b"retry: 2000\n\n"
        shown: Snapshot | None = None
        told = float("-inf")
        while not self._closing.is_set():
            snapshot = await self.now()
            overdue = time.monotonic() - told >= SIGN_OF_LIFE
            for event in changes(shown, snapshot, overdue=overdue):
                yield event
                told = time.monotonic()
            shown = snapshot
            await self._pause()

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), self._period)
        except TimeoutError:
            return


class EventStream(StreamingResponse):
    """The answer to one listener, whose place is taken already and is given back at the end."""

    def __init__(self, feed: Feed) -> None:
        """Answer with what `feed` has to tell."""
        super().__init__(feed.listen(), media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until either side goes, or until the reader stalls."""

        async def send_soon(message: Message) -> None:
            await asyncio.wait_for(send(message), SEND_LIMIT)

        try:
            await super().__call__(scope, receive, send_soon)
        except TimeoutError:
            return
        finally:
            self._feed.leave()


def changes(old: Snapshot | None, new: Snapshot, *, overdue: bool = False) -> Iterator[bytes]:
    """Yield the events that lead from one snapshot to another; `overdue` sends the state in any case."""
    if old is None or overdue or _said(old) != _said(new):
        yield event("state", new.status())
    if old is None or old.pictures() != new.pictures():
        yield event("pictures", new.pictures())
    if old is None or (old.run, old.epochs) != (new.run, new.epochs):
        yield event("epochs", _rows(old, new))


def event(name: str, document: Json) -> bytes:
    """Return one event as it goes over the wire."""
    return f"event: {name}\ndata: {json.dumps(document, separators=(',', ':'))}\n\n".encode()


def _said(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.state, snapshot.problem, snapshot.settings, snapshot.run, snapshot.can_draw


def _rows(old: Snapshot | None, new: Snapshot) -> Json:
    known = len(old.epochs) if old else 0
    grown = old is not None and old.run == new.run and new.epochs[:known] == old.epochs
    rows = new.epochs[known:] if grown else new.epochs
    return {"run": new.run, "reset": not grown, "epochs": list(rows)}
