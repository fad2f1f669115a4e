"""Files that are there whole or not at all, whatever happens while they are written.

The bytes go to a temporary name beside the target, are synced, and are renamed onto it; then the folder is
synced, so that the new name outlives a power cut. What a dead process left is cleared by `clear_temporaries`.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dcgan.failure import NEEDS_SOMEBODY, NOT_NOW, Failure

TEMPORARY = ".partial"
"""The ending of a file that is still being written."""

_WAY_OUT = {
    errno.ENOSPC: (NOT_NOW, "the disk is full: free some space, the training goes on where it was"),
    errno.EDQUOT: (NOT_NOW, "the disk quota is used up: free some space, the training goes on where it was"),
    errno.EFBIG: (NOT_NOW, "the file would grow over the size limit of this process: raise it (ulimit -f)"),
    errno.EIO: (NOT_NOW, "the disk reports an input/output error: look at `dmesg` before trusting it further"),
    errno.EROFS: (NOT_NOW, "the file system is read-only: look at `dmesg`, then remount it writable"),
    errno.EACCES: (NEEDS_SOMEBODY, "permission denied: the folder must belong to the user that trains"),
    errno.EPERM: (NEEDS_SOMEBODY, "not permitted: the folder must belong to the user that trains"),
}


def disk_failure(doing: str, path: Path, error: OSError) -> Failure:
    """Turn an `OSError` into a failure that says what to do about it."""
    known = _WAY_OUT.get(error.errno or 0)
    exit_code, way_out = known or (NOT_NOW, f"{error.strerror or error}")
    return Failure(f"{doing} {path}: {way_out}", exit_code)


def write_bytes(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Put `content` at `path`, whole or not at all. Raises `Failure` when the disk does not take it.

    Without `sync` a power cut may bring back what was there before.
    """
    write_with(path, lambda file: file.write(content), sync=sync)


def write_with(path: Path, write: Callable[[BinaryIO], object], *, sync: bool = True) -> None:
    """Let `write` fill a file that then takes the place of `path`. Raises `Failure` when the disk does not take it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise disk_failure("writing", path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in `folder` outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_temporaries(folder: Path) -> None:
    """Remove what a process that died while writing left in `folder`. Only who holds the lock may call this."""
    for leftover in folder.glob(f"*{TEMPORARY}"):
        with suppress(OSError):
            leftover.unlink()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for one training. Raises `Failure` when another process holds it."""
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise disk_failure("opening", path, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"another training already runs in {folder}: wait for it or stop it, or train with another --folder",
                NOT_NOW,
            ) from None
        yield
