"""How legible the digits are: a small classifier reads them, by NumPy alone.

The classifier was trained on MNIST's training images by `python3 -m dcgan classifier`; its weights lie beside
this file as float16. A digit is legible when it is recognised with a confidence of at least `CONFIDENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.9
WEIGHTS = Path(__file__).with_name("classifier.npz")
AT_ONCE = 250
"""Images read together: it bounds the memory to some 30 MB."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Score:
    """How a number of digits were read."""

    count: int
    """Digits that were looked at."""
    legible: float
    """Share of them that was recognised with confidence."""
    digits: list[int]
    """How many of the legible ones were a 0, a 1, … a 9."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"count": self.count, "legible": self.legible, "digits": self.digits, "confidence": CONFIDENCE}


def score(images: NDArray[np.uint8]) -> Score:
    """Score images of shape (count, 28, 28)."""
    digits, confidence = recognise(images)
    sure = confidence >= CONFIDENCE
    counts = np.bincount(digits[sure], minlength=10)
    return Score(len(images), float(sure.mean()) if len(images) else 0.0, [int(count) for count in counts])


def recognise(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """What digit each image shows, and how confident that is (0 to 1), for images of shape (count, 28, 28)."""
    parts = [probabilities(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
    chances = np.concatenate(parts) if parts else np.zeros((0, 10))
    return chances.argmax(axis=1), chances.max(axis=1, initial=0.0)


def probabilities(images: NDArray[np.uint8], weights: dict[str, Floats] | None = None) -> NDArray[np.float64]:
    """The chance of each digit, shape (count, 10), by the classifier beside this file or by other weights."""
    weights = weights or _weights()
    hidden = images.astype(np.float32)[..., None] / np.float32(255.0)
    hidden = _halved(np.maximum(_convolved(hidden, weights["conv1/kernel"]) + weights["conv1/bias"], 0))
    hidden = _halved(np.maximum(_convolved(hidden, weights["conv2/kernel"]) + weights["conv2/bias"], 0))
    hidden = np.maximum(hidden.reshape(len(images), -1) @ weights["dense1/kernel"] + weights["dense1/bias"], 0)
    logits = (hidden @ weights["dense2/kernel"] + weights["dense2/bias"]).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)


@cache
def _weights() -> dict[str, Floats]:
    with np.load(WEIGHTS, allow_pickle=False) as archive:
        return {name: archive[name].astype(np.float32) for name in archive.files}


def _convolved(x: Floats, kernel: Floats) -> Floats:
    """A convolution without padding."""
    size, _, channels, out = kernel.shape
    count, height, width = len(x), x.shape[1] - size + 1, x.shape[2] - size + 1
    taps = [x[:, down : down + height, right : right + width] for down in range(size) for right in range(size)]
    columns = np.stack(taps, axis=3).reshape(-1, size * size * channels)
    return np.asarray(columns @ kernel.reshape(-1, out), np.float32).reshape(count, height, width, out)


def _halved(x: Floats) -> Floats:
    """The maximum over squares of 2 by 2."""
    count, height, width, channels = x.shape
    return np.asarray(x.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4)), np.float32)
