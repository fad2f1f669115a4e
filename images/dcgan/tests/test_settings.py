"""Settings: what is refused, and what makes a run another run."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dcgan.cli import main
from dcgan.failure import Failure
from dcgan.settings import Settings, identity


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "--epochs is 0: choose a whole number from 1"),
        ({"batch": 1}, "--batch is 1"),
        ({"seed": -1}, "--seed is -1"),
        ({"samples": 401}, "--samples is 401"),
        ({"score": -1}, "--score"),
        ({"checkpoint_every": 0}, "--checkpoint-every is 0"),
        ({"recipe": "slow"}, "choose one of tutorial, fast"),
        ({"limit": 10}, "fewer images than one batch of 64"),
        ({"limit": 100, "recipe": "tutorial"}, "fewer images than one batch of 256"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Failure, match=words) as caught:
        Settings(**change)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    "change", [{"batch": 128}, {"seed": 2}, {"samples": 4}, {"recipe": "tutorial"}, {"limit": 512}]
)
def test_what_makes_another_run(change: dict[str, Any]) -> None:
    assert identity(dataclasses.replace(Settings(), **change).as_dict()) != identity(Settings().as_dict())


@pytest.mark.parametrize("change", [{"epochs": 60}, {"strategy": "mirrored"}, {"precision": "float32"}, {"score": 0}])
def test_what_leaves_a_run_itself(change: dict[str, Any]) -> None:
    assert identity(dataclasses.replace(Settings(), **change).as_dict()) == identity(Settings().as_dict())


def test_the_batch_is_the_recipes_unless_it_is_named() -> None:
    assert (Settings(recipe="tutorial").batch_size, Settings(recipe="fast").batch_size) == (256, 64)
    assert Settings(recipe="fast", batch=256).batch_size == 256
    named = Settings(recipe="fast", batch=64).as_dict()
    assert named == Settings(recipe="fast").as_dict()
    assert (named["batch"], named["numbers"].get("batch")) == (64, None)


def test_the_command_line_leaves_the_batch_to_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Settings] = []

    def train(folder: object, settings: Settings, *data: object) -> int:
        asked.append(settings)
        return 0

    monkeypatch.setattr("dcgan.train.train", train)
    for more in ([], ["--recipe", "tutorial"], ["--recipe", "tutorial", "--batch", "8"]):
        assert main(["train", *more]) == 0
    assert [settings.batch_size for settings in asked] == [64, 256, 8]


@pytest.mark.parametrize("arguments", [["train", "--epochs", "many"], ["train", "--recipe", "slow"], ["paint"], []])
def test_a_wrong_command_line_asks_for_somebody(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 78
    assert len(capsys.readouterr().err.splitlines()) == 1
