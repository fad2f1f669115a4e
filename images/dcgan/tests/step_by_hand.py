"""A few training steps on given devices, for comparing backends, strategies and precisions with each other.

As a program it writes the resulting state to a file: `python step_by_hand.py OUT`, on the backend that
KERAS_BACKEND names. Dropout is made to drop nothing, since each backend draws its own masks.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dcgan import stream
from dcgan.settings import NOISE, RECIPES
from dcgan.step.engine import Engine, Plan, initial_state

BATCH = 12
STEPS = 3
State = dict[str, dict[str, NDArray[np.float32]]]


def images() -> NDArray[np.uint8]:
    """Pictures to train on, the same ones every time."""
    numbers = stream.uniform(5, stream.Purpose.INITIAL, 9, 9, 60 * 784)
    return (numbers * 256).astype(np.uint8).reshape(60, 28, 28)


def inputs(first: int = 0, steps: int = STEPS) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]:
    """Order, noise and dropout keys of some steps."""
    order = stream.order(1, 1, 60, BATCH)[first : first + steps]
    return order, stream.noise(1, 1, first, (steps, BATCH, NOISE)), stream.dropout_keys(1, 1, first, steps)


def train(
    backend: Any, rows: tuple[int, ...] = (BATCH,), dtype: str = "float32", recipe: str = "fast", drop: bool = False
) -> tuple[State, NDArray[np.float64]]:
    """The state and the losses after some steps on `backend`."""
    if not drop:
        keep_all(backend)
    engine = Engine(backend, Plan(RECIPES[recipe], dtype, rows), images())
    state, losses = engine.run(engine.put(initial_state(1)), *inputs())
    return engine.get(state), losses


def keep_all(backend: Any) -> None:
    """Make the backend's dropout drop nothing."""
    from keras import ops

    backend.bits = lambda key, salt, shape: ops.full(shape, 32767, dtype="int16")


def farthest(one: State, other: State) -> float:
    """The largest difference between two states."""
    return max(float(np.abs(one[group][name] - other[group][name]).max()) for group in one for name in one[group])


if __name__ == "__main__":
    if os.environ["KERAS_BACKEND"] == "jax":
        from dcgan.step.jax import JaxBackend

        trained, _ = train(JaxBackend())
        np.savez(
            sys.argv[1], **{f"{group}/{name}": value for group in trained for name, value in trained[group].items()}
        )
