"""What a field of a JSON file may be, before the page believes it.

The files come from a training that may have been cut off, may be of another version, or may have
written NaN. A field that is not what it should be is None; it never makes the rest unreadable.
"""

import json
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

TEXT_LIMIT = 600
"""Characters of a text that are shown; what a training says is one line."""


def parse(data: bytes) -> Json:
    """Return the JSON object in `data`; raise `ValueError` with what is wrong with it."""
    try:
        value = json.loads(data)
    except UnicodeDecodeError:
        raise ValueError("it is not text") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON from line {error.lineno}, column {error.colno}") from None
    except (RecursionError, ValueError):
        raise ValueError("it is JSON that no training writes") from None
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value


def number(value: object, low: float = -1e15, high: float = 1e15) -> float | None:
    """Return `value` as a finite number within the bounds, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def whole(value: object, low: int = 0, high: int = 2**53) -> int | None:
    """Return `value` as a whole number within the bounds, else None."""
    found = number(value, low, high)
    return int(found) if found is not None and found == int(found) else None


def text(value: object) -> str | None:
    """Return `value` as one printable line of at most `TEXT_LIMIT` characters, else None."""
    if not isinstance(value, str):
        return None
    # A lone surrogate is valid in JSON's escapes, but it cannot be sent as UTF-8.
    clean = value[: 4 * TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")
    line = " ".join("".join(c if c.isprintable() else " " for c in clean).split())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


def one_of(value: object, allowed: tuple[str, ...]) -> str | None:
    """Return `value` if it is among the words allowed, else None."""
    return value if isinstance(value, str) and value in allowed else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object, limit: int) -> list[Any]:
    """Return at most `limit` members of `value` if it is a JSON array, else none."""
    return value[:limit] if isinstance(value, list) else []
