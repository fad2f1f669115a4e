"""metrics.jsonl: one row an epoch, read again only when the file has changed.

The file grows by a line an epoch, and a resumed training may have dropped its last lines. What
cannot be read as a row is passed over: a last line without its line feed is one that is still being
written. When an epoch stands there twice the later line holds.
"""

import os
from pathlib import Path

from dcgan.page.fields import Json, number, parse, sequence, text, whole
from dcgan.page.files import MIB, Unreadable, read

LIMIT = 4 * MIB
"""Bytes that are read, from the end: about 16,000 epochs."""

LINE_LIMIT = 4096
LAST_EPOCH = 10**7


class Epochs:
    """The rows of one run folder's metrics.jsonl, kept until the file is another."""

    def __init__(self, folder: Path) -> None:
        """Read from the run in `folder`, once asked to."""
        self._path = folder / "metrics.jsonl"
        self._seen: tuple[int, int, int] | None = None
        self._rows: tuple[Json, ...] = ()
        self._problem: str | None = None

    def read(self) -> tuple[tuple[Json, ...], str | None]:
        """Return the rows by epoch, and one line where the file is there and cannot be read."""
        seen = _identity(self._path)
        if seen is None or seen != self._seen:
            self._rows, self._problem = self._read()
            self._seen = seen
        return self._rows, self._problem

    def _read(self) -> tuple[tuple[Json, ...], str | None]:
        try:
            found = read(self._path, LIMIT, tail=True)
        except Unreadable as error:
            return (), str(error)
        return rows(found.data if found else b""), None


def rows(data: bytes) -> tuple[Json, ...]:
    """Return the rows in `data`, the content (or the tail) of a metrics file, by rising epoch."""
    found = (row(line) for line in data.split(b"\n")[:-1] if 2 <= len(line) <= LINE_LIMIT)
    by_epoch = {one["epoch"]: one for one in found if one is not None}
    return tuple(by_epoch[epoch] for epoch in sorted(by_epoch))


def row(line: bytes) -> Json | None:
    """Return one checked row, or None if the line is none. A value that is no number is null."""
    try:
        raw = parse(line)
    except ValueError:
        return None
    epoch = whole(raw.get("epoch"), 1, LAST_EPOCH)
    if epoch is None:
        return None
    return {
        "epoch": epoch,
        "seconds": number(raw.get("seconds"), 0),
        "images_per_second": number(raw.get("images_per_second"), 0),
        "generator_loss": number(raw.get("generator_loss")),
        "discriminator_loss": number(raw.get("discriminator_loss")),
        "memory_bytes": whole(raw.get("memory_bytes")),
        "device": text(raw.get("device")),
        "legible": number(raw.get("legible"), 0, 1),
        "digits": _counts(raw.get("digits")),
        "time": number(raw.get("time"), 0),
    }


def _counts(raw: object) -> list[int] | None:
    counts = [whole(count) for count in sequence(raw, 11)]
    known = [count for count in counts if count is not None]
    return known if len(counts) == len(known) == 10 else None


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
