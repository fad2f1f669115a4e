"""The networks and one training step, held against Keras' own layers and optimiser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import step_by_hand
from conftest import PACKAGE
from dcgan import draw, model, stream
from dcgan.step.engine import initial_state
from step_by_hand import farthest


@pytest.fixture(scope="module")
def tf() -> Any:
    """TensorFlow, with the CPU as two devices."""
    import tensorflow

    (cpu,) = tensorflow.config.list_physical_devices("CPU")
    halves = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(cpu, halves)
    return tensorflow


def on(tf: Any, *devices: str) -> Any:
    """The TensorFlow backend on these devices."""
    from dcgan.step.tensorflow import TensorflowBackend

    return TensorflowBackend(list(devices))


@pytest.fixture(scope="module")
def single(tf: Any) -> tuple[step_by_hand.State, NDArray[np.float64]]:
    """Some steps on one device."""
    return step_by_hand.train(on(tf, "CPU:0"))


def size(shapes: dict[str, tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


def test_the_networks_have_the_tutorials_numbers(tf: Any) -> None:
    from dcgan import bench

    assert size(model.generator_shapes()) + size(model.statistics_shapes()) == 2_330_944
    assert size(model.discriminator_shapes()) == 212_865
    assert bench.generator().count_params() == 2_330_944
    assert bench.discriminator().count_params() == 212_865


def shaken_state() -> step_by_hand.State:
    """A state in which no weight is zero or one."""
    state = initial_state(3)
    for index, tree in enumerate((state["generator"], state["statistics"], state["discriminator"])):
        for place, name in enumerate(sorted(tree)):
            noise = stream.normal(8, stream.Purpose.INITIAL, index, place, tree[name].shape)
            tree[name] = tree[name] + np.float32(0.02) * np.abs(noise)
    state["average"] = {**state["generator"], **state["statistics"]}
    return state


def filled(network: Any, state: step_by_hand.State) -> Any:
    """A Keras network with our weights."""
    ours = iter(_in_keras_order(state, network))
    for layer in network.layers:
        layer.set_weights([next(ours) for _ in layer.get_weights()])
    return network


def _in_keras_order(state: step_by_hand.State, network: Any) -> list[NDArray[np.float32]]:
    if network.input_shape[-1] == 1:
        names = [f"{layer}/{part}" for layer in ("conv1", "conv2", "dense") for part in ("kernel", "bias")]
        return [state["discriminator"][name] for name in names]
    names = ["dense/kernel"]
    for index in range(3):
        names += [f"norm{index}/{part}" for part in ("scale", "offset", "mean", "variance")]
        names += [f"conv{index + 1}/kernel"]
    return [state["average"][name] for name in names]


def test_drawing_by_numpy_equals_keras(tf: Any) -> None:
    from dcgan import bench

    state = shaken_state()
    noise = stream.normal(1, stream.Purpose.DRAW, 0, 0, (20, 100))
    network = filled(bench.generator(), state)
    keras = np.asarray(network(noise, training=False))[..., 0]
    ours = draw.Generator(state["average"], 1).pixels(noise)
    assert keras.std() > 0.01
    np.testing.assert_allclose(ours, keras, atol=2e-5)


def test_a_step_equals_keras(tf: Any) -> None:
    """Our step with one backward pass, folded Adam and fused kernels against the tutorial's own way."""
    import keras

    from dcgan import bench

    state = initial_state(1)
    generator = filled(bench.generator(), state)
    layers = [
        keras.layers.Rescaling(1 / 0.7) if isinstance(layer, keras.layers.Dropout) else layer
        for layer in bench.discriminator().layers
    ]
    discriminator = filled(keras.Sequential([keras.Input((28, 28, 1)), *layers]), state)
    optimizers = [keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)]
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    order, noise, _ = step_by_hand.inputs()
    pictures = (step_by_hand.images()[..., None].astype(np.float32) - 127.5) / 127.5
    expected = []
    for rows, numbers in zip(order, noise, strict=True):
        with tf.GradientTape(persistent=True) as tape:
            of_real = discriminator(pictures[rows])
            of_fake = discriminator(generator(numbers, training=True))
            believed = cross_entropy(tf.ones_like(of_fake), of_fake)
            caught = cross_entropy(tf.ones_like(of_real), of_real) + cross_entropy(tf.zeros_like(of_fake), of_fake)
        for network, loss, optimizer in ((generator, believed, optimizers[0]), (discriminator, caught, optimizers[1])):
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        expected.append([float(believed), float(caught)])
    trained, losses = step_by_hand.train(on(tf, "CPU:0"), recipe="tutorial")
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    for network, name in ((generator, "generator"), (discriminator, "discriminator")):
        for theirs, ours in zip(network.get_weights(), _in_keras_order(trained, network), strict=True):
            # Adam's first steps are about as large as the learning rate whatever the gradient: a rounding
            # difference in a gradient near zero may cost a fraction of that.
            assert np.abs(theirs - ours).mean() < 2e-6, name
            np.testing.assert_allclose(theirs, ours, atol=2e-4)


