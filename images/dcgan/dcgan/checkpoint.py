"""Checkpoints: a training's whole state in one file, written whole or not at all, verified when read.

A checkpoint is an uncompressed npz. Its arrays are named `group/name`, such as `generator/conv1/kernel`;
`meta` is JSON in UTF-8 and `sha256` a digest of everything else. In a file's name the first number is the
epochs completed: `ckpt-0015.npz` is kept, `rolling-0017-0120.npz` (120 steps into epoch 18) makes room for
newer ones.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan import durable
from dcgan.failure import Failure

FORMAT = 1
FOLDER = "checkpoints"
ROLLING_KEPT = 2
LARGEST = 512 * 2**20
"""Bytes; a checkpoint has some 40 MB. More is not read."""
_NAME = re.compile(r"(?:ckpt-(\d{4,6})|rolling-(\d{4,6})-(\d{4,8}))\.npz")
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, struct.error)
_UNREADABLE_TOO = (NotImplementedError, RuntimeError, UnicodeError, SyntaxError, MemoryError, TypeError)

State = dict[str, dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Checkpoint:
    """What a training goes on from."""

    epoch: int
    """Epochs completed."""
    step: int
    """Steps done in the epoch that has begun, 0 between epochs."""
    state: State
    """Weights, optimiser slots, averages, by group and name."""
    meta: dict[str, Any]
    """What else the training needs to go on: identity, sums so far, the metrics of the epochs completed."""


def kept_path(folder: Path, epoch: int) -> Path:
    """Where the checkpoint that stays after `epoch` epochs lies in the run folder."""
    return folder / FOLDER / f"ckpt-{epoch:04d}.npz"


def rolling_path(folder: Path, epoch: int, step: int) -> Path:
    """Where a checkpoint lies that only serves to go on."""
    return folder / FOLDER / f"rolling-{epoch:04d}-{step:04d}.npz"


def position(path: Path) -> tuple[int, int] | None:
    """(epochs completed, step) from a checkpoint's name; None for any other name."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    kept, epoch, step = match.groups()
    return (int(kept), 0) if kept else (int(epoch), int(step))


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all. Raises `Failure` when the disk does not take it."""
    arrays = {f"{group}/{name}": array for group, tree in checkpoint.state.items() for name, array in tree.items()}
    meta = {**checkpoint.meta, "format": FORMAT, "epoch": checkpoint.epoch, "step": checkpoint.step}
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    arrays["sha256"] = np.frombuffer(_digest(arrays), np.uint8)
    durable.write_with(path, lambda file: np.savez(file, **arrays))


def _digest(arrays: dict[str, NDArray[Any]]) -> bytes:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}\0{array.dtype.str}\0{arrays[name].shape}\0".encode())
        total.update(array.tobytes())
    return total.digest()


def read(path: Path) -> Checkpoint:
    """Read and verify a checkpoint. Raises `Failure` that names the file and what is wrong with it."""
    try:
        arrays = _arrays(path)
        if arrays.pop("sha256").tobytes() != _digest(arrays):
            raise ValueError("its content does not match its digest")
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != FORMAT:
            raise ValueError(f"it has format {meta['format']}, this program reads format {FORMAT}")
        return Checkpoint(int(meta["epoch"]), int(meta["step"]), _grouped(arrays), meta)
    except (*_UNREADABLE, *_UNREADABLE_TOO) as error:
        raise Failure(f"reading the checkpoint {path}: {_reason(error)}: use another one, or train again") from error


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return f"it is damaged ({text})" if isinstance(error, zipfile.BadZipFile | EOFError | zlib.error) else text


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"it has {size} bytes, no checkpoint is larger than {LARGEST}")
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {entry.filename.removesuffix(".npy"): _array(archive, entry, size) for entry in archive.infolist()}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int) -> NDArray[Any]:
    """One array. Nothing is believed that would take more memory than the file is large."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size:
        raise ValueError(f"its entry {entry.filename!r} is not stored as this program stores it")
    content = io.BytesIO(archive.read(entry))
    version = np.lib.format.read_magic(content)  # type: ignore[no-untyped-call]
    if version != (1, 0):
        raise ValueError(f"its entry {entry.filename!r} has array format {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(content)  # type: ignore[no-untyped-call]
    data = content.read()
    if dtype.hasobject or fortran or dtype.itemsize * int(np.prod(shape, dtype=object)) != len(data):
        raise ValueError(f"its entry {entry.filename!r} does not have the size that it states")
    return np.frombuffer(data, dtype).reshape(shape)


def _grouped(arrays: dict[str, NDArray[Any]]) -> State:
    state: State = {}
    for full_name, array in arrays.items():
        group, _, name = full_name.partition("/")
        state.setdefault(group, {})[name] = array
    return state


def paths(folder: Path) -> list[Path]:
    """All checkpoints of the run folder by name, the newest first; kept ones before rolling ones."""
    with suppress(OSError):
        found = [path for path in (folder / FOLDER).iterdir() if position(path) is not None]
        return sorted(found, key=lambda path: (position(path), path.name.startswith("ckpt")), reverse=True)
    return []


def newest(folder: Path) -> Path | None:
    """The newest checkpoint of the run folder that is good; bad ones are named on stderr and left alone."""
    found = newest_read(folder, lambda line: print(line, file=sys.stderr))
    return found[0] if found else None


def newest_read(folder: Path, tell: Callable[[str], object]) -> tuple[Path, Checkpoint] | None:
    """The newest good checkpoint with its content; `tell` gets a line for each bad one that was skipped."""
    for path in paths(folder):
        try:
            return path, read(path)
        except Failure as failure:
            tell(f"skipped: {failure.message}")
    return None


def prune(folder: Path, good: Path) -> None:
    """Remove rolling checkpoints that are older than `good`, which was just written, but for the newest few."""
    rolling = [path for path in paths(folder) if path.name.startswith("rolling") and _not_newer(path, good)]
    for path in rolling[ROLLING_KEPT:]:
        with suppress(OSError):
            path.unlink()


def _not_newer(path: Path, good: Path) -> bool:
    return (position(path) or (0, 0)) <= (position(good) or (0, 0))
