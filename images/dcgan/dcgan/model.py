"""The two networks, written once over `keras.ops`, so that TensorFlow and JAX run the same lines.

Weights are flat dictionaries of named arrays, and the networks are functions of them. A batch comes as one
piece for each device ("pieces"), so that one forward pass serves one device or several: batch normalisation
takes its statistics over all pieces, hence several devices compute what one would.

Shapes are (rows, height, width, channels). Kernels are laid out as Keras does: (height, width, in, out), and
(height, width, out, in) in the generator, whose convolutions are transposed.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from dcgan.settings import NOISE
from dcgan.step.backend import Backend
from dcgan.stream import Purpose, uniform

Tensor = Any
Weights = dict[str, Tensor]
Arrays = dict[str, NDArray[np.float32]]
Pieces = list[Tensor]

SLOPE = 0.3
"""What is left of a negative activation (Keras' default when the tutorial was written)."""
EPSILON = 1e-3
MOMENTUM = 0.99
"""How much of the running statistics is kept at each step."""
COARSE = (7, 7, 256)
"""The smallest picture inside the generator."""

_UP = (("conv1", 256, 128, 1), ("conv2", 128, 64, 2), ("conv3", 64, 1, 2))
_DOWN = (("conv1", 1, 64), ("conv2", 64, 128))


def generator_shapes() -> dict[str, tuple[int, ...]]:
    """The generator's trained weights: 2,330,048 numbers (896 more are statistics)."""
    shapes: dict[str, tuple[int, ...]] = {"dense/kernel": (NOISE, int(np.prod(COARSE)))}
    shapes |= {f"{name}/kernel": (5, 5, out, into) for name, into, out, _ in _UP}
    for name, channels in _normalised():
        shapes |= {f"{name}/scale": (channels,), f"{name}/offset": (channels,)}
    return shapes


def statistics_shapes() -> dict[str, tuple[int, ...]]:
    """The running statistics of the generator's batch normalisation."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, channels in _normalised():
        shapes |= {f"{name}/mean": (channels,), f"{name}/variance": (channels,)}
    return shapes


def discriminator_shapes() -> dict[str, tuple[int, ...]]:
    """The discriminator's weights: 212,865 numbers."""
    shapes: dict[str, tuple[int, ...]] = {"dense/kernel": (6272, 1), "dense/bias": (1,)}
    for name, into, out in _DOWN:
        shapes |= {f"{name}/kernel": (5, 5, into, out), f"{name}/bias": (out,)}
    return shapes


def _normalised() -> list[tuple[str, int]]:
    return [("norm0", int(np.prod(COARSE))), ("norm1", 128), ("norm2", 64)]


def initial(shapes: dict[str, tuple[int, ...]], seed: int, network: int) -> Arrays:
    """Weights to begin with: kernels by Glorot's uniform rule, the rest ones or zeros.

    `network` keeps the streams of two networks apart.
    """
    names = sorted(shapes)
    return {name: _initial(name, shapes[name], seed, network, index) for index, name in enumerate(names)}


def _initial(name: str, shape: tuple[int, ...], seed: int, network: int, index: int) -> NDArray[np.float32]:
    if name.endswith(("/scale", "/variance")):
        return np.ones(shape, np.float32)
    if not name.endswith("/kernel"):
        return np.zeros(shape, np.float32)
    field = int(np.prod(shape[:-2]))
    bound = np.sqrt(6.0 / (field * (shape[-1] + shape[-2])))
    numbers = uniform(seed, Purpose.INITIAL, network, index, int(np.prod(shape)))
    return np.asarray((2.0 * numbers - 1.0) * bound, np.float32).reshape(shape)


def generate(backend: Backend, weights: Weights, noise: Pieces, dtype: str) -> tuple[Pieces, Weights]:
    """Pictures in [-1, 1], shape (rows, 28, 28, 1), from noise (rows, 100), and the batch's statistics."""
    kernels = {name: ops.cast(weights[name], dtype) for name in weights if name.endswith("/kernel")}
    measured: Weights = {}
    hidden = backend.each(lambda x, kernel: ops.matmul(ops.cast(x, dtype), kernel), noise, kernels["dense/kernel"])
    hidden = _normalise(backend, "norm0", weights, hidden, measured)
    hidden = backend.each(lambda x: ops.reshape(_activate(x), (-1, *COARSE)), hidden)
    for index, (name, _, _, stride) in enumerate(_UP, start=1):
        hidden = backend.each(partial(_upwards, stride), hidden, kernels[f"{name}/kernel"])
        if index < len(_UP):
            hidden = _normalise(backend, f"norm{index}", weights, hidden, measured)
            hidden = backend.each(_activate, hidden)
    return backend.each(lambda x: ops.tanh(ops.cast(x, "float32")), hidden), measured


def _upwards(stride: int, x: Tensor, kernel: Tensor) -> Tensor:
    return ops.conv_transpose(x, kernel, strides=stride, padding="same", data_format="channels_last")


def _normalise(backend: Backend, name: str, weights: Weights, pieces: Pieces, measured: Weights) -> Pieces:
    scale, offset = weights[f"{name}/scale"], weights[f"{name}/offset"]
    pieces, mean, variance = backend.normalise(pieces, scale, offset, EPSILON)
    measured |= {f"{name}/mean": mean, f"{name}/variance": variance}
    return pieces


def discriminate(backend: Backend, weights: Weights, pictures: Pieces, gains: list[Pieces], dtype: str) -> Pieces:
    """How real each picture looks, as logits of shape (rows, 1).

    `gains[layer][piece]` is what dropout multiplies a layer's activations with, or nothing.
    """
    cast = {name: ops.cast(weight, dtype) for name, weight in weights.items()}
    hidden = backend.each(lambda x: ops.cast(x, dtype), pictures)
    for (name, _, _), gain in zip(_DOWN, gains, strict=True):
        hidden = backend.each(_downwards, hidden, cast[f"{name}/kernel"], cast[f"{name}/bias"], constants=gain)
    return backend.each(_judged, hidden, cast["dense/kernel"], weights["dense/bias"])


def _downwards(x: Tensor, kernel: Tensor, bias: Tensor, gain: Tensor | None) -> Tensor:
    return _activate(ops.conv(x, kernel, strides=2, padding="same", data_format="channels_last") + bias, gain)


def _judged(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return ops.cast(ops.matmul(ops.reshape(x, (-1, 6272)), kernel), "float32") + bias


def _activate(x: Tensor, dropout: Tensor | None = None) -> Tensor:
    """Leaky ReLU, and dropout where its gain is given, as one multiplication.

    Its gradient is one multiplication too. TensorFlow's own kernels for both take a fifth of a step on a CPU.
    """
    gain = ops.cast(x > 0, x.dtype) * (1.0 - SLOPE) + SLOPE
    if dropout is not None:
        gain = gain * ops.cast(dropout, x.dtype)
    return x * ops.stop_gradient(gain)


def hidden_shapes(rows: int) -> list[tuple[int, ...]]:
    """Shapes of the discriminator's hidden activations for `rows` pictures, a layer each."""
    return [(rows, 14, 14, 64), (rows, 7, 7, 128)]
