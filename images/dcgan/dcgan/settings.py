"""What a training is asked to do, and which of it makes two runs the same run."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dcgan.failure import Failure

NOISE = 100
"""Numbers that a digit is drawn from."""
SIDE = 28
"""Width and height of a digit in pixels."""
MAX_BATCH = 4096
MAX_EPOCHS = 9999
MAX_SAMPLES = 400
MAX_SCORE = 100_000


@dataclass(frozen=True)
class Recipe:
    """The numbers of learning, which decide how soon the digits become legible."""

    batch: int
    """Images of a step, unless the settings name another number."""
    generator_rate: float
    """Adam's step size for the generator."""
    discriminator_rate: float
    """Adam's step size for the discriminator."""
    beta1: float
    """How much of the past gradient Adam keeps."""
    dropout: float
    """Share of the discriminator's activations that are dropped in training."""
    smoothing: float
    """Weight of the penalty on the discriminator's gradient at real pictures (R1); 0 is none."""
    averaging: float
    """Decay of the running average of the generator's weights that digits are drawn with; 0 is none."""


RECIPES = {
    "tutorial": Recipe(
        batch=256,
        generator_rate=1e-4,
        discriminator_rate=1e-4,
        beta1=0.9,
        dropout=0.3,
        smoothing=0.0,
        averaging=0.0,
    ),
    "fast": Recipe(
        batch=64,
        generator_rate=5e-4,
        discriminator_rate=1e-3,
        beta1=0.5,
        dropout=0.0,
        smoothing=1.0,
        averaging=0.999,
    ),
}
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
STRATEGIES = ("single", "mirrored")
DEVICES = ("auto", "gpu", "cpu")


@dataclass(frozen=True)
class Settings:
    """All that `train` can be told apart from where its files are."""

    epochs: int = 50
    batch: int | None = None
    """Images of a step; None is as many as the recipe says."""
    seed: int = 1
    samples: int = 16
    checkpoint_every: int = 15
    recipe: str = "fast"
    precision: str = "auto"
    strategy: str = "single"
    device: str = "auto"
    score: int = 1000
    limit: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained. Raises `Failure` naming the setting and its range."""
        _within("epochs", self.epochs, 1, MAX_EPOCHS)
        _within("seed", self.seed, 0, 2**63 - 1)
        _within("samples", self.samples, 1, MAX_SAMPLES)
        _within("checkpoint-every", self.checkpoint_every, 1, MAX_EPOCHS)
        _within("score", self.score, 0, MAX_SCORE)
        _one_of("recipe", self.recipe, tuple(RECIPES))
        _within("batch", self.batch_size, 2, MAX_BATCH)
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("strategy", self.strategy, STRATEGIES)
        _one_of("device", self.device, DEVICES)
        if self.limit is not None and self.limit < self.batch_size:
            raise Failure(f"--limit is {self.limit}, fewer images than one batch of {self.batch_size}: raise it")

    @property
    def numbers(self) -> Recipe:
        """The numbers of the chosen recipe."""
        return RECIPES[self.recipe]

    @property
    def batch_size(self) -> int:
        """Images of a step: what was asked for, else the recipe's number."""
        return self.numbers.batch if self.batch is None else self.batch

    def as_dict(self) -> dict[str, Any]:
        """The settings as `run.json` keeps them: with the recipe's numbers, and the batch that is really used.

        So a run stays itself whether its batch was asked for or is the recipe's.
        """
        numbers = dataclasses.asdict(self.numbers)
        del numbers["batch"]
        return {**dataclasses.asdict(self), "batch": self.batch_size, "numbers": numbers}


def identity(settings: dict[str, Any]) -> dict[str, Any]:
    """What of `Settings.as_dict` makes a run what it is: a run with others of these begins anew.

    How long it trains, on what, how precisely, and how often it looks at itself may change on the way.
    """
    names = ("batch", "seed", "samples", "recipe", "numbers", "limit")
    return {name: settings.get(name) for name in names}


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise Failure(f"--{name} is {value}: choose a whole number from {low} to {high}")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise Failure(f"--{name} is {value!r}: choose one of {', '.join(choices)}")
