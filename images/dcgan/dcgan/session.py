"""Devices, precision and the compiled step, opened together for a training."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from dcgan import device, share, stream
from dcgan.device import Device
from dcgan.failure import Failure
from dcgan.settings import NOISE, Settings
from dcgan.state import Told
from dcgan.step.backend import Backend, Tree
from dcgan.step.engine import Engine, Plan, initial_state

MEASURE_SECONDS = 1.5
"""How long a device is measured for its share of the batch."""
Arrays = dict[str, dict[str, NDArray[np.float32]]]


class Session:
    """An engine on its devices, compiled."""

    def __init__(self, engine: Engine, devices: list[Device]) -> None:
        """Use `engine`, which computes on `devices`."""
        self._engine = engine
        self.devices = devices
        self.put = engine.put
        self.get = engine.get

    @property
    def backend_name(self) -> str:
        """Framework and version, for people."""
        return self._engine.backend.name

    @property
    def device_names(self) -> str:
        """The devices, joined by commas."""
        return ",".join(found.name for found in self.devices)

    def run(
        self, state: Tree, order: NDArray[np.int32], noise: NDArray[np.float32], keys: NDArray[np.int32]
    ) -> tuple[Tree, NDArray[np.float64]]:
        """Train for `len(order)` steps, see `Engine.run`. Raises `Failure` when a device runs out of memory."""
        try:
            return self._engine.run(state, order, noise, keys)
        except Exception as error:
            if device.is_memory(error):
                raise device.memory_taken("training", error) from error
            raise

    def memory(self) -> int | None:
        """The most memory used so far, in bytes, where known."""
        return self._engine.backend.memory()

    def compile(self) -> None:
        """Compile the step by running one whose result is thrown away."""
        self.measure(1)

    def images_per_second(self) -> float:
        """How fast the compiled step trains: the best of several short runs, whose results are thrown away."""
        best, steps, until = 0.0, 1, time.monotonic() + MEASURE_SECONDS
        while best == 0.0 or time.monotonic() < until:
            seconds = self.measure(steps)
            best = max(best, steps * self._engine.plan.batch / seconds)
            steps = int(np.clip(0.3 * steps / seconds, 1, 16))
        return best

    def measure(self, steps: int) -> float:
        """The seconds that `steps` steps take in one compiled call; their result is thrown away."""
        batch = self._engine.plan.batch
        state = self.put(initial_state(0))
        noise, keys = stream.noise(0, 0, 0, (steps, batch, NOISE)), stream.dropout_keys(0, 0, 0, steps)
        began = time.monotonic()
        self.run(state, np.zeros((steps, batch), np.int32), noise, keys)
        return time.monotonic() - began


def open_session(settings: Settings, devices: list[Device], images: NDArray[np.uint8], state: Told) -> Session:
    """Compile for `devices` and tell in `state`. Raises `Failure` when they cannot do the work."""
    dtype = device.dtype(settings, devices)
    state.tell(phase="compiling", precision=dtype, devices=[found.as_dict(1 / len(devices)) for found in devices])
    if settings.strategy == "mirrored":
        return _mirrored(settings, dtype, images, devices, state)
    session = _session(settings, dtype, images, devices, (settings.batch_size,))
    state.tell(backend=session.backend_name, devices=[devices[0].as_dict(1.0)])
    return session


def _mirrored(settings: Settings, dtype: str, images: NDArray[np.uint8], devices: list[Device], state: Told) -> Session:
    """A session over all devices, each with the share that its speed alone gives it."""
    batch = settings.batch_size
    if not 2 <= len(devices) <= batch:
        raise Failure(
            f"--strategy mirrored needs two devices, this process has {len(devices)} "
            f"({', '.join(found.kind for found in devices)}): give it another GPU, or train with --strategy single"
        )
    alone = [_session(settings, dtype, images, [found], (batch,)).images_per_second() for found in devices]
    rows = share.rows(alone, batch)
    session = _session(settings, dtype, images, devices, rows)
    names = [found.name for found in devices]
    kinds = {found.name: found.kind for found in devices}
    gain = share.Gain(dict(zip(names, alone, strict=True)), session.images_per_second(), kinds)
    shares = [found.as_dict(part / batch) for found, part in zip(devices, rows, strict=True)]
    state.tell(backend=session.backend_name, devices=shares, gain=gain.as_dict())
    return session


def _session(
    settings: Settings, dtype: str, images: NDArray[np.uint8], devices: list[Device], rows: tuple[int, ...]
) -> Session:
    backend = _backend([found.name for found in devices])
    session = Session(Engine(backend, Plan(settings.numbers, dtype, rows), images), devices)
    session.compile()
    return session


def _backend(names: list[str]) -> Backend:
    if device.framework() == "jax":
        from dcgan.step.jax import JaxBackend

        return JaxBackend()
    from dcgan.step.tensorflow import TensorflowBackend

    return TensorflowBackend(names)