def test_the_penalty_equals_keras(tf: Any) -> None:
    """The gradient of a gradient, against two tapes around Keras' layers."""
    import keras

    from dcgan import bench
    from dcgan.settings import RECIPES
    from dcgan.step.engine import PENALISED, Engine, Plan

    state = shaken_state()
    plan = Plan(RECIPES["fast"], "float32", (12,))
    engine = Engine(on(tf, "CPU:0"), plan, step_by_hand.images())
    pictures = tf.constant((step_by_hand.images()[:12, ..., None].astype(np.float32) - 127.5) / 127.5)
    ours = engine._steepness_gradient(engine.put(state), engine._images, tf.range(12))
    layers = [layer for layer in bench.discriminator().layers if not isinstance(layer, keras.layers.Dropout)]
    network = filled(keras.Sequential([keras.Input((28, 28, 1)), *layers]), state)
    some = pictures[: 12 // PENALISED]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(some)
            logits = tf.reduce_sum(network(some))
        slope = inner.gradient(logits, some)
        penalty = 0.5 * plan.recipe.smoothing * tf.reduce_mean(tf.reduce_sum(slope**2, axis=(1, 2, 3)))
    kernels = [network.get_layer(index=index).kernel for index in (0, 2, 5)]
    theirs = outer.gradient(penalty, kernels)
    for name, gradient in zip(("conv1", "conv2", "dense"), theirs, strict=True):
        np.testing.assert_allclose(ours[f"{name}/kernel"], gradient, rtol=1e-3, atol=1e-6)
    assert not np.any(ours["dense/bias"])


def test_the_tutorial_draws_with_the_latest_weights(tf: Any) -> None:
    trained, _ = step_by_hand.train(on(tf, "CPU:0"), recipe="tutorial")
    latest = {**trained["generator"], **trained["statistics"]}
    assert all(np.array_equal(trained["average"][name], latest[name]) for name in latest)


def test_the_average_follows_slowly(single: tuple[step_by_hand.State, Any]) -> None:
    trained, _ = single
    kernel = "dense/kernel"
    moved = np.abs(trained["generator"][kernel] - initial_state(1)["generator"][kernel]).mean()
    behind = np.abs(trained["generator"][kernel] - trained["average"][kernel]).mean()
    assert 0 < behind < moved


@pytest.mark.parametrize("rows", [(8, 4), (1, 11)])
def test_two_devices_compute_what_one_does(tf: Any, single: tuple[step_by_hand.State, Any], rows: Any) -> None:
    """Shares differ, statistics are common, gradients are of the whole batch: only rounding differs."""
    trained, losses = step_by_hand.train(on(tf, "CPU:0", "CPU:1"), rows)
    np.testing.assert_allclose(losses, single[1], rtol=1e-4)
    assert farthest(trained, single[0]) < 2e-3


def test_dropout_masks_are_the_same_on_two_devices(tf: Any) -> None:
    _, alone = step_by_hand.train(on(tf, "CPU:0"), recipe="tutorial", drop=True)
    _, together = step_by_hand.train(on(tf, "CPU:0", "CPU:1"), (7, 5), recipe="tutorial", drop=True)
    _, kept = step_by_hand.train(on(tf, "CPU:0"), recipe="tutorial")
    np.testing.assert_allclose(alone, together, rtol=1e-4)
    assert not np.allclose(alone, kept, rtol=1e-3)


def test_each_device_computes_its_own_gradients(tf: Any) -> None:
    from dcgan.settings import RECIPES
    from dcgan.step.engine import Engine, Plan

    backend = on(tf, "CPU:0", "CPU:1")
    engine = Engine(backend, Plan(RECIPES["fast"], "float32", (8, 4)), step_by_hand.images())

    def once(state: Any, order: Any, noise: Any, key: Any) -> Any:
        return engine._step(state, engine._images, order, noise, key)

    order, noise, keys = step_by_hand.inputs()
    graph = tf.function(once, autograph=False).get_concrete_function(
        engine.put(initial_state(1)), *(tf.constant(array[0]) for array in (order, noise, keys))
    )
    heavy = [node for node in graph.graph.as_graph_def().node if node.op.startswith("Conv2D")]
    places = Counter(node.device[-5:] for node in heavy)
    assert set(places) == {"CPU:0", "CPU:1"}
    assert places["CPU:0"] >= places["CPU:1"] >= 15


@pytest.mark.parametrize(
    ("rows", "share"), [((256,), (64,)), ((176, 80), (44, 20)), ((8, 4), (2, 1)), ((1, 11), (0, 3)), ((1, 1), (0, 1))]
)
def test_each_device_has_its_share_of_the_penalty(rows: tuple[int, ...], share: tuple[int, ...]) -> None:
    from dcgan.settings import RECIPES
    from dcgan.step.engine import Plan

    assert Plan(RECIPES["fast"], "float32", rows).penalised == share


def test_the_penalty_is_computed_on_all_devices(tf: Any) -> None:
    from dcgan.settings import RECIPES
    from dcgan.step.engine import Engine, Plan

    both = Engine(on(tf, "CPU:0", "CPU:1"), Plan(RECIPES["fast"], "float32", (8, 4)), step_by_hand.images())
    alone = Engine(on(tf, "CPU:0"), Plan(RECIPES["fast"], "float32", (12,)), step_by_hand.images())
    state, order = both.put(shaken_state()), tf.range(12)

    def gradient(state: Any, order: Any) -> Any:
        return both._steepness_gradient(state, both._images, order)

    graph = tf.function(gradient, autograph=False).get_concrete_function(state, order).graph.as_graph_def()
    places = Counter(node.device[-5:] for node in graph.node if node.op.startswith("Conv2D"))
    assert places["CPU:0"] == places["CPU:1"] > 0
    together = gradient(state, order)
    for name, expected in alone._steepness_gradient(alone.put(shaken_state()), alone._images, order).items():
        np.testing.assert_allclose(together[name], expected, rtol=1e-3, atol=1e-6)


def test_dropout_drops_three_in_ten(tf: Any) -> None:
    numbers = np.asarray(on(tf, "CPU:0").bits(tf.constant([1, 2]), 0, (1000, 1001)))
    assert numbers.dtype == np.int16
    assert abs((numbers < round(0.3 * 65536) - 32768).mean() - 0.3) < 0.002


def test_bfloat16_is_near_float32(tf: Any, single: tuple[step_by_hand.State, NDArray[np.float64]]) -> None:
    trained, losses = step_by_hand.train(on(tf, "CPU:0"), dtype="bfloat16")
    np.testing.assert_allclose(losses, single[1], rtol=0.02)
    assert trained["generator"]["conv1/kernel"].dtype == np.float32


def test_float16_passes_over_an_overflow(tf: Any) -> None:
    from dcgan.settings import RECIPES
    from dcgan.step.engine import Engine, Plan

    engine = Engine(on(tf, "CPU:0"), Plan(RECIPES["fast"], "float16", (2,)), step_by_hand.images())
    order, noise, keys = step_by_hand.inputs(steps=1)
    few = order[:, :2], noise[:, :2], keys
    before = initial_state(1)
    after = engine.get(engine.run(engine.put(before), *few)[0])
    assert after["scaling"]["clean"] == 1
    assert not np.array_equal(after["generator"]["conv1/kernel"], before["generator"]["conv1/kernel"])
    before["scaling"]["factor"] = np.array(2.0**30, np.float32)
    kept = engine.get(engine.run(engine.put(before), *few)[0])
    assert kept["scaling"]["factor"] == 2.0**29
    assert np.array_equal(kept["generator"]["conv1/kernel"], before["generator"]["conv1/kernel"])


def test_jax_computes_what_tensorflow_does(single: tuple[step_by_hand.State, Any], tmp_path: Path) -> None:
    out = tmp_path / "jax.npz"
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(PACKAGE)}
    program = Path(__file__).with_name("step_by_hand.py")
    subprocess.run([sys.executable, program, out], env=environment, check=True, timeout=120)
    with np.load(out) as arrays:
        trained = {group: {name: arrays[f"{group}/{name}"] for name in tree} for group, tree in single[0].items()}
    assert farthest(trained, single[0]) < 5e-3
    kernel = "conv1/kernel"
    assert np.abs(trained["generator"][kernel] - single[0]["generator"][kernel]).mean() < 2e-5
