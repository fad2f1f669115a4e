"""The training step on JAX: one compiled program on one device."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from dcgan.step import common
from dcgan.step.backend import Loop, Pull, Step, Tensor, Tree

ROOM = 64
"""Steps that the compiled loop has room for; it runs as many of them as it is given."""


class JaxBackend:
    """JAX on its first device."""

    def __init__(self) -> None:
        """Take the first device that JAX sees."""
        self._device = jax.devices()[0]
        self.devices = ["CPU:0" if self._device.platform == "cpu" else "GPU:0"]
        self.name = f"jax {jax.__version__}"

    def place(self, index: int) -> AbstractContextManager[Any]:
        """There is only one device."""
        return nullcontext(index)

    def each(
        self, function: Callable[..., Tensor], pieces: list[Any], *shared: Tensor, constants: list[Any] | None = None
    ) -> list[Tensor]:
        """`function(piece, *shared)` for the one piece that there is."""
        (piece,) = pieces
        return [function(piece, *shared, *(constants or []))]

    def put(self, tree: Tree) -> Tree:
        """NumPy arrays to tensors."""
        return jax.tree_util.tree_map(jnp.asarray, tree)

    def get(self, tree: Tree) -> Tree:
        """Tensors to NumPy arrays; waits until they are computed."""
        return jax.tree_util.tree_map(np.asarray, tree)

    def copies(self, array: NDArray[Any]) -> list[Tensor]:
        """`array` on the one device."""
        return [jnp.asarray(array)]

    def differentiate(self, function: Callable[..., tuple[Any, Any]], *primals: Any) -> tuple[Any, Any, Pull]:
        """`function` gives (value, extras): returns both, and how gradients are pulled back to `primals`."""
        value, pull, extras = jax.vjp(function, *primals, has_aux=True)
        return value, extras, pull

    def normalise(
        self, pieces: list[Tensor], scale: Tensor, offset: Tensor, epsilon: float
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Batch normalisation; the compiler fuses it."""
        return common.normalise(self, pieces, scale, offset, epsilon)

    def bits(self, key: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
        """Random int16 numbers over their whole range (others than TensorFlow's for the same key)."""
        words = jax.lax.bitcast_convert_type(key, jnp.uint32)
        numbers = jax.random.bits(jax.random.fold_in(jax.random.wrap_key_data(words), salt), shape, jnp.uint16)
        return jax.lax.bitcast_convert_type(numbers, jnp.int16)

    def compile(self, step: Step) -> Loop:
        """Compile a loop over many steps, which returns to Python only at its end."""

        def chunk(
            state: Tree, images: Tree, steps: Tensor, order: Tensor, noise: Tensor, keys: Tensor
        ) -> tuple[Tree, Tensor]:
            def body(index: Tensor, carried: tuple[Tree, Tensor]) -> tuple[Tree, Tensor]:
                state, losses = carried
                state, loss = step(state, images, order[index], noise[index], keys[index])
                return state, losses.at[index].set(loss)

            result: tuple[Tree, Tensor] = jax.lax.fori_loop(0, steps, body, (state, jnp.zeros((ROOM, 2))))
            return result

        compiled = jax.jit(chunk)

        def run(state: Tree, images: Tree, *inputs: NDArray[Any]) -> tuple[Tree, Tensor]:
            steps = len(inputs[0])
            state, losses = compiled(state, images, steps, *map(_padded, inputs))
            return state, losses[:steps]

        return run

    def memory(self) -> int | None:
        """The most memory used so far: on the GPU, else by the process, in bytes."""
        if self._device.platform == "cpu":
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return (self._device.memory_stats() or {}).get("peak_bytes_in_use")


def _padded(array: NDArray[Any]) -> NDArray[Any]:
    """`array` with room for the longest chunk, so that one compiled program serves all."""
    whole = np.zeros((ROOM, *array.shape[1:]), array.dtype)
    whole[: len(array)] = array
    return whole
