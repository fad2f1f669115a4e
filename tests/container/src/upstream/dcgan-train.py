#!/usr/bin/python3
"""Stands in for `python3 -m dcgan train`, for want of TensorFlow and cards in this image.

The words of its command line are read by the package's own parser, and all that it writes is
written by the package's own code, in its forms: settings, metrics, pictures, checkpoints, state.
It goes on where its last checkpoint was, ends at a signal with a checkpoint, and takes no other
file of data than the one whose digest it was told.

It does not prove that anything is learnt, that TensorFlow can be loaded or that a card computes:
the weights are noise, the losses are made up, and an epoch takes as long as is pleasant.
"""
import hashlib
import pathlib
import signal
import sys
import time

import numpy

import dcgan.train
from dcgan import checkpoint, cli, draw, durable, folder, metrics, picture
from dcgan.failure import DONE, Failure
from dcgan.state import StateFile

DATA = pathlib.Path("/opt/dcgan-data/mnist.npz")
# Soon at the first checkpoint that stays, then slow enough to be watched for some minutes.
QUICK, SLOW = 16, 20.0
DEVICE = {"name": "GPU:0", "kind": "a stand-in", "compute_capability": "6.1", "memory_bytes": None, "share": 1.0}

stopped = False


def stop(*_):
    global stopped
    stopped = True


def weights(seed):
    stream = numpy.random.default_rng(seed)
    made = {name: stream.normal(0, 0.02, shape).astype(numpy.float32) for name, shape in draw._SHAPES.items()}
    ones = {name: numpy.ones_like(made[name]) for name in made if name.endswith(("scale", "variance"))}
    return {"average": made | ones}


def draw_grid(run, generator, epoch, count):
    picture.write_grid(run / "samples" / f"epoch-{epoch:04d}.png", generator.sample(count, 1))


def wait(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped:
        time.sleep(0.05)


def told(epoch):
    return metrics.Epoch(
        epoch=epoch,
        seconds=30.5,
        images_per_second=1967.2,
        generator_loss=0.8 + 0.1 / epoch,
        discriminator_loss=1.3 - 0.1 / epoch,
        memory_bytes=1 << 30,
        device=DEVICE["name"],
        legible=None,
        digits=None,
        time=time.time(),
    ).as_dict()


def train(run, settings, given, sha256):
    """Has the arguments and the answer of the train that it replaces."""
    with durable.lock(run):
        goes_on(run, settings, sha256)
    return DONE


def goes_on(run, settings, sha256):
    found = hashlib.sha256(DATA.read_bytes()).hexdigest()
    if found != sha256:
        raise Failure(f"{DATA} has the sha256 {found}, expected is {sha256}: sudo lab retry dcgan fetches it again")
    state = StateFile(run, settings.epochs)
    state.tell(phase="starting", strategy=settings.strategy, devices=[DEVICE], backend="stand-in", precision="float32")
    folder.prepare(run, settings, sha256)
    there = checkpoint.newest_read(run, print)
    epoch, history = (there[1].epoch, there[1].meta["metrics"]) if there else (0, [])
    content = weights(settings.seed)
    generator = draw.Generator(content["average"], epoch)
    draw_grid(run, generator, 0, settings.samples)
    state.tell(phase="training", epoch=epoch, steps_per_epoch=235, images_per_second=1967.2)
    while epoch < settings.epochs:
        wait(0.02 if epoch < QUICK else SLOW)
        if stopped:
            state.tell(phase="stopped", message="stopped by a signal; the next start goes on here", exit_code=0)
            return
        epoch += 1
        history.append(told(epoch))
        metrics.write(run, history)
        if epoch > QUICK - 2:
            draw_grid(run, generator, epoch, settings.samples)
            stays = epoch % settings.checkpoint_every == 0 or epoch == settings.epochs
            path = checkpoint.kept_path(run, epoch) if stays else checkpoint.rolling_path(run, epoch, 0)
            meta = {"settings": settings.as_dict(), "data_sha256": sha256, "metrics": history}
            checkpoint.write(path, checkpoint.Checkpoint(epoch, 0, content, meta))
            checkpoint.prune(run, path)
        state.tell(epoch=epoch, seconds_left=(settings.epochs - epoch) * SLOW)
    picture.write_gif(run / "dcgan.gif", sorted((run / "samples").glob("epoch-*.png")))
    state.tell(phase="finished", seconds_left=0.0)


# The first process of a container hears no signal by itself.
signal.signal(signal.SIGTERM, stop)
dcgan.train.train = train
sys.exit(cli.main(sys.argv[1:]))
