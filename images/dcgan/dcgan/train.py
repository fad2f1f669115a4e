"""The training: from whatever is in the run folder to the number of epochs that was asked for.

It may be killed at any moment. All randomness is a function of (seed, epoch, step), the whole state is in the
checkpoint, and the metrics and pictures of an epoch are written before the checkpoint that says it is done:
so the next start goes on as if nothing had happened.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dcgan import checkpoint, data, device, durable, evaluate, folder, metrics, picture, stream
from dcgan.checkpoint import Checkpoint
from dcgan.draw import Generator
from dcgan.failure import DONE, UNEXPECTED, Failure
from dcgan.settings import NOISE, Settings
from dcgan.state import StateFile
from dcgan.stop import Stopped, StopRequest, stop_request
from dcgan.stream import Purpose

if TYPE_CHECKING:
    from dcgan.session import Session

ROLLING_SECONDS = 300.0
"""At least so often a checkpoint is written within an epoch."""
CHUNK_SECONDS = 1.0
"""How long one compiled call is meant to take: a signal waits for its end."""
LONGEST_CHUNK = 64
"""Steps of a compiled call at most."""


@dataclass
class Progress:
    """How far the training is; what changes while it runs."""

    state: Any
    """Weights and all that belongs to them, on the device."""
    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    """Steps done in the epoch that has begun."""
    losses: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    """Sums of the generator's and the discriminator's loss over those steps."""
    seconds: float = 0.0
    """Seconds of training in this epoch, in earlier processes too."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """The lines of `metrics.jsonl`."""


def train(run: Path, settings: Settings, given: Path | None = None, sha256: str | None = None) -> int:
    """Train in the folder `run` until all epochs are done or SIGTERM comes. Returns the exit code.

    `given` and `sha256` name another data file than `mnist.json` does. Raises `Failure` when it cannot go on,
    after telling so in `state.json` (unless another training holds the folder).
    """
    with durable.lock(run), stop_request() as stop:
        state = StateFile(run, settings.epochs)
        try:
            state.tell(phase="starting", strategy=settings.strategy)
            return _train(run, settings, data.load(run, given, sha256), state, stop)
        except Stopped:
            state.tell(phase="stopped", message="stopped by a signal before training began")
            return DONE
        except Failure as failure:
            _tell_failure(state, failure.message, failure.exit_code)
            raise
        except BaseException as error:
            _tell_failure(state, f"{type(error).__name__}: {error}", UNEXPECTED)
            raise


def _tell_failure(state: StateFile, message: str, exit_code: int) -> None:
    try:
        state.tell(phase="failed", message=" ".join(message.split())[:2000], exit_code=exit_code, seconds_left=None)
    except Failure as failure:
        print(failure.message, file=sys.stderr)


def _train(run: Path, settings: Settings, mnist: data.Mnist, state: StateFile, stop: StopRequest) -> int:
    images = mnist.train_images[: settings.limit]
    folder.prepare(run, settings, mnist.sha256)
    found = checkpoint.newest_read(run, lambda line: print(line, file=sys.stderr))
    if found is not None and found[1].epoch >= settings.epochs:
        return _already_done(run, found[1], state)
    devices = device.find(settings)  # Before Keras is imported: it says what the framework may see.
    from dcgan.session import open_session

    session = open_session(settings, devices, images, state)
    stop.deferred = True
    return Training(run, settings, mnist.sha256, len(images), session, state, stop).run(found[1] if found else None)


def _already_done(run: Path, found: Checkpoint, state: StateFile) -> int:
    """Nothing is left to train: make what a process that died at the very end did not."""
    metrics.write(run, found.meta["metrics"])
    _write_gif(run)
    state.tell(phase="finished", epoch=found.epoch, seconds_left=0.0)
    return DONE


def _write_gif(run: Path) -> None:
    picture.write_gif(run / "dcgan.gif", sorted((run / "samples").glob("epoch-*.png")))


class Training:
    """One process's part of a training."""

    def __init__(
        self,
        run: Path,
        settings: Settings,
        sha256: str,
        images: int,
        session: Session,
        state: StateFile,
        stop: StopRequest,
    ) -> None:
        """Train on `session` with `images` images of the file with this `sha256`, until `stop` is asked for."""
        self._run = run
        self._settings = settings
        self._sha256 = sha256
        self._images = images
        self._steps = stream.steps_per_epoch(images, settings.batch_size)
        self._session = session
        self._state = state
        self._stop = stop
        self._saved = time.monotonic()
        self._chunk = 1
        self._rate = 0.0

    def run(self, found: Checkpoint | None) -> int:
        """Go on from `found`, or begin. Returns the exit code."""
        progress = self._resumed(found) if found else self._begun()
        self._state.tell(phase="training", **self._position(progress))
        while progress.epoch < self._settings.epochs and not self._stop.came:
            self._epoch(progress)
        return self._ended(progress)

    def _resumed(self, found: Checkpoint) -> Progress:
        metrics.write(self._run, found.meta["metrics"])
        (self._run / "dcgan.gif").unlink(missing_ok=True)
        return Progress(
            state=self._session.put(found.state),
            epoch=found.epoch,
            step=found.step,
            losses=np.array(found.meta["losses"]),
            seconds=found.meta["seconds"],
            history=list(found.meta["metrics"]),
        )

    def _begun(self) -> Progress:
        from dcgan.step.engine import initial_state

        state = initial_state(self._settings.seed)
        metrics.write(self._run, [])
        self._draw(self._generator(state, 0), 0)
        return Progress(state=self._session.put(state))

    def _epoch(self, progress: Progress) -> None:
        """Train to the end of the epoch that has begun, or until a signal comes."""
        order = stream.order(self._settings.seed, progress.epoch + 1, self._images, self._settings.batch_size)
        while progress.step < self._steps and not self._stop.came:
            self._train_chunk(progress, order)
            if time.monotonic() - self._saved > ROLLING_SECONDS and progress.step < self._steps:
                self._save(progress, self._session.get(progress.state))
        if progress.step == self._steps:
            self._complete(progress)

    def _train_chunk(self, progress: Progress, order: NDArray[np.int32]) -> None:
        seed, epoch, first = self._settings.seed, progress.epoch + 1, progress.step
        steps = min(self._chunk, self._steps - first)
        noise = stream.noise(seed, epoch, first, (steps, self._settings.batch_size, NOISE))
        keys = stream.dropout_keys(seed, epoch, first, steps)
        began = time.monotonic()
        progress.state, losses = self._session.run(progress.state, order[first : first + steps], noise, keys)
        seconds = time.monotonic() - began
        if not np.isfinite(losses).all():
            raise Failure(
                f"training epoch {epoch}: the losses are no numbers any more after step {first}: start again with "
                "--precision float32 or another --seed; the last checkpoint is good"
            )
        for loss in losses:  # One by one, so that the sum does not depend on how steps were chunked.
            progress.losses = progress.losses + loss
        progress.step += steps
        progress.seconds += seconds
        self._pace(steps, seconds)
        self._state.tell(**self._position(progress))

    def _pace(self, steps: int, seconds: float) -> None:
        """Follow the speed with the length of the chunks."""
        rate = steps / max(seconds, 1e-6)
        self._rate = rate if self._rate == 0.0 else 0.7 * self._rate + 0.3 * rate
        self._chunk = int(np.clip(self._rate * CHUNK_SECONDS, 1, min(LONGEST_CHUNK, 2 * self._chunk)))

    def _position(self, progress: Progress) -> dict[str, Any]:
        left = (self._settings.epochs - progress.epoch) * self._steps - progress.step
        return {
            "epoch": progress.epoch,
            "step": progress.step,
            "steps_per_epoch": self._steps,
            "images_per_second": self._rate * self._settings.batch_size or None,
            "seconds_left": left / self._rate if self._rate else None,
        }

    def _complete(self, progress: Progress) -> None:
        """An epoch is done: tell, draw, and only then save that it is done."""
        progress.epoch += 1
        state = self._session.get(progress.state)
        generator = self._generator(state, progress.epoch)
        progress.history.append(self._measured(progress, generator).as_dict())
        progress.step, progress.losses, progress.seconds = 0, np.zeros(2), 0.0
        metrics.write(self._run, progress.history)
        self._draw(generator, progress.epoch)
        self._save(progress, state)
        print(_line(progress.history[-1], self._settings.epochs), file=sys.stderr, flush=True)

    def _measured(self, progress: Progress, generator: Generator) -> metrics.Epoch:
        score = self._score(generator)
        generator_loss, discriminator_loss = (progress.losses / self._steps).tolist()
        return metrics.Epoch(
            epoch=progress.epoch,
            seconds=round(progress.seconds, 3),
            images_per_second=round(self._steps * self._settings.batch_size / max(progress.seconds, 1e-6), 2),
            generator_loss=generator_loss,
            discriminator_loss=discriminator_loss,
            memory_bytes=self._session.memory(),
            device=self._session.device_names,
            legible=score.legible if score else None,
            digits=score.digits if score else None,
            time=time.time(),
        )

    def _score(self, generator: Generator) -> evaluate.Score | None:
        count = self._settings.score
        if count == 0:
            return None
        noise = stream.normal(self._settings.seed, Purpose.SCORE, 0, 0, (count, NOISE))
        return evaluate.score(generator.draw(noise))

    def _generator(self, state: checkpoint.State, epoch: int) -> Generator:
        return Generator(state["average"], epoch)

    def _draw(self, generator: Generator, epoch: int) -> None:
        """The grid of an epoch, always from the same noise."""
        noise = stream.normal(self._settings.seed, Purpose.SAMPLES, 0, 0, (self._settings.samples, NOISE))
        picture.write_grid(self._run / "samples" / f"epoch-{epoch:04d}.png", generator.draw(noise))

    def _save(self, progress: Progress, state: checkpoint.State) -> None:
        """Write a checkpoint and make room: one that stays where it is due, else a rolling one."""
        meta = {
            "settings": self._settings.as_dict(),
            "data_sha256": self._sha256,
            "losses": progress.losses.tolist(),
            "seconds": progress.seconds,
            "metrics": progress.history,
        }
        path = checkpoint.rolling_path(self._run, progress.epoch, progress.step)
        if progress.step == 0 and self._stays(progress.epoch):
            path = checkpoint.kept_path(self._run, progress.epoch)
        checkpoint.write(path, Checkpoint(progress.epoch, progress.step, state, meta))
        checkpoint.prune(self._run, path)
        self._saved = time.monotonic()

    def _stays(self, epoch: int) -> bool:
        return epoch % self._settings.checkpoint_every == 0 or epoch == self._settings.epochs

    def _ended(self, progress: Progress) -> int:
        if progress.epoch < self._settings.epochs:
            if progress.step:
                self._save(progress, self._session.get(progress.state))
            self._state.tell(
                phase="stopped",
                **self._position(progress),
                message="stopped by a signal; the next start goes on here",
                exit_code=DONE,
            )
            return DONE
        _write_gif(self._run)
        self._state.tell(phase="finished", **self._position(progress) | {"seconds_left": 0.0})
        return DONE


def _line(epoch: dict[str, Any], epochs: int) -> str:
    legible = "" if epoch["legible"] is None else f", {epoch['legible']:.1%} legible"
    return (
        f"epoch {epoch['epoch']}/{epochs}: {epoch['seconds']:.1f} s, {epoch['images_per_second']:.0f} images/s, "
        f"losses {epoch['generator_loss']:.4f} {epoch['discriminator_loss']:.4f}{legible}"
    )
