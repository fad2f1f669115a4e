"""How a batch is spread over devices that differ, and what that gains.

Each device is measured alone before training; its share of every batch follows its speed, so that all are done
at the same time. Then they are measured together, and the gain or loss is told as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Gain:
    """What training on several devices wins over the fastest of them alone."""

    alone: dict[str, float]
    """Images a second of each device alone, by name."""
    together: float
    """Images a second of all of them."""
    kinds: dict[str, str]
    """The maker's name of each device."""

    @property
    def ratio(self) -> float:
        """Together, as a multiple of the fastest alone."""
        return self.together / max(self.alone.values())

    def note(self) -> str:
        """The gain or loss in one sentence."""
        fastest = max(self.alone, key=lambda name: self.alone[name])
        against = f"{fastest} ({self.kinds[fastest]}) alone"
        if self.ratio >= 1.02:
            return f"Together the devices train {self.ratio:.2f} times as fast as {against}."
        if self.ratio > 0.98:
            return f"Together the devices train as fast as {against}: the others gain nothing."
        return (
            f"Together the devices train slower than {against}, at {self.ratio:.2f} of its speed: "
            'strategy "single" would be done sooner.'
        )

    def as_dict(self) -> dict[str, Any]:
        """As `state.json` has it."""
        return {
            "alone": {name: round(speed, 1) for name, speed in self.alone.items()},
            "together": round(self.together, 1),
            "ratio": round(self.ratio, 3),
            "note": self.note(),
        }


def rows(speeds: list[float], batch: int) -> tuple[int, ...]:
    """Rows of a batch for each device, in proportion to its speed, at least one, `batch` in all.

    `batch` must be at least the number of devices, and speeds positive.
    """
    wanted = np.array(speeds) / sum(speeds) * batch
    shares = np.maximum(np.floor(wanted).astype(int), 1)
    while shares.sum() != batch:
        step = 1 if shares.sum() < batch else -1
        # The device whose share is farthest from what it should have, among those that can give one.
        lack = np.where((shares + step) >= 1, step * (wanted - shares), -np.inf)
        shares[int(np.argmax(lack))] += step
    return tuple(int(share) for share in shares)
