"""`metrics.jsonl`: one line for each completed epoch, without gaps or doubles, after a resume too.

The lines are kept in the checkpoint and the file is rewritten whole, so file and checkpoint cannot disagree.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dcgan import durable

NAME = "metrics.jsonl"


@dataclass(frozen=True)
class Epoch:
    """What is told about an epoch."""

    epoch: int
    seconds: float
    """Seconds of training, without drawing, scoring and saving."""
    images_per_second: float
    generator_loss: float
    """Mean over the epoch's steps."""
    discriminator_loss: float
    memory_bytes: int | None
    """The most memory used: of the GPUs by TensorFlow, else of the process."""
    device: str
    legible: float | None
    """Share of new digits recognised with confidence, where scored."""
    digits: list[int] | None
    """How many of the legible ones were a 0, a 1, … a 9."""
    time: float
    """When it was completed, in seconds since 1970."""

    def as_dict(self) -> dict[str, Any]:
        """As a line of JSON has it."""
        return asdict(self)


def write(folder: Path, epochs: list[dict[str, Any]]) -> None:
    """Rewrite the file whole, with a line for each of `epochs`."""
    lines = "".join(f"{json.dumps(epoch)}\n" for epoch in epochs)
    durable.write_bytes(folder / NAME, lines.encode())
