"""The ASGI stack that travels with the package.

Nothing is installed on the machine: the wheels beside the package are pure Python and a wheel is a
zip, so they are put on the import path as they are. `wheels.txt` beside them names each with its
digest, in pip's own form; a test holds the one against the other.

All of them or none: a stack half from here and half from the image that the page happens to run in
would be one that nobody has tested.
"""

import importlib.util
import re
import sys
from pathlib import Path

WHEELS = Path(__file__).resolve().parents[2] / "wheels"
LISTED = re.compile(r"^(?P<name>[A-Za-z0-9_.-]+)==(?P<version>[A-Za-z0-9_.!+]+)\s", re.MULTILINE)
NEEDED = ("starlette", "uvicorn")


def listed(wheels: Path = WHEELS) -> list[Path]:
    """Return the wheels that `wheels.txt` names, in its order; empty where there is no list."""
    try:
        lines = (wheels / "wheels.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    found = (line.group("name", "version") for line in LISTED.finditer(lines))
    return [wheels / f"{name.replace('-', '_')}-{version}-py3-none-any.whl" for name, version in found]


def mount(wheels: Path = WHEELS) -> None:
    """Make the stack importable: as installed where it is whole, else from the wheels, ahead of all.

    Raises `ModuleNotFoundError` with what to do when it is to be had in neither way.
    """
    if all(importlib.util.find_spec(name) for name in NEEDED):
        return
    found = [str(wheel) for wheel in listed(wheels) if wheel.is_file()]
    sys.path[:0] = [path for path in found if path not in sys.path]
    importlib.invalidate_caches()
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        raise ModuleNotFoundError(
            f"looking for what the page is served with: {' and '.join(missing)} neither installed nor among"
            f" the wheels in {wheels}; lay the folder `wheels` beside the package `dcgan` again"
        )
