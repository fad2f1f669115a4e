"""MNIST's images, from a file whose digest is known.

`mnist.json` names the file (url, sha256, size). It is searched at the given path, in `$DCGAN_DATA`, at
`/opt/dcgan-data/mnist.npz` (the offline payload) and in the run folder; if it is nowhere, it is downloaded
into the run folder, where a later run finds it. Another file is taken only with its own digest.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan import durable
from dcgan.failure import NEEDS_SOMEBODY, NOT_NOW, Failure
from dcgan.settings import SIDE

PAYLOAD = Path("/opt/dcgan-data/mnist.npz")
VARIABLE = "DCGAN_DATA"
NAME = "mnist.npz"
LARGEST = 256 * 2**20
"""Bytes of a data file, on disk and unpacked, beyond which it is not read."""
TIMEOUT = 30.0
"""Seconds without a byte after which a download is given up."""
_BLOCK = 2**18
_WAY_OUT = f"bring the file and give its path with --data or ${VARIABLE}"


@dataclass(frozen=True)
class Source:
    """A data file that is known by its digest."""

    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Mnist:
    """Images (count, 28, 28) and labels (count,), as bytes."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    sha256: str
    """Digest of the file that they come from."""


def pinned() -> Source:
    """The file that `mnist.json` names."""
    fields = json.loads(Path(__file__).with_name("mnist.json").read_text("utf-8"))
    return Source(fields["url"], fields["sha256"], fields["size"])


def load(folder: Path, given: Path | None = None, sha256: str | None = None, source: Source | None = None) -> Mnist:
    """Find or download the data and read it. Raises `Failure` that says what to do.

    `folder` is the run folder, `given` and `sha256` are --data and --data-sha256, `source` is what to
    download when nothing is found (`mnist.json` unless told).
    """
    source = source or pinned()
    wanted = (sha256 or source.sha256).lower()
    path = _found(folder, given)
    if path is None:
        if wanted != source.sha256:
            raise Failure(f"--data-sha256 names a file that is not {source.url}: give its path with --data")
        path = folder / NAME
        download(source, path)
    content = _content(path)
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise Failure(
            f"reading {path}: its sha256 is {found}, not {wanted}: {_digest_way_out(path, folder, sha256)}",
        )
    return _mnist(content, path, found)


def _digest_way_out(path: Path, folder: Path, sha256: str | None) -> str:
    if path == folder / NAME:
        return "remove it, then it is downloaded again"
    return "correct --data-sha256" if sha256 else "bring the right file, or say --data-sha256 if you want this one"


def _found(folder: Path, given: Path | None) -> Path | None:
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise Failure(f"there is no data file at {named}: correct --data or ${VARIABLE}")
        return named
    return next((path for path in (PAYLOAD, folder / NAME) if path.is_file()), None)


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise Failure(f"reading {path}: it has {size} bytes, more than any data file this program reads")
        return path.read_bytes()
    except OSError as error:
        raise durable.disk_failure("reading", path, error) from error


def download(source: Source, path: Path) -> None:
    """Download `source` to `path`, going on where an earlier try broke off. Raises `Failure`."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(source, part)
        _verified(source, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        durable.sync_folder(path.parent)
    except urllib.error.HTTPError as error:
        told = f"the server answered {error.code} {error.reason}"
        exit_code = NOT_NOW if error.code >= 500 else NEEDS_SOMEBODY
        raise Failure(f"downloading {source.url}: {told}: {_WAY_OUT}", exit_code) from error
    except (urllib.error.URLError, TimeoutError, http.client.HTTPException, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise Failure(
            f"downloading {source.url}: {reason}: it goes on at the next start, or {_WAY_OUT}", NOT_NOW
        ) from error
    except OSError as error:
        raise durable.disk_failure("downloading to", part, error) from error


def _fetch(source: Source, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have >= source.size:
        return
    request = urllib.request.Request(source.url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        goes_on = have > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        with part.open("ab" if goes_on else "wb") as file:
            left = source.size - (have if goes_on else 0)
            while block := answer.read(min(_BLOCK, left + 1)):
                left -= len(block)
                if left < 0:
                    break
                file.write(block)
    if left != 0:
        _refuse_length(source, part, left)


def _refuse_length(source: Source, part: Path, left: int) -> None:
    if left < 0:
        part.unlink()
        raise Failure(f"downloading {source.url}: it is larger than the {source.size} bytes it should be: {_WAY_OUT}")
    raise Failure(
        f"downloading {source.url}: it broke off {left} bytes before the end: it goes on at the next start",
        NOT_NOW,
    )


def _verified(source: Source, part: Path) -> None:
    found = hashlib.sha256(part.read_bytes()).hexdigest()
    if found != source.sha256:
        part.unlink()
        raise Failure(f"downloading {source.url}: its sha256 is {found}, not {source.sha256}: {_WAY_OUT}")


def _mnist(content: bytes, path: Path, sha256: str) -> Mnist:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise ValueError("it unpacks to more than any data file this program reads")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            train = _pair(arrays["x_train"], arrays["y_train"])
            test = _pair(arrays["x_test"], arrays["y_test"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Failure(f"reading {path}: it is no MNIST file ({error}): {_WAY_OUT}") from error
    return Mnist(*train, *test, sha256)


def _pair(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE) or len(images) == 0:
        raise ValueError(f"images of type {images.dtype} and shape {images.shape}, not bytes of (count, 28, 28)")
    if labels.dtype != np.uint8 or labels.shape != (len(images),) or labels.max() > 9:
        raise ValueError(f"labels of type {labels.dtype} and shape {labels.shape} for {len(images)} images")
    return images, labels
