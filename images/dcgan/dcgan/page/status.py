"""state.json and run.json: what the training says of itself, checked field by field."""

from pathlib import Path

from dcgan.page.fields import Json, mapping, number, one_of, parse, sequence, text, whole
from dcgan.page.files import KIB, Unreadable, read

FORMAT = 1
PHASES = ("starting", "compiling", "training", "finished", "stopped", "failed")
STRATEGIES = ("single", "mirrored")
COUNTS = ("epoch", "step", "steps_per_epoch", "epochs")
TIMES = ("updated", "started", "seconds_left", "images_per_second")
LIMIT = 256 * KIB
DEVICES = 16
SETTINGS = 64


def read_state(folder: Path) -> tuple[Json | None, str | None]:
    """Return the state and what is wrong: a state, a problem, or neither where nothing is there yet."""
    try:
        found = read(folder / "state.json", LIMIT)
        return (None, None) if found is None else (_state(parse(found.data)), None)
    except Unreadable as error:
        return None, str(error)
    except ValueError as error:
        return None, f"reading state.json: {error}"


def read_settings(folder: Path) -> Json:
    """Return the settings of the run, only their plain values; empty where there are none to be had."""
    try:
        found = read(folder / "run.json", LIMIT)
        settings = mapping(parse(found.data).get("settings")) if found else {}
    except (Unreadable, ValueError):
        return {}
    named = list(settings.items())[:SETTINGS]
    return {str(text(name)): _scalar(value) for name, value in named}


def _state(raw: Json) -> Json:
    if raw.get("format") != FORMAT:
        raise ValueError(f"its format is {text(str(raw.get('format')))}, and this page knows format {FORMAT}")
    phase = one_of(raw.get("phase"), PHASES)
    if phase is None:
        raise ValueError(f"its phase is none of {', '.join(PHASES)}")
    return {
        "phase": phase,
        **_progress(raw),
        "backend": text(raw.get("backend")),
        "precision": text(raw.get("precision")),
        "strategy": one_of(raw.get("strategy"), STRATEGIES),
        "devices": [_device(device) for device in sequence(raw.get("devices"), DEVICES)],
        "gain": _gain(raw.get("gain")),
        "message": text(raw.get("message")),
        "exit_code": whole(raw.get("exit_code"), 0, 255),
    }


def _progress(raw: Json) -> Json:
    counts = {name: whole(raw.get(name), 0, 10**9) for name in COUNTS}
    return counts | {name: number(raw.get(name), 0) for name in TIMES}


def _device(raw: object) -> Json:
    device = mapping(raw)
    return {
        "name": text(device.get("name")),
        "kind": text(device.get("kind")),
        "compute_capability": text(device.get("compute_capability")),
        "memory_bytes": whole(device.get("memory_bytes")),
        "share": number(device.get("share"), 0, 1),
    }


def _gain(raw: object) -> Json | None:
    gain = mapping(raw)
    if not gain:
        return None
    alone = list(mapping(gain.get("alone")).items())[:DEVICES]
    return {
        "alone": {str(text(name)): number(speed, 0) for name, speed in alone},
        "together": number(gain.get("together"), 0),
        "ratio": number(gain.get("ratio"), 0),
        "note": text(gain.get("note")),
    }


def _scalar(value: object) -> str | float | bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return whole(value, -(2**53))
    return number(value) if isinstance(value, float) else text(value)
