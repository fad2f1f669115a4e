"""How fast a step is against the same networks in the framework's own style: `python3 -m dcgan bench`.

The other side is what the tutorial does: Keras layers and optimisers, one compiled call for each batch, fed by
a shuffled input pipeline, in float32. Both are measured in turn, and the best of each counts, since a busy
machine only ever makes things slower.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from dcgan import device
from dcgan.device import Device
from dcgan.session import open_session
from dcgan.settings import NOISE, Settings
from dcgan.state import Silent

EPOCH = 60_000
"""Images of an epoch, for seconds an epoch."""


@dataclass(frozen=True)
class Comparison:
    """Images a second of both sides."""

    ours: float
    plain: float
    backend: str
    device: str
    precision: str

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the plain loop."""
        return self.ours / self.plain

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "backend": self.backend,
            "device": self.device,
            "precision": self.precision,
            "images_per_second": round(self.ours, 1),
            "seconds_per_epoch": round(EPOCH / self.ours, 2),
            "plain_images_per_second": round(self.plain, 1),
            "plain_seconds_per_epoch": round(EPOCH / self.plain, 2),
            "ratio": round(self.ratio, 3),
        }

    def text(self) -> str:
        """A few lines for people."""
        return (
            f"{self.backend} on {self.device}\n"
            f"this program ({self.precision}): {self.ours:8.1f} images/s, {EPOCH / self.ours:7.2f} s an epoch\n"
            f"plain loop (float32):  {self.plain:8.1f} images/s, {EPOCH / self.plain:7.2f} s an epoch\n"
            f"ratio: {self.ratio:.2f}"
        )


def compare(
    settings: Settings, devices: list[Device], images: NDArray[np.uint8], steps: int, rounds: int
) -> Comparison:
    """Measure both sides `rounds` times in turn, `steps` steps each time, on `devices`."""
    session = open_session(settings, devices, images, Silent())
    plain = _plain(images, settings)
    plain(2)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(session.measure(steps))
        theirs.append(plain(steps))
    pictures = steps * settings.batch_size
    found = session.devices[0]
    return Comparison(
        ours=pictures / min(ours),
        plain=pictures / min(theirs),
        backend=session.backend_name,
        device=f"{found.name} ({found.kind})",
        precision=device.dtype(settings, session.devices),
    )


def generator() -> keras.Sequential:
    """The tutorial's generator as Keras layers: 2,330,944 numbers."""
    return keras.Sequential(
        [
            keras.Input((NOISE,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.3),
            layers.Reshape((7, 7, 256)),
            *_up(128, 1),
            *_up(64, 2),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh"),
        ]
    )


def _up(channels: int, stride: int) -> list[keras.Layer]:
    return [
        layers.Conv2DTranspose(channels, 5, strides=stride, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(0.3),
    ]


def discriminator() -> keras.Sequential:
    """The tutorial's discriminator as Keras layers: 212,865 numbers."""
    return keras.Sequential(
        [keras.Input((28, 28, 1)), *_down(64), *_down(128), layers.Flatten(), layers.Dense(1)],
    )


def _down(channels: int) -> list[keras.Layer]:
    return [
        layers.Conv2D(channels, 5, strides=2, padding="same"),
        layers.LeakyReLU(0.3),
        layers.Dropout(0.3),
    ]


def _plain(images: NDArray[np.uint8], settings: Settings) -> Callable[[int], float]:
    """A function that trains for some steps in the framework's own style and gives the seconds it took."""
    networks = (generator(), discriminator())
    optimizers = (keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4))
    for network, optimizer in zip(networks, optimizers, strict=True):
        optimizer.build(network.trainable_variables)
    style = _plain_jax if keras.backend.backend() == "jax" else _plain_tensorflow
    return style(networks, optimizers, (images[..., None].astype(np.float32) - 127.5) / 127.5, settings.batch_size)


def _cross_entropy(target: float, logits: Any) -> Any:
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return loss(ops.full_like(logits, target), logits)


def _plain_tensorflow(networks: Any, optimizers: Any, images: Any, batch: int) -> Callable[[int], float]:
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(batch, drop_remainder=True)
    batches = iter(dataset.repeat())

    def train_step(real: Any) -> None:
        noise = tf.random.normal((batch, NOISE))
        with tf.GradientTape() as first, tf.GradientTape() as second:
            fake = networks[0](noise, training=True)
            of_real, of_fake = networks[1](real, training=True), networks[1](fake, training=True)
            generator_loss = _cross_entropy(1.0, of_fake)
            discriminator_loss = _cross_entropy(1.0, of_real) + _cross_entropy(0.0, of_fake)
        pairs = zip((first, second), (generator_loss, discriminator_loss), networks, optimizers, strict=True)
        for tape, loss, network, optimizer in pairs:
            variables = network.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    compiled = tf.function(train_step)

    def run(steps: int) -> float:
        began = time.monotonic()
        for _ in range(steps):
            compiled(next(batches))
        networks[0].trainable_variables[0].numpy()
        return time.monotonic() - began

    return run


def _plain_jax(networks: Any, optimizers: Any, images: Any, batch: int) -> Callable[[int], float]:
    import jax

    def values(variables: Any) -> Any:
        return [variable.value for variable in variables]

    def generator_loss(weights: Any, rest: Any, other: Any, other_rest: Any, noise: Any) -> Any:
        fake, rest = networks[0].stateless_call(weights, rest, noise, training=True)
        of_fake, _ = networks[1].stateless_call(other, other_rest, fake, training=True)
        return _cross_entropy(1.0, of_fake), (fake, rest)

    def discriminator_loss(weights: Any, rest: Any, real: Any, fake: Any) -> Any:
        of_real, rest = networks[1].stateless_call(weights, rest, real, training=True)
        of_fake, rest = networks[1].stateless_call(weights, rest, fake, training=True)
        return _cross_entropy(1.0, of_real) + _cross_entropy(0.0, of_fake), rest

    def train_step(state: Any, real: Any, noise: Any) -> Any:
        (gw, gr, go), (dw, dr, do) = state
        (_, (fake, gr)), gg = jax.value_and_grad(generator_loss, has_aux=True)(gw, gr, dw, dr, noise)
        (_, dr), dg = jax.value_and_grad(discriminator_loss, has_aux=True)(dw, dr, real, fake)
        gw, go = optimizers[0].stateless_apply(go, gg, gw)
        dw, do = optimizers[1].stateless_apply(do, dg, dw)
        return (gw, gr, go), (dw, dr, do)

    compiled = jax.jit(train_step)
    random = np.random.default_rng(0)
    state = [
        tuple(values(variables) for variables in (n.trainable_variables, n.non_trainable_variables, o.variables))
        for n, o in zip(networks, optimizers, strict=True)
    ]

    def run(steps: int) -> float:
        began = time.monotonic()
        for _ in range(steps):
            real = images[random.integers(0, len(images), batch)]
            state[:] = compiled(state, real, random.standard_normal((batch, NOISE), np.float32))
        jax.block_until_ready(state)
        return time.monotonic() - began

    return run
