"""One training step of both networks, and the compiled loop that runs many of them.

The step is a function of its state and its inputs, written once over `keras.ops`. It makes the tutorial's
update: the generator's and the discriminator's gradients are both taken at the weights that the step began
with, and Adam applies them at once.

What makes it faster than the tutorial's own way, without changing the result:

- images stay on the device as bytes, and a compiled loop runs many steps without Python;
- the discriminator sees real and generated pictures as one batch (nothing in it mixes rows);
- one backward pass serves both losses. The two losses differ, for a generated picture with logit l, only in
  d/dl: it is s(l)/n for the discriminator and (s(l) - 1)/n for the generator. So the gradient with respect
  to the picture is that of the discriminator's loss times (s(l) - 1)/s(l) = -exp(-l), row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from dcgan import model
from dcgan.settings import SIDE, Recipe
from dcgan.step import update
from dcgan.step.backend import Backend, Tensor, Tree

FARTHEST_LOGIT = 60.0
"""exp() of more than this is not computed: s(l) would be too near to zero to be divided by."""
PENALISED = 4
"""One in so many real pictures of a batch takes part in the penalty on steepness."""


@dataclass(frozen=True)
class Plan:
    """How a step is computed."""

    recipe: Recipe
    dtype: str
    """float32, bfloat16 or float16: what the networks compute in. Weights are always float32."""
    rows: tuple[int, ...]
    """Pictures of a batch that each device takes."""

    @property
    def batch(self) -> int:
        """Pictures in a batch."""
        return sum(self.rows)

    def cut(self, tensor: Tensor) -> list[Tensor]:
        """The pieces of a batch, one for each device."""
        return _pieces(tensor, self.rows)

    @property
    def penalised(self) -> tuple[int, ...]:
        """Real pictures that each device computes the penalty on steepness for, by its share of the batch."""
        ends = [max(1, self.batch // PENALISED) * int(end) // self.batch for end in np.cumsum(self.rows)]
        return tuple(np.diff([0, *ends]).tolist())


def initial_state(seed: int) -> dict[str, model.Arrays]:
    """The state of a training before its first step, as NumPy arrays."""
    generator = model.initial(model.generator_shapes(), seed, 0)
    discriminator = model.initial(model.discriminator_shapes(), seed, 1)
    statistics = model.initial(model.statistics_shapes(), seed, 2)
    return {
        "generator": generator,
        "discriminator": discriminator,
        "statistics": statistics,
        "average": {**generator, **statistics},
        **{f"{name}.{slot}": _zeros(weights) for name, weights in _networks(generator, discriminator) for slot in "mv"},
        "scaling": {"factor": np.array(update.FIRST_SCALE, np.float32), "clean": np.zeros((), np.float32)},
        "count": {"steps": np.zeros((), np.float32)},
    }


def _networks(generator: Any, discriminator: Any) -> list[tuple[str, Any]]:
    return [("generator", generator), ("discriminator", discriminator)]


def _zeros(weights: model.Arrays) -> model.Arrays:
    return {name: np.zeros_like(weight) for name, weight in weights.items()}


class Engine:
    """The compiled loop over training steps on given devices, and the images that it trains on."""

    def __init__(self, backend: Backend, plan: Plan, images: NDArray[np.uint8]) -> None:
        """Put `images` (count, 28, 28) on the devices. Compiling waits for the first `run`."""
        self.backend = backend
        self.plan = plan
        self._images = backend.copies(images.reshape(-1, SIDE, SIDE, 1))
        self._loop = backend.compile(self._step)

    def put(self, state: dict[str, model.Arrays]) -> Tree:
        """A state of NumPy arrays to where it is trained on."""
        return self.backend.put(state)

    def get(self, state: Tree) -> dict[str, model.Arrays]:
        """The state as NumPy arrays."""
        arrays: dict[str, model.Arrays] = self.backend.get(state)
        return arrays

    def run(
        self, state: Tree, order: NDArray[np.int32], noise: NDArray[np.float32], keys: NDArray[np.int32]
    ) -> tuple[Tree, NDArray[np.float64]]:
        """Train for `len(order)` steps: the new state, and the two losses of every step, shape (steps, 2).

        The first column is the generator's loss, the second the discriminator's.
        """
        state, losses = self._loop(state, self._images, order, noise, keys)
        return state, np.asarray(self.backend.get(losses), np.float64)

    def _step(self, state: Tree, images: Tree, order: Tensor, noise: Tensor, key: Tensor) -> tuple[Tree, Tensor]:
        real = self._real(images, order)
        gains = [
            self._dropout(key, layer, shape) for layer, shape in enumerate(model.hidden_shapes(2 * self.plan.batch))
        ]
        gradients, measured, losses = self._gradients(state, real, self.plan.cut(noise), gains)
        if self.plan.recipe.smoothing:
            steepness = self._steepness_gradient(state, images, order)
            gradients["discriminator"] = {
                name: value + steepness[name] for name, value in gradients["discriminator"].items()
            }
        updated = update.updated(self.plan.recipe, state, gradients, measured)
        if self.plan.dtype == "float16":
            updated = update.unless_overflown(state, updated, gradients)
        return updated, losses

    def _real(self, images: Tree, order: Tensor) -> list[Tensor]:
        """The real pictures of a step in [-1, 1], gathered on the device that trains on them."""
        pieces = []
        for index, rows in enumerate(self.plan.cut(order)):
            with self.backend.place(index):
                pieces.append(_pictures(images[index], rows))
        return pieces

    def _dropout(self, key: Tensor, layer: int, shape: tuple[int, ...]) -> list[Tensor | None]:
        """Gains of a layer's activations: 0 for those that are dropped, and more than 1 to make up for them.

        Each device draws the numbers of the whole batch and takes its rows of both halves, real and generated.
        """
        share = self.plan.recipe.dropout
        if share == 0.0:
            return [None] * len(self.plan.rows)
        pieces = []
        for index in range(len(self.plan.rows)):
            with self.backend.place(index):
                kept = self.backend.bits(key, layer, shape) >= round(share * 65536) - 32768
                halves = kept[: self.plan.batch], kept[self.plan.batch :]
                mine = ops.concatenate([self.plan.cut(half)[index] for half in halves])
                pieces.append(ops.cast(mine, self.plan.dtype) * (1.0 / (1.0 - share)))
        return pieces

    def _gradients(
        self, state: Tree, real: list[Tensor], noise: list[Tensor], gains: list[list[Tensor]]
    ) -> tuple[Tree, Tree, Tensor]:
        """Both networks' gradients, the statistics of the generated batch, and the two losses."""
        backend, plan = self.backend, self.plan
        fake, measured, pull_generator = backend.differentiate(
            lambda weights: model.generate(backend, weights, noise, plan.dtype), state["generator"]
        )
        losses, logits, pull = backend.differentiate(
            lambda weights, fake: self._losses(weights, real, fake, gains), state["discriminator"], fake
        )
        scale = self._scale(state)
        zero = ops.zeros(())
        of_discriminator, of_fake = pull((zero, scale))
        if plan.dtype == "float16":
            # -exp(-l) could not bring back what float16 has rounded to zero.
            _, of_fake = pull((scale, zero))
        else:
            of_fake = [-_reciprocal_odds(logit) * piece for logit, piece in zip(logits, of_fake, strict=True)]
        (of_generator,) = pull_generator(of_fake)
        gradients = {"generator": of_generator, "discriminator": of_discriminator}
        unscaled = {name: {key: value / scale for key, value in tree.items()} for name, tree in gradients.items()}
        return unscaled, measured, ops.stack(losses)

    def _scale(self, state: Tree) -> Tensor:
        """What gradients are multiplied with on their way, so that float16 does not round them to zero."""
        return state["scaling"]["factor"] if self.plan.dtype == "float16" else ops.ones(())

    def _steepness_gradient(self, state: Tree, images: Tree, order: Tensor) -> Tree:
        """The gradient of the R1 penalty: half the squared steepness of the discriminator at real pictures.

        It keeps the discriminator from judging by fine texture alone (Mescheder and others, 2018). The first part of
        the batch is enough for it. Each device takes its share of those pictures, and the gradients are added up on
        the first one: the penalty is a sum over pictures.
        """
        scale = self._scale(state)
        parts = []
        for index, rows in enumerate(_pieces(order, self.plan.penalised)):
            if rows.shape[0]:
                with self.backend.place(index):
                    parts.append(self._steepness_part(state["discriminator"], _pictures(images[index], rows), scale))
        with self.backend.place(0):
            return {name: sum((part[name] for part in parts[1:]), start=parts[0][name]) for name in parts[0]}

    def _steepness_part(self, weights: Tree, pictures: Tensor, scale: Tensor) -> Tree:
        """What some pictures of a step add to the gradient of its penalty."""
        backend, plan = self.backend, self.plan
        gains = [[None]] * len(model.hidden_shapes(1))

        def penalty(weights: Tree) -> tuple[Tensor, tuple[()]]:
            def logits(pictures: Tensor) -> tuple[Tensor, tuple[()]]:
                return ops.sum(model.discriminate(backend, weights, [pictures], gains, plan.dtype)[0]), ()

            _, _, pull = backend.differentiate(logits, pictures)
            (slope,) = pull(ops.ones(()))
            return 0.5 * plan.recipe.smoothing * ops.sum(ops.square(slope)) / sum(plan.penalised), ()

        _, _, pull = backend.differentiate(penalty, weights)
        (gradient,) = pull(scale)
        return {name: value / scale for name, value in gradient.items()}

    def _losses(
        self, weights: Tree, real: list[Tensor], fake: list[Tensor], gains: list[list[Tensor]]
    ) -> tuple[tuple[Tensor, Tensor], list[Tensor]]:
        """The generator's and the discriminator's loss (means over the batch), and the generated rows' logits."""
        pictures = self.backend.each(lambda fake, real: ops.concatenate([real, fake]), fake, constants=real)
        logits = model.discriminate(self.backend, weights, pictures, gains, self.plan.dtype)
        of_real = [logit[:rows] for logit, rows in zip(logits, self.plan.rows, strict=True)]
        of_fake = [logit[rows:] for logit, rows in zip(logits, self.plan.rows, strict=True)]
        believed = sum(ops.sum(ops.softplus(-logit)) for logit in of_fake) / self.plan.batch
        caught = sum(ops.sum(ops.softplus(logit)) for logit in of_fake) / self.plan.batch
        missed = sum(ops.sum(ops.softplus(-logit)) for logit in of_real) / self.plan.batch
        return (believed, caught + missed), of_fake


def _pieces(tensor: Tensor, rows: tuple[int, ...]) -> list[Tensor]:
    """Consecutive pieces of a tensor with so many rows each."""
    ends = np.cumsum(rows).tolist()
    return [tensor[end - count : end] for end, count in zip(ends, rows, strict=True)]


def _pictures(images: Tensor, rows: Tensor) -> Tensor:
    """Some of the images, from bytes to numbers in [-1, 1]."""
    return ops.cast(ops.take(images, rows, axis=0), "float32") / 127.5 - 1.0


def _reciprocal_odds(logit: Tensor) -> Tensor:
    return ops.reshape(ops.exp(ops.minimum(-logit, FARTHEST_LOGIT)), (-1, 1, 1, 1))
