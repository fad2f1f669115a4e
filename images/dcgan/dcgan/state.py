"""`state.json`: what the training is doing right now, for the page and for people.

It is replaced as a whole at each change of phase and about every second while training.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Protocol

from dcgan import durable

NAME = "state.json"
FORMAT = 1


class Told(Protocol):
    """What is told how the training goes."""

    def tell(self, **changes: Any) -> None:
        """Change fields of `state.json` by name."""


class Silent:
    """Tells nobody, for measurements outside of a training."""

    def tell(self, **changes: Any) -> None:
        """Do nothing."""


class StateFile:
    """The state as it was last told, and the file that tells it."""

    def __init__(self, folder: Path, epochs: int) -> None:
        """Tell of a process that starts now, in `folder`. Nothing is written yet."""
        self._path = folder / NAME
        self._fields: dict[str, Any] = {
            "format": FORMAT,
            "phase": "starting",
            "epoch": 0,
            "step": 0,
            "steps_per_epoch": 0,
            "epochs": epochs,
            "updated": 0.0,
            "started": time.time(),
            "seconds_left": None,
            "images_per_second": None,
            "backend": None,
            "precision": None,
            "devices": [],
            "strategy": "single",
            "gain": None,
            "message": None,
            "exit_code": None,
        }

    def tell(self, **changes: Any) -> None:
        """Change fields by name and write the file. Raises `Failure` when the disk does not take it."""
        unknown = changes.keys() - self._fields.keys()
        if unknown:
            raise KeyError(f"state.json has no fields {sorted(unknown)}")
        self._fields |= changes
        self._fields["updated"] = time.time()
        finite = {name: _finite(value) for name, value in self._fields.items()}
        durable.write_bytes(self._path, json.dumps(finite, indent=1).encode(), sync=False)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
