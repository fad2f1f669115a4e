"""Reading files that somebody else writes, with bounds.

Every read is bounded in size, follows no link out of the run folder, and never waits on something
that only looks like a file. A file that is not there is None, since in a run folder that is no
error; any other trouble is `Unreadable` with one line that names the file.
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB

# Not to block on a pipe, and not to be led elsewhere by a link, that somebody laid in the folder.
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Unreadable(Exception):
    """A file is there and cannot be used; the text is one line that names it and says why."""


@dataclass(frozen=True)
class Found:
    """What was read, and the version of the file that it was read from."""

    data: bytes
    version: str


def version(found: os.stat_result) -> str:
    """Return a short name for this very content of a file: another one once it is replaced."""
    key = f"{found.st_ino} {found.st_mtime_ns} {found.st_size}".encode()
    return hashlib.blake2s(key, digest_size=5).hexdigest()


def read(path: Path, limit: int, *, tail: bool = False) -> Found | None:
    """Return what is in the file at `path`, of at most `limit` bytes, or None where there is none.

    A longer file is `Unreadable`, or with `tail` its last `limit` bytes are returned.
    """
    try:
        handle = os.open(path, FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Unreadable(f"reading {path.name}: {_reason(error)}") from None
    try:
        return _read_open(handle, path.name, limit, tail)
    except OSError as error:
        raise Unreadable(f"reading {path.name}: {_reason(error)}") from None
    finally:
        os.close(handle)


def _read_open(handle: int, name: str, limit: int, tail: bool) -> Found:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(f"reading {name}: it is not a plain file")
    if found.st_size > limit and not tail:
        raise Unreadable(f"reading {name}: {found.st_size:,} bytes, more than the {limit:,} that it may have")
    start = max(0, found.st_size - limit)
    return Found(_read_from(handle, start, limit), version(found))


def _read_from(handle: int, start: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    while limit > 0 and (piece := os.pread(handle, min(limit, MIB), start)):
        pieces.append(piece)
        start += len(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
