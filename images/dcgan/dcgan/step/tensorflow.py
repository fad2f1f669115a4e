"""The training step on TensorFlow: graph mode, one device or several, each with its piece of the batch."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from dcgan.step import common
from dcgan.step.backend import Loop, Pull, Step, Tensor, Tree


class TensorflowBackend:
    """TensorFlow on the logical devices named in `devices`, such as `GPU:0`."""

    def __init__(self, devices: list[str]) -> None:
        """Spread batches over `devices`; the first one holds the weights."""
        self.devices = devices
        self.name = f"tensorflow {tf.__version__}"

    def place(self, index: int) -> AbstractContextManager[Any]:
        """Compute on the device with this index what is written inside."""
        return tf.device(self.devices[index])  # type: ignore[no-any-return]

    def each(
        self, function: Callable[..., Tensor], pieces: list[Any], *shared: Tensor, constants: list[Any] | None = None
    ) -> list[Tensor]:
        """`function(piece, *shared)` for every piece on its device, and there its gradients too."""
        last = [() for _ in pieces] if constants is None else [(constant,) for constant in constants]
        if len(pieces) == 1:
            return [function(pieces[0], *shared, *last[0])]
        return [self._placed(index, function, last[index], piece, *shared) for index, piece in enumerate(pieces)]

    def _placed(self, index: int, function: Callable[..., Tensor], last: tuple[Any, ...], *inputs: Tensor) -> Tensor:
        """A tape leaves gradients to the first device, wherever a value was computed; this one does not."""

        def placed(*inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
            with self.place(index), tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                tape.watch(inputs)
                result = function(*inputs, *last)

            def pull(cotangent: Tensor) -> Any:
                with self.place(index):
                    return tape.gradient(result, inputs, output_gradients=cotangent)

            return result, pull

        return tf.custom_gradient(placed)(*inputs)

    def put(self, tree: Tree) -> Tree:
        """NumPy arrays to tensors on the first device."""
        with self.place(0):
            return tf.nest.map_structure(tf.constant, tree)

    def get(self, tree: Tree) -> Tree:
        """Tensors to NumPy arrays; waits until they are computed."""
        return tf.nest.map_structure(np.asarray, tree)

    def copies(self, array: NDArray[Any]) -> list[Tensor]:
        """One copy of `array` on each device."""
        copies = []
        for index in range(len(self.devices)):
            with self.place(index):
                copies.append(tf.identity(tf.constant(array)))
        return copies

    def differentiate(self, function: Callable[..., tuple[Any, Any]], *primals: Any) -> tuple[Any, Any, Pull]:
        """`function` gives (value, extras): returns both, and how gradients are pulled back to `primals`."""
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(primals)
            value, extras = function(*primals)

        def pull(cotangent: Any) -> tuple[Any, ...]:
            targets, gradients = tf.nest.flatten(value), tf.nest.flatten(cotangent)
            zero = tf.UnconnectedGradients.ZERO  # as JAX has it
            return tuple(tape.gradient(targets, primals, gradients, zero))

        return value, extras, pull

    def normalise(
        self, pieces: list[Tensor], scale: Tensor, offset: Tensor, epsilon: float
    ) -> tuple[list[Tensor], Tensor, Tensor]:
        """Batch normalisation over all pieces; a whole batch on one device takes one fused kernel."""
        if len(pieces) > 1:
            return common.normalise(self, pieces, scale, offset, epsilon)
        (piece,) = pieces
        shape = tf.shape(piece)
        rows = int(np.prod(piece.shape[:-1]))
        flat = tf.reshape(piece, (rows, 1, 1, piece.shape[-1]))
        fused, mean, variance = tf.compat.v1.nn.fused_batch_norm(flat, scale, offset, epsilon=epsilon)
        # The kernel's variance is the sample's (divided by rows - 1), Keras keeps the batch's own.
        return [tf.reshape(fused, shape)], mean, variance * ((rows - 1) / rows)

    def bits(self, key: Tensor, salt: int, shape: tuple[int, ...]) -> Tensor:
        """Random int16 numbers over their whole range, the same on every device for the same key and salt."""
        count = int(np.prod(shape))
        words = tf.random.experimental.stateless_fold_in(key, salt)
        pairs = tf.random.stateless_uniform(((count + 1) // 2,), words, None, None, tf.int32, alg="philox")
        return tf.reshape(tf.reshape(tf.bitcast(pairs, tf.int16), (-1,))[:count], shape)

    def compile(self, step: Step) -> Loop:
        """Compile a loop over many steps, which returns to Python only at its end."""

        def chunk(state: Tree, images: Tree, order: Tensor, noise: Tensor, keys: Tensor) -> tuple[Tree, Tensor]:
            steps = tf.shape(order)[0]
            losses = tf.TensorArray(tf.float32, size=steps, element_shape=(2,))

            def body(index: Tensor, state: Tree, losses: Any) -> tuple[Tensor, Tree, Any]:
                state, loss = step(state, images, order[index], noise[index], keys[index])
                return index + 1, state, losses.write(index, loss)

            before = (tf.constant(0), state, losses)
            _, state, losses = tf.while_loop(lambda i, *_: i < steps, body, before, parallel_iterations=1)
            return state, losses.stack()

        return _fixed_signature(tf.function(chunk, autograph=False))

    def memory(self) -> int | None:
        """The most memory used so far: by TensorFlow on the GPUs, else by the process, in bytes."""
        gpus = [device for device in self.devices if device.startswith("GPU")]
        if not gpus:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return sum(int(tf.config.experimental.get_memory_info(device)["peak"]) for device in gpus)


def _fixed_signature(function: Any) -> Loop:
    """Trace `function` once for all chunk lengths."""
    traced: list[Any] = []

    def run(state: Tree, images: Tree, *inputs: Any) -> tuple[Tree, Tensor]:
        if not traced:
            open_ended = [tf.TensorSpec((None, *x.shape[1:]), tf.as_dtype(x.dtype)) for x in inputs]
            fixed = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), (state, images))
            traced.append(function.get_concrete_function(*fixed, *open_ended))
        result: tuple[Tree, Tensor] = traced[0](state, images, *map(tf.constant, inputs))
        return result

    return run
