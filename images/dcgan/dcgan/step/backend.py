"""What a training step needs of a framework that `keras.ops` does not offer: the seam between the two backends.

Torch is left out: it has no loop that stays on the device without rewriting the step, and the pinned image
carries none. KERAS_BACKEND chooses between `tensorflow` (the machine) and `jax`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = Any
Tree = Any
"""Nested dictionaries and lists of tensors."""
Pull = Callable[[Any], tuple[Any, ...]]
"""From the gradient with respect to a value to the gradients with respect to what it was computed from."""
Step = Callable[[Tree, Tree, Tensor, Tensor, Tensor], tuple[Tree, Tensor]]
"""(state, images, order, noise, key) of one step to (state, losses)."""
Loop = Callable[[Tree, Tree, NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]], tuple[Tree, Tensor]]
"""The same over a chunk of steps, each input with one more axis in front; losses come as (steps, 2)."""


class Backend(Protocol):
    """A framework, and the devices that it trains on."""

    @property
    def name(self) -> str:
        """Framework and version, for people."""

    @property
    def devices(self) -> list[str]:
        """The devices a batch is spread over, the first of which holds the weights."""

    def place(self, index: int) -> AbstractContextManager[Any]:
        """Compute on the device with this index what is written inside."""

    def each(
        self, function: Callable[..., Tensor], pieces: list[Any], *shared: Tensor, constants: list[Any] | None = None
    ) -> list[Tensor]:
        """`function(piece, *shared)` for every piece on its device, and there its gradients too.

        `function` must get all that gradients are wanted for as arguments. Each piece's entry of `constants`
        comes as a last argument; no gradient is taken with respect to it.
        """

    def put(self, tree: Tree) -> Tree:
        """NumPy arrays to tensors on the first device."""

    def get(self, tree: Tree) -> Tree:
        """Tensors to NumPy arrays; waits until they are computed."""

    def copies(self, array: NDArray[Any]) -> list[Tensor]:
        """One copy of `array` on each device."""

    def differentiate(self, function: Callable[..., tuple[Any, Any]], *primals: Any) -> tuple[Any, Any, Pull]:
        """`function` gives (value, extras): returns both, and how gradients are pulled back to `primals`."""

    def normalise(
        self, pieces: list[Tensor], scale: Tensor, offset: Tensor, epsilon: float
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Batch normalisation over all pieces: the pieces, and mean and variance of the batch in float32."""

    def bits(self, key: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
        """Random int16 numbers over their whole range, the same on every device for the same key and salt."""

    def compile(self, step: Step) -> Loop:
        """Compile a loop over many steps, which returns to Python only at its end."""

    def memory(self) -> int | None:
        """The most memory used so far on the devices together, in bytes, where known."""
