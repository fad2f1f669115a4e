"""Which devices a training gets, what they are, and whether they can do the work at all.

Every GPU is tried with a real kernel before training: a card that TensorFlow has no code for, or whose memory
another process holds, is found here and told in one line.
"""

from __future__ import annotations

import importlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan.failure import NOT_NOW, Failure
from dcgan.settings import Settings

SPLIT = "DCGAN_CPU_DEVICES"
"""For tests of `mirrored`: as how many devices TensorFlow shall see the CPU."""
Capability = tuple[int, int]
NEEDED: Capability = (6, 0)
"""The lowest compute capability that TensorFlow 2.17 to 2.21 has code for (from the wheels, 2026-11-22)."""
_OTHERWISE = "or train with --device cpu"


@dataclass(frozen=True)
class Device:
    """A device as `state.json` tells it, without its share."""

    name: str
    """The framework's name, such as GPU:0."""
    kind: str
    """The maker's name."""
    compute_capability: Capability | None
    memory_bytes: int | None

    def as_dict(self, share: float) -> dict[str, Any]:
        """As JSON has it; `share` is the part of each batch that the device takes."""
        capability = ".".join(map(str, self.compute_capability)) if self.compute_capability else None
        return {
            "name": self.name,
            "kind": self.kind,
            "compute_capability": capability,
            "memory_bytes": self.memory_bytes,
            "share": round(share, 4),
        }


def framework() -> str:
    """The framework that KERAS_BACKEND chooses, tensorflow unless told. Raises `Failure` for any but ours."""
    name = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if name not in ("tensorflow", "jax"):
        raise Failure(f"KERAS_BACKEND is {name!r}: this program trains on tensorflow or jax")
    return name


def find(settings: Settings) -> list[Device]:
    """The devices to train on, tried. Raises `Failure` when a GPU is demanded and none can do the work."""
    return _find_jax(settings) if framework() == "jax" else _find_tensorflow(settings)


def dtype(settings: Settings, devices: list[Device]) -> str:
    """What to compute in: as told, or what the weakest of the devices gains from.

    Pascal and older compute float16 slower than float32, Volta and Turing have units for float16, Ampere and
    later for bfloat16. On a CPU with AVX512_BF16 a step takes 0.78 s of processor time instead of 1.00 (EPYC
    9004, TensorFlow 2.19, 2026-11-28).
    """
    if settings.precision != "auto":
        return settings.precision
    capabilities = [device.compute_capability for device in devices if device.compute_capability]
    if len(capabilities) < len(devices):
        return "bfloat16" if framework() == "tensorflow" and _cpu_has_bfloat16() else "float32"
    if min(capabilities) >= (8, 0):
        return "bfloat16"
    return "float16" if min(capabilities) >= (7, 0) else "float32"


def is_memory(error: BaseException) -> bool:
    """Whether a framework's error says that a device has no memory left."""
    text = str(error).lower()
    return any(sign in text for sign in ("out of memory", "out_of_memory", "resource_exhausted", "oom when"))


def memory_taken(doing: str, error: BaseException) -> Failure:
    """The failure for a GPU whose memory does not suffice; says how much is free where that is known."""
    seen = ", ".join(f"{name} has {free >> 20} of {total >> 20} MiB free" for name, free, total in _memories())
    return Failure(
        f"{doing}: the memory of the GPU is taken ({seen or _first_line(error)}): stop what holds it (nvidia-smi "
        "names it; Ollama lets go some minutes after the last question), or train with a smaller --batch",
        NOT_NOW,
    )


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300] or type(error).__name__


def _cpu_facts() -> str:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return ""


def _cpu_has_bfloat16() -> bool:
    facts = _cpu_facts()
    return "avx512_bf16" in facts or "amx_bf16" in facts


def _cpu(name: str) -> Device:
    models = [line.partition(":")[2].strip() for line in _cpu_facts().splitlines() if line.startswith("model name")]
    return Device(name, models[0] if models else "CPU", None, None)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Failure(
            f"starting {name}: {_first_line(error)}: use the image that carries it, or choose by KERAS_BACKEND"
        ) from error


def _find_tensorflow(settings: Settings) -> list[Device]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    tf = _import("tensorflow")
    seen = tf.config.list_physical_devices("GPU")
    if settings.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
        seen = []
    for gpu in seen:
        tf.config.experimental.set_memory_growth(gpu, True)
    usable = [gpu for gpu in seen if _capability(tf, gpu) >= NEEDED]
    _split_cpu(tf)
    started = _started(tf)
    if not started:
        return _without_gpu(settings, [_name(tf, gpu) for gpu in seen], tf)
    found = [_gpu(tf, _short(logical.name), gpu) for logical, gpu in zip(started, usable, strict=False)]
    return _chosen([_tried(tf, device) for device in found], settings)


