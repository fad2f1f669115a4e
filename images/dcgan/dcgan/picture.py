"""Pictures for people: digits in a grid as PNG, and the grids of all epochs as one GIF."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dcgan import durable

SCALE = 3
"""Pixels of the picture for one pixel of a digit, in each direction."""
GAP = 2
"""Pixels of a digit between two digits."""
FRAME_MS = 120
LAST_FRAME_MS = 2000
MOST_FRAMES = 300
"""Of more pictures so many are taken at even distances."""


def grid(images: NDArray[np.uint8]) -> Image.Image:
    """Digits of shape (count, height, width) in a grid that is as square as can be, white on black."""
    count, height, width = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    canvas = np.zeros((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), np.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(canvas)
    return picture.resize((picture.width * SCALE, picture.height * SCALE), Image.Resampling.NEAREST)


def png(image: Image.Image) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write_grid(path: Path, images: NDArray[np.uint8]) -> None:
    """Write digits as a grid to a PNG file, whole or not at all."""
    durable.write_bytes(path, png(grid(images)))


def write_gif(path: Path, pngs: list[Path]) -> None:
    """Write the pictures in `pngs` as an endless GIF; those of another size than the last are left out."""
    taken = np.unique(np.linspace(0, len(pngs) - 1, MOST_FRAMES).astype(int)) if pngs else []
    frames = [frame for frame in (_opened(pngs[index]) for index in taken) if frame is not None]
    frames = [frame for frame in frames if frame.size == frames[-1].size]
    if not frames:
        return
    buffer = io.BytesIO()
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=True)
    durable.write_bytes(path, buffer.getvalue())


def _opened(path: Path) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(path.read_bytes())).convert("L")
    except (OSError, ValueError):
        return None
