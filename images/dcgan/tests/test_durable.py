"""A full disk, a file size limit, a lock: one line, the right exit code, nothing lost."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PACKAGE
from dcgan import durable
from dcgan.failure import Failure


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("not run: mounting a small tmpfs needs root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"not run: mounting a small tmpfs: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "file"
    durable.write_bytes(path, b"old")
    with pytest.raises(Failure, match="the disk is full: free some space") as caught:
        durable.write_bytes(path, b"new" * 200_000)
    assert caught.value.exit_code == 75
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in small_disk.iterdir()] == ["file"]


def test_a_size_limit_is_told(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(Failure, match="size limit of this process") as caught:
            durable.write_bytes(tmp_path / "file", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.exit_code == 75
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "exit_code", "words"),
    [
        (errno.EIO, 75, "input/output error"),
        (errno.EROFS, 75, "read-only"),
        (errno.EDQUOT, 75, "quota"),
        (errno.EACCES, 78, "permission denied"),
        (errno.EMFILE, 75, "Too many open files"),
    ],
)
def test_each_disk_error_has_its_way_out(number: int, exit_code: int, words: str) -> None:
    failure = durable.disk_failure("writing", Path("/run/x"), OSError(number, os.strerror(number)))
    assert failure.exit_code == exit_code
    assert words in failure.message
    assert "writing /run/x" in failure.message


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = (
        "import os, signal, sys; from pathlib import Path; from dcgan import durable\n"
        "def write(file): file.write(b'new'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
        "durable.write_with(Path(sys.argv[1]), write)"
    )
    killed = subprocess.run([sys.executable, "-c", program, path], env=os.environ | {"PYTHONPATH": str(PACKAGE)})
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    durable.clear_temporaries(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_locked_by_one_only(tmp_path: Path) -> None:
    with durable.lock(tmp_path):
        with pytest.raises(Failure, match="another training already runs") as caught, durable.lock(tmp_path):
            pass
        assert caught.value.exit_code == 75
    with durable.lock(tmp_path):
        pass


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="opening"), durable.lock(tmp_path / "file"):
        pass
