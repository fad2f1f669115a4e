"""One look at a run folder: everything that the page shows but the pictures themselves."""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dcgan.page.epochs import Epochs
from dcgan.page.fields import Json
from dcgan.page.files import MIB, Found, Unreadable, read, version
from dcgan.page.status import read_settings, read_state

PNG_LIMIT = 2 * MIB
GIF_LIMIT = 16 * MIB
LISTED = 20_000
"""Entries of a folder that are looked at; a training leaves one picture an epoch."""

SAMPLE = re.compile(r"epoch-(\d{4,7})\.png", re.ASCII)
CHECKPOINT = re.compile(r"(ckpt|rolling)-.*\.npz")

NO_FOLDER = "The run folder is not there yet."
NO_STATE = "The training has written nothing yet."


@dataclass(frozen=True)
class Snapshot:
    """What was found at one moment; equal snapshots show the same page."""

    state: Json | None
    problem: str | None
    settings: Json
    run: str
    can_draw: bool
    epochs: tuple[Json, ...] = field(repr=False)
    samples: dict[int, str] = field(repr=False)
    gif: str | None

    def status(self) -> Json:
        """Return the document that `/api/state` answers with, less the pictures."""
        updated = self.state["updated"] if self.state else None
        return {
            "state": self.state,
            "problem": self.problem,
            "settings": self.settings,
            "run": self.run,
            "age_seconds": None if updated is None else round(max(0.0, time.time() - updated), 1),
            "can_draw": self.can_draw,
        }

    def pictures(self) -> Json:
        """Return which pictures there are, each with its version."""
        return {"samples": self.samples, "gif": self.gif}

    def after(self, epoch: int) -> Json:
        """Return the rows after `epoch`, as `/api/metrics` answers."""
        last = self.epochs[-1]["epoch"] if self.epochs else 0
        return {"run": self.run, "last": last, "epochs": [row for row in self.epochs if row["epoch"] > epoch]}


class Watch:
    """A run folder that is looked at again and again, from any thread."""

    def __init__(self, folder: Path) -> None:
        """Look at `folder`, once asked to."""
        self.folder = folder
        self._epochs = Epochs(folder)
        self._lock = threading.Lock()

    def look(self) -> Snapshot:
        """Return what is in the folder now; it raises nothing, whatever is there."""
        with self._lock:
            epochs, epochs_problem = self._epochs.read()
        state, problem = read_state(self.folder)
        settings = read_settings(self.folder)
        return Snapshot(
            state=state,
            problem=problem or epochs_problem or (None if state else self._nothing()),
            settings=settings,
            run=_run(settings, epochs),
            can_draw=any(CHECKPOINT.fullmatch(entry.name) for entry in _entries(self.folder / "checkpoints")),
            epochs=epochs,
            samples=dict(sorted(_samples(self.folder / "samples"))),
            gif=_version(self.folder / "dcgan.gif", GIF_LIMIT),
        )

    def sample(self, epoch: int) -> Found | None:
        """Return the grid of that epoch, None where there is none; raises `Unreadable`."""
        path = self.folder / "samples" / f"epoch-{epoch:04d}.png"
        return _whole(read(path, PNG_LIMIT), path.name, b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82")

    def gif(self) -> Found | None:
        """Return the GIF of all grids, None where there is none; raises `Unreadable`."""
        path = self.folder / "dcgan.gif"
        return _whole(read(path, GIF_LIMIT), path.name, b"GIF8", b"\x3b")

    def _nothing(self) -> str:
        return NO_STATE if self.folder.is_dir() else NO_FOLDER


def _whole(found: Found | None, name: str, start: bytes, end: bytes) -> Found | None:
    if found and not (found.data.startswith(start) and found.data.endswith(end)):
        raise Unreadable(f"reading {name}: it is not a whole picture")
    return found


def _run(settings: Json, epochs: tuple[Json, ...]) -> str:
    """Name the run: a resume keeps the name, another run in the same folder has another."""
    began = epochs[0]["time"] if epochs else None
    key = json.dumps([settings, began], sort_keys=True).encode()
    return hashlib.blake2s(key, digest_size=5).hexdigest()


def _samples(folder: Path) -> Iterator[tuple[int, str]]:
    for entry in _entries(folder):
        named = SAMPLE.fullmatch(entry.name)
        if named and (found := _version(Path(entry.path), PNG_LIMIT)):
            yield int(named[1]), found


def _version(path: Path, limit: int) -> str | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return version(found) if 0 < found.st_size <= limit else None


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            for _, entry in zip(range(LISTED), entries, strict=False):
                yield entry
    except (OSError, ValueError):
        return
