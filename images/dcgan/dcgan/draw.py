"""New digits from a checkpoint, by NumPy alone: what the page and `sample` use, without TensorFlow.

The averaged weights are used. Batch normalisation is folded into a factor and a shift for each channel, and a
transposed convolution is one matrix product whose columns are then added up where they overlap.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dcgan import checkpoint
from dcgan.failure import Failure
from dcgan.settings import NOISE, SIDE
from dcgan.stream import Purpose, normal

EPSILON = 1e-3
SLOPE = 0.3
AT_ONCE = 50
"""Digits computed together: it bounds the memory to some 30 MB."""

Floats = NDArray[np.float32]

_SHAPES: dict[str, tuple[int, ...]] = {
    "dense/kernel": (NOISE, 12544),
    "conv1/kernel": (5, 5, 128, 256),
    "conv2/kernel": (5, 5, 64, 128),
    "conv3/kernel": (5, 5, 1, 64),
} | {
    f"norm{index}/{part}": (channels,)
    for index, channels in enumerate((12544, 128, 64))
    for part in ("scale", "offset", "mean", "variance")
}


class Generator:
    """A trained generator that draws digits."""

    def __init__(self, weights: dict[str, Floats], epoch: int) -> None:
        """Take averaged weights by name. Raises `Failure` when one is missing or has another shape."""
        for name, shape in _SHAPES.items():
            if name not in weights or weights[name].shape != shape:
                raise Failure(
                    f"the generator's weight {name} is missing or not of shape {shape}: use another checkpoint"
                )
        self.epoch = epoch
        """Epochs that the generator was trained."""
        self._weights = weights
        self._norms = [_folded(weights, f"norm{index}") for index in range(3)]

    @classmethod
    def load(cls, path: Path) -> Generator:
        """The generator in a checkpoint, which is verified. Raises `Failure` when it is not good."""
        loaded = checkpoint.read(path)
        return cls(loaded.state.get("average", {}), loaded.epoch)

    def sample(self, count: int, seed: int) -> NDArray[np.uint8]:
        """`count` new digits, shape (count, 28, 28), the same ones for the same seed."""
        return self.draw(normal(seed, Purpose.DRAW, 0, 0, (count, NOISE)))

    def draw(self, noise: Floats) -> NDArray[np.uint8]:
        """The digits that belong to noise of shape (count, 100), as bytes of shape (count, 28, 28)."""
        if len(noise) == 0:
            return np.zeros((0, SIDE, SIDE), np.uint8)
        parts = [self.pixels(noise[start : start + AT_ONCE]) for start in range(0, len(noise), AT_ONCE)]
        return np.asarray(np.rint(np.concatenate(parts) * 127.5 + 127.5).clip(0, 255), np.uint8)

    def pixels(self, noise: Floats) -> Floats:
        """The digits as numbers in [-1, 1], as the network gives them."""
        weights = self._weights
        hidden = _activated(noise @ weights["dense/kernel"], self._norms[0]).reshape(-1, 7, 7, 256)
        hidden = _activated(_transposed(hidden, weights["conv1/kernel"], 1), self._norms[1])
        hidden = _activated(_transposed(hidden, weights["conv2/kernel"], 2), self._norms[2])
        return np.asarray(np.tanh(_transposed(hidden, weights["conv3/kernel"], 2)[..., 0]), np.float32)


def _folded(weights: dict[str, Floats], name: str) -> tuple[Floats, Floats]:
    factor = weights[f"{name}/scale"] / np.sqrt(weights[f"{name}/variance"] + np.float32(EPSILON))
    return factor, weights[f"{name}/offset"] - weights[f"{name}/mean"] * factor


def _activated(x: Floats, norm: tuple[Floats, Floats]) -> Floats:
    normalised = x * norm[0] + norm[1]
    return np.maximum(normalised, normalised * np.float32(SLOPE))


def _transposed(x: Floats, kernel: Floats, stride: int) -> Floats:
    """A transposed convolution with padding "same": the result is `stride` times as large as `x`."""
    count, side, _, channels = x.shape
    size, _, out, _ = kernel.shape
    columns = x.reshape(-1, channels) @ kernel.reshape(-1, channels).T
    columns = columns.reshape(count, side, side, size, size, out)
    whole = (side - 1) * stride + size
    canvas = np.zeros((count, whole, whole, out), np.float32)
    reach = (side - 1) * stride + 1
    for down in range(size):
        for right in range(size):
            canvas[:, down : down + reach : stride, right : right + reach : stride] += columns[:, :, :, down, right]
    before = (size - stride) // 2
    return canvas[:, before : before + side * stride, before : before + side * stride]
