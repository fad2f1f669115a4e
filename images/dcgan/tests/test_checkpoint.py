"""Checkpoints are whole or not there; what is damaged is found, named, skipped and left alone."""

from __future__ import annotations

import random
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dcgan import checkpoint
from dcgan.checkpoint import Checkpoint
from dcgan.failure import Failure


def small(epoch: int = 3, step: int = 0, value: float = 1.0) -> Checkpoint:
    """A checkpoint with little in it."""
    weights = {"conv1/kernel": np.full((2, 3), value, np.float32), "conv1/bias": np.zeros((), np.float32)}
    return Checkpoint(epoch, step, {"generator": weights, "count": {"steps": np.float32(7) * np.ones(())}}, {"a": [1]})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = checkpoint.rolling_path(tmp_path, 3, 0)
    checkpoint.write(path, small())
    return path


def test_a_checkpoint_comes_back(written: Path) -> None:
    read = checkpoint.read(written)
    assert (read.epoch, read.step, read.meta["a"]) == (3, 0, [1])
    assert read.state["generator"]["conv1/kernel"].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert read.state["generator"]["conv1/bias"].shape == ()
    assert list(written.parent.iterdir()) == [written]


def test_every_truncation_is_found(written: Path) -> None:
    content = written.read_bytes()
    for length in range(0, len(content), 7):
        written.write_bytes(content[:length])
        with pytest.raises(Failure, match=written.name):
            checkpoint.read(written)


def test_every_flipped_bit_is_found_or_harmless(written: Path) -> None:
    """The digest covers all content; a bit of the zip's own dates and the like may flip without harm."""
    content, good = written.read_bytes(), checkpoint.read(written)
    chance = random.Random(1)
    for position in chance.sample(range(len(content)), 400):
        damaged = bytearray(content)
        damaged[position] ^= 1 << chance.randrange(8)
        written.write_bytes(damaged)
        with suppress(Failure):
            read = checkpoint.read(written)
            assert np.array_equal(read.state["generator"]["conv1/kernel"], good.state["generator"]["conv1/kernel"])
            assert read.meta == good.meta


def test_any_bytes_are_refused_in_one_line(tmp_path: Path) -> None:
    chance = random.Random(2)
    path = tmp_path / "ckpt-0001.npz"
    for _ in range(200):
        path.write_bytes(chance.choice([b"", b"PK\x03\x04", b"PK\x05\x06"]) + chance.randbytes(chance.randrange(400)))
        with pytest.raises(Failure) as caught:
            checkpoint.read(path)
        assert "\n" not in caught.value.message


def test_nothing_is_unpacked_or_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "ckpt-0001.npz"
    np.savez_compressed(path, meta=np.zeros(10**6))
    with pytest.raises(Failure, match="not stored as"):
        checkpoint.read(path)
    objects: Any = np.array([{}], object)
    np.savez(path, meta=objects)
    with pytest.raises(Failure, match="size that it states"):
        checkpoint.read(path)


def test_a_stated_size_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "ckpt-0001.npz"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 8)
    with pytest.raises(Failure, match="size that it states"):
        checkpoint.read(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ckpt-0001.npz"
    with path.open("wb") as file:
        file.truncate(checkpoint.LARGEST + 1)
    with pytest.raises(Failure, match="no checkpoint is larger"):
        checkpoint.read(path)


def test_names_tell_the_position() -> None:
    assert checkpoint.position(Path("ckpt-0015.npz")) == (15, 0)
    assert checkpoint.position(Path("rolling-0017-0120.npz")) == (17, 120)
    for other in ("ckpt-0015.npz.12.partial", "ckpt-15.npz", "rolling-0017.npz", "x"):
        assert checkpoint.position(Path(other)) is None


def test_the_newest_good_one_is_used_and_bad_ones_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for epoch, step in ((1, 0), (2, 5), (2, 40)):
        checkpoint.write(checkpoint.rolling_path(tmp_path, epoch, step), small(epoch, step))
    checkpoint.write(checkpoint.kept_path(tmp_path, 3), small(3))
    assert checkpoint.newest(tmp_path) == checkpoint.kept_path(tmp_path, 3)
    for bad in (checkpoint.kept_path(tmp_path, 3), checkpoint.rolling_path(tmp_path, 2, 40)):
        bad.write_bytes(bad.read_bytes()[:-100])
    assert checkpoint.newest(tmp_path) == checkpoint.rolling_path(tmp_path, 2, 5)
    assert [name in capsys.readouterr().err for name in ("ckpt-0003.npz",)] == [True]


def test_an_empty_or_missing_folder_has_none(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path) is None
    assert checkpoint.newest(tmp_path / "nowhere") is None


def test_pruning_keeps_what_may_be_needed(tmp_path: Path) -> None:
    """Kept ones stay, two rolling ones stay, and what is newer than the good one is not touched."""
    for epoch in range(1, 6):
        checkpoint.write(checkpoint.rolling_path(tmp_path, epoch, 0), small(epoch))
    checkpoint.write(checkpoint.kept_path(tmp_path, 1), small(1))
    checkpoint.prune(tmp_path, checkpoint.rolling_path(tmp_path, 4, 0))
    names = sorted(path.name for path in checkpoint.paths(tmp_path))
    assert names == ["ckpt-0001.npz", "rolling-0003-0000.npz", "rolling-0004-0000.npz", "rolling-0005-0000.npz"]


def test_a_failed_write_leaves_the_old_one(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = written.read_bytes()

    def broken(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(Failure, match="the disk is full") as caught:
        checkpoint.write(written, small(value=2.0))
    assert caught.value.exit_code == 75
    assert written.read_bytes() == before
    assert list(written.parent.iterdir()) == [written]
