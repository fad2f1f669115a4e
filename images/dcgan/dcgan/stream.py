"""Random numbers that are a function of (seed, purpose, epoch, step) and of nothing else.

Philox is counter-based: a stream needs no state to be kept, so a training that goes on at any step draws
exactly what it would have drawn. The counter's two upper words hold epoch and step, so that no two streams
can overlap. Numbers are made from the raw words here, since NumPy may change its own methods between versions.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Purpose(IntEnum):
    """What random numbers are for. The values are part of the checkpoint format: never change one."""

    INITIAL = 1
    ORDER = 2
    NOISE = 3
    DROPOUT = 4
    SAMPLES = 5
    SCORE = 6
    DRAW = 7


def words(seed: int, purpose: Purpose, epoch: int, step: int, count: int) -> NDArray[np.uint64]:
    """`count` raw 64-bit words."""
    key = np.array([seed, int(purpose)], np.uint64)
    counter = np.array([0, 0, step, epoch], np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(count)
    return np.asarray(raw, np.uint64)


def uniform(seed: int, purpose: Purpose, epoch: int, step: int, count: int) -> NDArray[np.float64]:
    """`count` numbers in (0, 1), neither end included."""
    return ((words(seed, purpose, epoch, step, count) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, purpose: Purpose, epoch: int, step: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Standard normal numbers by the Box-Muller transform."""
    count = int(np.prod(shape))
    pairs = uniform(seed, purpose, epoch, step, 2 * ((count + 1) // 2)).reshape(2, -1)
    radius, angle = np.sqrt(-2.0 * np.log(pairs[0])), 2.0 * np.pi * pairs[1]
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return np.asarray(both[:count], np.float32).reshape(shape)


def order(seed: int, epoch: int, images: int, batch: int) -> NDArray[np.int32]:
    """The images of every step of an epoch, shape (steps, batch).

    Every image comes once; the last batch is filled up with the first images of the same order, so that
    all batches have one size and one compiled step serves them all.
    """
    keys = words(seed, Purpose.ORDER, epoch, 0, images)
    shuffled = np.argsort(keys, kind="stable").astype(np.int32)
    steps = steps_per_epoch(images, batch)
    return np.resize(shuffled, steps * batch).reshape(steps, batch)


def steps_per_epoch(images: int, batch: int) -> int:
    """Batches in an epoch, the filled-up last one included."""
    return -(-images // batch)


def noise(seed: int, epoch: int, first: int, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """What the generator draws from in `shape[0]` steps from `first` on, shape (steps, batch, numbers)."""
    steps = [normal(seed, Purpose.NOISE, epoch, first + step, shape[1:]) for step in range(shape[0])]
    return np.stack(steps)


def dropout_keys(seed: int, epoch: int, first: int, steps: int) -> NDArray[np.int32]:
    """Seeds of the discriminator's dropout, shape (steps, 2); the masks are made on the device."""
    keys = [words(seed, Purpose.DROPOUT, epoch, first + step, 1) for step in range(steps)]
    return np.concatenate(keys).view(np.int32).reshape(steps, 2)
