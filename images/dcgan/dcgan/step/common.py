"""Batch normalisation over the pieces of a batch, as every backend can do it."""

from __future__ import annotations

from typing import Any

from keras import ops

from dcgan.step.backend import Backend

Tensor = Any


def normalise(
    backend: Backend, pieces: list[Tensor], scale: Tensor, offset: Tensor, epsilon: float
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Normalise all pieces by the mean and variance of the whole batch, which are computed in float32.

    The variance is taken around the common mean in a second pass, since the difference of squares loses digits.
    """
    count = float(sum(_rows(piece) for piece in pieces))
    mean = sum(backend.each(_sum, pieces)) / count
    variance = sum(backend.each(_sum_of_squares, pieces, mean)) / count
    factor = scale * ops.rsqrt(variance + epsilon)
    return backend.each(_scaled, pieces, factor, offset - mean * factor), mean, variance


def _rows(piece: Tensor) -> int:
    count = 1
    for length in piece.shape[:-1]:
        count *= int(length)
    return count


def _sum(piece: Tensor) -> Tensor:
    return ops.sum(ops.cast(piece, "float32"), axis=list(range(len(piece.shape) - 1)))


def _sum_of_squares(piece: Tensor, mean: Tensor) -> Tensor:
    return _sum(ops.square(ops.cast(piece, "float32") - mean))


def _scaled(piece: Tensor, factor: Tensor, shift: Tensor) -> Tensor:
    return ops.cast(ops.cast(piece, "float32") * factor + shift, piece.dtype)
