"""How batches are shared, how the gain is told, and what is made of the cards that a machine has."""

from __future__ import annotations

import random
from typing import Any

import pytest

from dcgan import device, share
from dcgan.device import Device
from dcgan.settings import Settings


def test_shares_follow_the_speed() -> None:
    assert share.rows([300.0, 100.0], 256) == (192, 64)
    assert share.rows([1.0], 256) == (256,)
    assert share.rows([1000.0, 0.001], 256) == (255, 1)


def test_shares_are_whole_and_complete() -> None:
    chance = random.Random(3)
    for _ in range(300):
        speeds = [chance.uniform(0.01, 100) ** 2 for _ in range(chance.randint(1, 6))]
        batch = chance.randint(len(speeds), 500)
        rows = share.rows(speeds, batch)
        assert sum(rows) == batch
        assert min(rows) >= 1


@pytest.mark.parametrize(
    ("together", "words"),
    [
        (140.0, "1.40 times as fast as GPU:0 (big) alone"),
        (100.0, "gain nothing"),
        (80.0, "slower than GPU:0 (big) alone"),
    ],
)
def test_gain_and_loss_are_told(together: float, words: str) -> None:
    gain = share.Gain({"GPU:0": 100.0, "GPU:1": 50.0}, together, {"GPU:0": "big", "GPU:1": "small"})
    assert words in gain.note()
    assert gain.as_dict()["ratio"] == together / 100


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([(6, 1)], "float32"),
        ([(7, 5)], "float16"),
        ([(8, 6)], "bfloat16"),
        ([(9, 0), (6, 1)], "float32"),
        ([(8, 0), (7, 0)], "float16"),
    ],
)
def test_precision_follows_the_weakest_card(capabilities: list[Any], expected: str) -> None:
    cards = [Device(f"GPU:{index}", "card", capability, None) for index, capability in enumerate(capabilities)]
    assert device.dtype(Settings(), cards) == expected
    assert device.dtype(Settings(precision="bfloat16"), cards) == "bfloat16"


def test_a_cpu_gets_what_it_computes_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = [Device("CPU:0", "processor", None, None)]
    monkeypatch.setattr(device, "_cpu_facts", lambda: "flags : avx2 avx512_bf16\n")
    assert device.dtype(Settings(), cpu) == "bfloat16"
    monkeypatch.setattr(device, "_cpu_facts", lambda: "flags : avx2\n")
    assert device.dtype(Settings(), cpu) == "float32"


def test_memory_errors_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_memories", lambda: [("GTX 1050 Ti", 200 << 20, 4096 << 20)])
    taken = RuntimeError("cudaSetDevice() on GPU:0 failed. Status: out of memory")
    failure = device._cannot("starting the GPUs", taken)
    assert failure.exit_code == 75
    assert "GTX 1050 Ti has 200 of 4096 MiB free" in failure.message
    assert device._cannot("starting the GPUs", RuntimeError("no kernel image")).exit_code == 78
    assert not device.is_memory(RuntimeError("bad boom"))
