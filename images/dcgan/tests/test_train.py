"""The training as a process: it learns, it tells, and it goes on after whatever happened to it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import PACKAGE, DataFile, Start, metrics_of, state_of, wait_until
from dcgan import checkpoint, evaluate

SMALL = [
    "--limit",
    "96",
    "--batch",
    "16",
    "--epochs",
    "3",
    "--checkpoint-every",
    "2",
    "--samples",
    "4",
    "--score",
    "20",
]
OFTEN = "from dcgan import train; train.ROLLING_SECONDS = 0.0; train.LONGEST_CHUNK = 1"
"""Makes a checkpoint after every step, so that there is something to break."""
OF_THE_CLOCK = ("seconds", "images_per_second", "memory_bytes", "time")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def options(mnist: DataFile, folder: Path, *more: str) -> list[str]:
    """The command line of a small training."""
    return ["train", "--folder", str(folder), "--device", "cpu", *mnist.options, *SMALL, *more]


def fingerprint(folder: Path) -> dict[str, Any]:
    """All of a finished run that must not depend on how often it was interrupted."""
    path = checkpoint.newest(folder)
    assert path is not None
    read = checkpoint.read(path)
    weights = {f"{group}/{name}": value.tobytes() for group, tree in read.state.items() for name, value in tree.items()}
    lines = [{key: value for key, value in line.items() if key not in OF_THE_CLOCK} for line in metrics_of(folder)]
    pictures = {picture.name: picture.read_bytes() for picture in sorted((folder / "samples").iterdir())}
    return {"name": path.name, "weights": weights, "metrics": lines, "pictures": pictures}


@pytest.fixture(scope="module")
def finished(mnist: DataFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-c", f"{OFTEN}; import sys; from dcgan.cli import main; sys.exit(main(sys.argv[1:]))"]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE)}
    subprocess.run([*command, *options(mnist, folder)], env=environment, check=True, timeout=600)
    return folder


def test_a_run_leaves_what_is_promised(finished: Path) -> None:
    names = {str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file()}
    assert names == {
        "run.json",
        "state.json",
        "metrics.jsonl",
        "lock",
        "dcgan.gif",
        *(f"samples/epoch-{epoch:04d}.png" for epoch in range(4)),
        "checkpoints/ckpt-0002.npz",
        "checkpoints/ckpt-0003.npz",
        "checkpoints/rolling-0002-0004.npz",
        "checkpoints/rolling-0002-0005.npz",
    }
    with Image.open(finished / "dcgan.gif") as gif:
        assert getattr(gif, "n_frames", 1) == 4


def test_the_state_says_that_it_is_finished(finished: Path) -> None:
    state = state_of(finished)
    assert (state["format"], state["phase"], state["epoch"], state["step"], state["epochs"]) == (1, "finished", 3, 0, 3)
    assert state["steps_per_epoch"] == 6
    assert state["seconds_left"] == 0
    assert state["backend"].startswith("tensorflow 2.")
    assert [device["name"] for device in state["devices"]] == ["CPU:0"]
    assert state["devices"][0]["share"] == 1.0
    assert (state["gain"], state["message"], state["exit_code"]) == (None, None, None)


def test_the_metrics_have_a_line_for_each_epoch(finished: Path) -> None:
    lines = metrics_of(finished)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert line["device"] == "CPU:0"
        assert line["seconds"] > 0
        assert 0 <= line["legible"] <= 1
        assert len(line["digits"]) == 10
        assert 0 < line["generator_loss"] < 5
        assert line["memory_bytes"] > 10**8


def reaches(folder: Path, process: subprocess.Popen[str], phase: str, since: float) -> bool:
    """Whether the process started at `since` is in this phase, or has ended."""
    state = state_of(folder)
    return process.poll() is not None or (state.get("started", 0.0) >= since and state["phase"] == phase)


def test_killed_at_any_moment_it_ends_the_same(finished: Path, mnist: DataFile, start: Start, tmp_path: Path) -> None:
    """DCGAN_TEST_SEED chooses other moments; a checkpoint is written after each step, so many fall into one."""
    chance = random.Random(os.environ.get("DCGAN_TEST_SEED", "1"))
    folder = tmp_path / "run"
    for phase in ("compiling", "training"):
        since = time.time()
        process = start(*options(mnist, folder), before=OFTEN)
        wait_until(partial(reaches, folder, process, phase, since))
        time.sleep(chance.uniform(0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = start(*options(mnist, folder), before=OFTEN)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert fingerprint(folder) == fingerprint(finished)


def test_stopped_it_saves_and_goes_on(finished: Path, mnist: DataFile, start: Start, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(*options(mnist, folder), before="from dcgan import train; train.LONGEST_CHUNK = 1")
    wait_until(lambda: state_of(folder).get("step", 0) >= 2 or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0, process.communicate()
    state = state_of(folder)
    assert (state["phase"], state["exit_code"]) == ("stopped", 0)
    newest = checkpoint.newest(folder)
    assert newest is not None
    assert checkpoint.position(newest) == (state["epoch"], state["step"])
    assert run(*options(mnist, folder)).returncode == 0
    assert fingerprint(folder) == fingerprint(finished)


def test_a_finished_run_has_nothing_to_do(finished: Path, mnist: DataFile, run: Run) -> None:
    before = fingerprint(finished)
    (finished / "dcgan.gif").unlink()
    (finished / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')
    ended = run(*options(mnist, finished), before="import sys; sys.modules['tensorflow'] = None")
    assert ended.returncode == 0, ended.stderr
    assert (finished / "dcgan.gif").exists()
    assert fingerprint(finished) == before


def test_two_devices_go_on_where_one_was_and_back(finished: Path, mnist: DataFile, run: Run, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path / "run")
    longer = options(mnist, folder, "--epochs", "4", "--strategy", "mirrored")
    ended = run(*longer, DCGAN_CPU_DEVICES="2", before="from dcgan import session; session.MEASURE_SECONDS = 0.1")
    assert ended.returncode == 0, ended.stderr
    state = state_of(folder)
    assert (state["strategy"], state["epoch"]) == ("mirrored", 4)
    assert [device["name"] for device in state["devices"]] == ["CPU:0", "CPU:1"]
    assert abs(sum(device["share"] for device in state["devices"]) - 1) < 1e-3
    gain = state["gain"]
    assert set(gain["alone"]) == {"CPU:0", "CPU:1"}
    assert gain["together"] > 0
    assert gain["ratio"] == pytest.approx(gain["together"] / max(gain["alone"].values()), rel=0.01)
    assert gain["note"].startswith("Together the devices train")
    assert metrics_of(folder)[3]["device"] == "CPU:0,CPU:1"
    back = run(*options(mnist, folder, "--epochs", "5"))
    assert back.returncode == 0, back.stderr
    assert [line["epoch"] for line in metrics_of(folder)] == [1, 2, 3, 4, 5]
    assert state_of(folder)["gain"] is None


def copied(finished: Path, folder: Path) -> Path:
    """A copy of a finished run that a test may damage."""
    shutil.copytree(finished, folder)
    return folder


def test_other_settings_set_the_earlier_run_aside(finished: Path, mnist: DataFile, run: Run, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path / "run")
    before = fingerprint(folder)
    ended = run(*options(mnist, folder, "--seed", "2", "--epochs", "1"))
    assert ended.returncode == 0, ended.stderr
    assert "it was moved to" in ended.stderr
    assert fingerprint(folder / "earlier" / "0001") == before
    assert [line["epoch"] for line in metrics_of(folder)] == [1]
    assert json.loads((folder / "run.json").read_text())["settings"]["seed"] == 2


def test_a_damaged_checkpoint_is_passed_over(finished: Path, mnist: DataFile, run: Run, tmp_path: Path) -> None:
    folder = copied(finished, tmp_path / "run")
    bad = folder / "checkpoints" / "ckpt-0003.npz"
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 1
    bad.write_bytes(content)
    ended = run(*options(mnist, folder))
    assert ended.returncode == 0, ended.stderr
    assert f"skipped: reading the checkpoint {bad}" in ended.stderr
    assert fingerprint(folder) == fingerprint(finished)


@pytest.mark.parametrize(
    ("more", "variables", "code", "words"),
    [
        (["--device", "gpu"], {}, 78, "looking for a GPU: TensorFlow sees none"),
        (["--strategy", "mirrored"], {}, 78, "mirrored needs two devices, this process has 1"),
        (["--strategy", "mirrored"], {"KERAS_BACKEND": "jax"}, 78, "mirrored needs TensorFlow"),
        ([], {"KERAS_BACKEND": "torch"}, 78, "KERAS_BACKEND is 'torch'"),
        (["--data-sha256", "0" * 64], {}, 78, "correct --data-sha256"),
    ],
)
def test_what_cannot_work_is_told_in_a_line(
    mnist: DataFile, run: Run, tmp_path: Path, more: list[str], variables: dict[str, str], code: int, words: str
) -> None:
    ended = run(*options(mnist, tmp_path / "run", *more), **variables)
    assert ended.returncode == code
    lines = [line for line in ended.stderr.splitlines() if line.startswith("dcgan train: ")]
    assert len(lines) == 1
    assert words in lines[0]
    state = state_of(tmp_path / "run")
    assert (state["phase"], state["exit_code"]) == ("failed", code)
    assert words in state["message"]


def test_a_second_training_in_a_folder_is_refused(mnist: DataFile, run: Run, tmp_path: Path) -> None:
    from dcgan import durable

    with durable.lock(tmp_path):
        ended = run(*options(mnist, tmp_path))
    assert ended.returncode == 75
    assert "another training already runs" in ended.stderr
    assert state_of(tmp_path) == {}


def test_a_full_disk_loses_nothing(finished: Path, mnist: DataFile, run: Run, tmp_path: Path) -> None:
    """Checkpoints stop growing at a file size limit; the last good one is still there."""
    folder = copied(finished, tmp_path / "run")
    limit = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))"
    )
    ended = run(*options(mnist, folder, "--epochs", "4"), before=limit)
    assert ended.returncode == 75
    assert "size limit of this process" in ended.stderr
    assert state_of(folder)["exit_code"] == 75
    assert checkpoint.newest(folder) == folder / "checkpoints" / "ckpt-0003.npz"
    assert not list(folder.rglob("*.partial"))
    assert [line["epoch"] for line in metrics_of(folder)][:3] == [1, 2, 3]
    ended = run(*options(mnist, folder, "--epochs", "4"))
    assert ended.returncode == 0, ended.stderr
    assert [line["epoch"] for line in metrics_of(folder)] == [1, 2, 3, 4]


def test_sample_and_evaluate_use_the_newest(finished: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "digits.png"
    drawn = run("sample", "--folder", str(finished), "--count", "4", "--seed", "7", "--out", str(out))
    assert drawn.returncode == 0, drawn.stderr
    assert Image.open(out).size == (186, 186)
    told = run("evaluate", "--folder", str(finished), "--count", "50", "--json")
    score = json.loads(told.stdout)
    assert (score["count"], score["epoch"], score["confidence"]) == (50, 3, 0.9)
    assert sum(score["digits"]) == round(score["legible"] * 50)


def test_it_learns(mnist: DataFile, run: Run, tmp_path: Path) -> None:
    """Some hundred steps on real images: the networks fight, and the first digits become legible."""
    folder = tmp_path / "run"
    small = ["--batch", "64", "--limit", "9600", "--epochs", "2", "--score", "300", "--samples", "16"]
    ended = run("train", "--folder", str(folder), "--device", "cpu", *mnist.options, *small)
    assert ended.returncode == 0, ended.stderr
    first, second = metrics_of(folder)
    assert first["discriminator_loss"] < 2 * np.log(2)
    assert 0.3 < second["generator_loss"] < 4
    assert second["legible"] > 0.05
    assert second["legible"] > first["legible"]


def test_bench_compares_with_the_plain_loop(mnist: DataFile, run: Run) -> None:
    ended = run("bench", *mnist.options, "--device", "cpu", "--batch", "8", "--steps", "2", "--rounds", "1", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["ratio"] == pytest.approx(told["images_per_second"] / told["plain_images_per_second"], rel=0.01)
    assert told["device"].startswith("CPU:0")


def test_the_classifier_can_be_made_again(mnist: DataFile, run: Run, tmp_path: Path) -> None:
    """One epoch on a few images: worse than what the package carries, and of the same form."""
    few = tmp_path / "few.npz"
    with np.load(mnist.path) as arrays:
        cut = {name: arrays[name][:6000] for name in arrays.files}
    np.savez(few, **cut)
    digest = hashlib.sha256(few.read_bytes()).hexdigest()
    out = tmp_path / "classifier.npz"
    ended = run("classifier", "--data", str(few), "--data-sha256", digest, "--epochs", "1", "--out", str(out))
    assert ended.returncode == 0, ended.stderr
    assert float(re.findall(r"([\d.]+)% of 6000 test images", ended.stdout)[0]) > 60
    with np.load(out) as made, np.load(evaluate.WEIGHTS) as kept:
        assert {name: made[name].shape for name in made} == {name: kept[name].shape for name in kept}
