"""Random streams are functions of their coordinates, and their numbers are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan import stream
from dcgan.stream import Purpose


def test_the_streams_never_change() -> None:
    """A checkpoint of another version goes on with the same numbers: these are kept by value."""
    first = stream.words(1, Purpose.NOISE, 2, 3, 2)
    assert [int(word) for word in first] == [4939258184349522264, 550335972668197227]
    assert stream.order(1, 1, 10, 4).tolist() == [[4, 5, 9, 6], [7, 1, 0, 8], [2, 3, 4, 5]]


def test_streams_do_not_share_words() -> None:
    seen = [
        stream.words(seed, purpose, epoch, step, 64)
        for seed in (1, 2)
        for purpose in (Purpose.NOISE, Purpose.DROPOUT)
        for epoch in (0, 1)
        for step in (0, 1, 2)
    ]
    assert len(np.unique(np.concatenate(seen))) == 64 * len(seen)


@pytest.mark.parametrize(("images", "batch"), [(10, 4), (256, 256), (257, 256), (60_000, 256), (5, 5), (9, 2)])
def test_an_epoch_has_every_image(images: int, batch: int) -> None:
    order = stream.order(7, 3, images, batch)
    assert order.shape == (stream.steps_per_epoch(images, batch), batch)
    counts = np.bincount(order.ravel(), minlength=images)
    assert counts.min() == 1
    assert counts.sum() - images == order.size - images < batch


def test_epochs_have_other_orders() -> None:
    assert (stream.order(7, 1, 1000, 10) != stream.order(7, 2, 1000, 10)).mean() > 0.9


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_depend_on_how_steps_are_grouped(seed: int) -> None:
    whole = stream.noise(seed, 4, 0, (6, 8, 100))
    cut = seed + 1
    parts = stream.noise(seed, 4, 0, (cut, 8, 100)), stream.noise(seed, 4, cut, (6 - cut, 8, 100))
    assert np.array_equal(whole, np.concatenate(parts))


def test_dropout_keys_do_not_depend_on_how_steps_are_grouped() -> None:
    parts = stream.dropout_keys(3, 4, 0, 2), stream.dropout_keys(3, 4, 2, 3)
    assert np.array_equal(stream.dropout_keys(3, 4, 0, 5), np.concatenate(parts))


def test_normal_numbers_are_normal() -> None:
    numbers = stream.normal(6, Purpose.NOISE, 1, 1, (1_000_000,)).astype(np.float64)
    moments = [numbers.mean(), numbers.var(), (numbers**3).mean(), (numbers**4).mean()]
    assert np.allclose(moments, [0, 1, 0, 3], atol=0.04)
    assert np.isfinite(numbers).all()


def test_odd_counts_are_served() -> None:
    assert stream.normal(5, Purpose.NOISE, 1, 1, (7,)).shape == (7,)