def _capability(tf: Any, gpu: Any) -> Capability:
    return tuple(tf.config.experimental.get_device_details(gpu).get("compute_capability", NEEDED))


def _name(tf: Any, gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU"))


def _split_cpu(tf: Any) -> None:
    parts = int(os.environ.get(SPLIT, "1"))
    if parts > 1:
        (cpu, *_) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * parts)


def _short(name: str) -> str:
    """`GPU:0` from `/device:GPU:0`."""
    return ":".join(name.rsplit(":", 2)[-2:])


def _started(tf: Any) -> list[Any]:
    """The GPUs that TensorFlow starts; it passes over those that it has no code for."""
    try:
        return list(tf.config.list_logical_devices("GPU"))
    except (RuntimeError, tf.errors.OpError) as error:
        raise _cannot("starting the GPUs", error) from error


def _cannot(doing: str, error: BaseException) -> Failure:
    if is_memory(error):
        return memory_taken(doing, error)
    return Failure(f"{doing}: {_first_line(error)}: look at nvidia-smi and the driver, {_OTHERWISE}")


def _without_gpu(settings: Settings, seen: list[str], tf: Any) -> list[Device]:
    if settings.device == "gpu" and seen:
        raise Failure(
            f"looking for a GPU: TensorFlow sees {', '.join(seen)} and has no code for that (it needs compute "
            f"capability {NEEDED[0]}.{NEEDED[1]}): give the container another card, {_OTHERWISE}"
        )
    if settings.device == "gpu":
        raise Failure(
            "looking for a GPU: TensorFlow sees none: give the container one (--device nvidia.com/gpu=UUID) and try "
            f"nvidia-smi in it, {_OTHERWISE}"
        )
    cpus = [_cpu(_short(device.name)) for device in tf.config.list_logical_devices("CPU")]
    return cpus if settings.strategy == "mirrored" else cpus[:1]


def _gpu(tf: Any, name: str, gpu: Any) -> Device:
    kind = _name(tf, gpu)
    # Matched by name: nvidia-smi counts by bus, CUDA by speed.
    totals = [total for known, _, total in _memories() if known == kind]
    return Device(name, kind, _capability(tf, gpu), totals[0] if totals else None)


def _tried(tf: Any, device: Device) -> Device:
    """Run a matrix product and a convolution on the device. Raises `Failure` when it cannot."""
    doing = f"trying {device.name} ({device.kind})"
    try:
        with tf.device(device.name):
            product = tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
            image = tf.nn.conv2d(tf.ones((1, 8, 8, 1)), tf.ones((5, 5, 1, 1)), 1, "SAME")
            right = float(product[0, 0]) == 64.0 and float(image[0, 4, 4, 0]) == 25.0
    except tf.errors.OpError as error:
        raise _cannot(doing, error) from error
    if not right:
        raise Failure(f"{doing}: it computes wrong results: take the card out of use")
    return device


def _memories() -> list[tuple[str, int, int]]:
    """Name, free and total bytes of each GPU, where nvidia-smi tells."""
    command = ["nvidia-smi", "--query-gpu=name,memory.free,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        rows = [line.rsplit(",", 2) for line in answer.stdout.splitlines()]
        return [(name.strip(), int(free) << 20, int(total) << 20) for name, free, total in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def _chosen(found: list[Device], settings: Settings) -> list[Device]:
    """All GPUs for `mirrored`, else the one with the most memory (CUDA's fastest among equals)."""
    return found if settings.strategy == "mirrored" else [max(found, key=lambda device: device.memory_bytes or 0)]


def _find_jax(settings: Settings) -> list[Device]:
    if settings.strategy == "mirrored":
        raise Failure(
            "--strategy mirrored needs TensorFlow: a compiled JAX program gives every device the same share, which "
            "is no use for cards that differ: unset KERAS_BACKEND, or train with --strategy single"
        )
    if settings.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = _import("jax")
    try:
        device = jax.devices()[0]
    except RuntimeError as error:
        raise _cannot("starting JAX", error) from error
    if device.platform != "cpu":
        return [_jax_gpu(device)]
    if settings.device == "gpu":
        raise Failure(f"looking for a GPU: JAX sees none: give the container one and JAX its CUDA plugin, {_OTHERWISE}")
    return [_cpu("CPU:0")]


def _jax_gpu(device: Any) -> Device:
    major, _, minor = str(getattr(device, "compute_capability", "")).partition(".")
    capability = (int(major), int(minor or 0)) if major.isdigit() else None
    return Device("GPU:0", device.device_kind, capability, (device.memory_stats() or {}).get("bytes_limit"))
