"""Drawing digits and reading them, without any framework."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conftest import PACKAGE
from dcgan import checkpoint, draw, evaluate, picture
from dcgan.checkpoint import Checkpoint
from dcgan.draw import Generator
from dcgan.failure import Failure


def weights() -> dict[str, NDArray[np.float32]]:
    """Some weights of the right shapes."""
    return {name: np.full(shape, 0.01, np.float32) for name, shape in draw._SHAPES.items()}


def test_digits_are_the_same_for_the_same_seed() -> None:
    generator = Generator(weights(), 3)
    first, again, other = generator.sample(3, 1), generator.sample(3, 1), generator.sample(3, 2)
    assert first.shape == (3, 28, 28)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_digits_are_no_problem() -> None:
    assert Generator(weights(), 3).sample(0, 1).shape == (0, 28, 28)
    assert evaluate.recognise(np.zeros((0, 28, 28), np.uint8))[0].shape == (0,)
    assert evaluate.score(np.zeros((0, 28, 28), np.uint8)).legible == 0.0


def test_a_generator_is_loaded_from_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "ckpt-0007.npz"
    checkpoint.write(path, Checkpoint(7, 0, {"average": dict(weights())}, {}))
    assert Generator.load(path).epoch == 7
    checkpoint.write(path, Checkpoint(7, 0, {"average": {"dense/kernel": np.zeros((2, 2), np.float32)}}, {}))
    with pytest.raises(Failure, match="use another checkpoint"):
        Generator.load(path)


def test_real_digits_are_read_rightly(real_digits: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    images, labels = real_digits
    digits, confidence = evaluate.recognise(images)
    assert (digits == labels).mean() >= 0.99
    assert (confidence >= evaluate.CONFIDENCE).mean() > 0.97
    score = evaluate.score(images)
    assert min(score.digits) > 800
    assert sum(score.digits) == round(score.legible * len(images))


def test_what_is_no_digit_is_seldom_legible(real_digits: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    """A classifier answers something for anything: halves of two digits, put together, are its hard case."""
    images, _ = real_digits
    mixed = np.concatenate([images[:1000, :14], images[1000:2000, 14:]], axis=1)
    assert evaluate.score(mixed).legible < 0.7
    assert evaluate.score(np.zeros((10, 28, 28), np.uint8)).legible == 0.0


def test_the_classifier_is_small() -> None:
    assert evaluate.WEIGHTS.stat().st_size <= 200_000


@pytest.mark.parametrize(("count", "size"), [(1, (96, 96)), (16, (366, 366)), (5, (276, 186))])
def test_the_grid_is_as_square_as_can_be(count: int, size: tuple[int, int]) -> None:
    images = np.full((count, 28, 28), 255, np.uint8)
    grid = picture.grid(images)
    assert grid.size == size
    assert Image.open(io.BytesIO(picture.png(grid))).size == size


def test_the_gif_has_a_frame_for_each_picture_that_can_be_read(tmp_path: Path) -> None:
    paths = [tmp_path / f"epoch-{number:04d}.png" for number in range(4)]
    for number, path in enumerate(paths):
        picture.write_grid(path, np.full((4, 28, 28), 60 * number, np.uint8))
    paths[1].write_bytes(b"no picture")
    picture.write_gif(tmp_path / "dcgan.gif", paths)
    with Image.open(tmp_path / "dcgan.gif") as gif:
        assert getattr(gif, "n_frames", 1) == 3


def test_no_pictures_make_no_gif(tmp_path: Path) -> None:
    picture.write_gif(tmp_path / "dcgan.gif", [tmp_path / "nowhere.png"])
    assert list(tmp_path.iterdir()) == []


def test_drawing_and_reading_load_no_framework() -> None:
    program = (
        "import sys, dcgan.draw, dcgan.evaluate, dcgan.picture, dcgan.folder, dcgan.cli\n"
        "loaded = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PACKAGE, check=True)


@pytest.mark.parametrize("command", [("sample", "--out", "x.png"), ("evaluate",)])
def test_without_a_checkpoint_the_way_out_is_told(run: Any, tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = run(*command, "--folder", str(tmp_path))
    assert ended.returncode == 78
    assert "there is no good checkpoint" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
