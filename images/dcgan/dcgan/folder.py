"""The run folder: which run lies in it, and how it makes room for another one.

A run whose settings differ is moved whole to `earlier/0001`, `earlier/0002`, …; nothing is ever deleted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dcgan import __version__, checkpoint, durable
from dcgan.failure import Failure
from dcgan.settings import Settings, identity

NAME = "run.json"
FORMAT = 1
EARLIER = "earlier"
_PARTS = ("metrics.jsonl", "dcgan.gif", "samples", checkpoint.FOLDER, NAME)
"""What belongs to a run; `run.json` last, since it says whose the rest is."""


def prepare(run: Path, settings: Settings, data_sha256: str) -> None:
    """Make `run` ready for this training: move another run out of the way, write `run.json`.

    Raises `Failure` when the disk does not take it. Only who holds the lock may call this.
    """
    for place in (run, run / "samples", run / checkpoint.FOLDER):
        durable.clear_temporaries(place)
    recorded = _recorded(run)
    if recorded is not None and recorded != _identity(settings.as_dict(), data_sha256):
        _set_aside(run)
    content = {
        "format": FORMAT,
        "settings": settings.as_dict(),
        "data_sha256": data_sha256,
        "package": __version__,
    }
    durable.write_bytes(run / NAME, json.dumps(content, indent=1).encode())


def _identity(settings: dict[str, Any], data_sha256: str) -> dict[str, Any]:
    return {**identity(settings), "data_sha256": data_sha256}


def _recorded(run: Path) -> dict[str, Any] | None:
    """What identifies the run in the folder: by `run.json`, else by its newest good checkpoint."""
    try:
        content = json.loads((run / NAME).read_text("utf-8"))
        return _identity(content["settings"], content["data_sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        found = checkpoint.newest_read(run, lambda line: None)
    return _identity(found[1].meta["settings"], found[1].meta["data_sha256"]) if found else None


def _set_aside(run: Path) -> None:
    """Move the run in the folder away. It goes on where it was when it is interrupted."""
    number = next(number for number in range(1, 10_000) if not (run / EARLIER / f"{number:04d}").exists())
    target = run / EARLIER / f"{number:04d}"
    passage = run / EARLIER / f"{number:04d}.moving"
    try:
        passage.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            if (run / part).exists():
                (run / part).rename(passage / part)
        passage.rename(target)
        durable.sync_folder(run / EARLIER)
        durable.sync_folder(run)
    except OSError as error:
        raise durable.disk_failure("moving the earlier run to", target, error) from error
    print(f"the settings differ from those of the run in {run}: it was moved to {target}", file=sys.stderr)


def require(path: Path | None, run: Path) -> Path:
    """The checkpoint to use: the given one, or the newest good one of `run`. Raises `Failure` if there is none."""
    found = path or checkpoint.newest(run)
    if found is None:
        raise Failure(f"there is no good checkpoint in {run}: train first, or name one with --checkpoint")
    return found
