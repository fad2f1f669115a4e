"""The command line. What a command needs is imported when it runs: the page must not load TensorFlow."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NoReturn

from dcgan import __version__
from dcgan.failure import DONE, NEEDS_SOMEBODY, Failure
from dcgan.settings import DEVICES, PRECISIONS, RECIPES, STRATEGIES, Settings


class _Parser(argparse.ArgumentParser):
    """A wrong option is a bad setting: it ends with the code that tells a service manager not to retry."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and where help is."""
        self.exit(NEEDS_SOMEBODY, f"{self.prog}: {message}: see {self.prog} --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command that `arguments` (the process's own unless given) name. Returns the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
        return code
    except Failure as failure:
        print(f"dcgan {chosen.command}: {failure.message}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        return DONE


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dcgan", description="A DCGAN that learns to write MNIST's digits.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train, going on from the newest good checkpoint"))
    _add_sample(commands.add_parser("sample", help="draw new digits into a PNG file"))
    _add_evaluate(commands.add_parser("evaluate", help="count how many new digits are legible"))
    _add_serve(commands.add_parser("serve", help="serve the page that shows the training"))
    _add_bench(commands.add_parser("bench", help="compare the speed with the framework's own style"))
    _add_classifier(commands.add_parser("classifier", help="train the classifier that reads digits, anew"))
    return parser


def _add_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=Path(), metavar="DIR", help="the run folder (default: .)")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="FILE", help="mnist.npz (default: searched, else downloaded)")
    parser.add_argument("--data-sha256", metavar="HEX", help="digest of another file than the known one")


def _add_train(parser: argparse.ArgumentParser) -> None:
    default = Settings()
    _add_folder(parser)
    _add_data(parser)
    parser.add_argument("--epochs", type=int, default=default.epochs, metavar="N")
    parser.add_argument("--batch", type=int, metavar="N", help=f"images of a step (default: {_batches()})")
    parser.add_argument("--seed", type=int, default=default.seed, metavar="N")
    parser.add_argument("--samples", type=int, default=default.samples, metavar="N", help="digits in an epoch's grid")
    parser.add_argument("--checkpoint-every", type=int, default=default.checkpoint_every, metavar="EPOCHS")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default=default.recipe)
    parser.add_argument("--precision", choices=PRECISIONS, default=default.precision)
    parser.add_argument("--strategy", choices=STRATEGIES, default=default.strategy)
    parser.add_argument("--device", choices=DEVICES, default=default.device)
    parser.add_argument("--score", type=int, default=default.score, metavar="N", help="digits scored an epoch, 0: none")
    parser.add_argument("--limit", type=int, metavar="IMAGES", help="train on the first images only")
    parser.set_defaults(run=_train)


def _batches() -> str:
    return ", ".join(f"{recipe.batch} for {name}" for name, recipe in RECIPES.items())


def _train(chosen: argparse.Namespace) -> int:
    from dcgan.train import train

    names = Settings.__dataclass_fields__
    settings = Settings(**{name: value for name, value in vars(chosen).items() if name in names})
    return train(chosen.folder, settings, chosen.data, chosen.data_sha256)


def _add_drawing(parser: argparse.ArgumentParser, count: int) -> None:
    _add_folder(parser)
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: the newest good one of the folder")
    parser.add_argument("--count", type=int, default=count, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")


def _add_sample(parser: argparse.ArgumentParser) -> None:
    _add_drawing(parser, 16)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the PNG file to write")
    parser.set_defaults(run=_sample)


def _sample(chosen: argparse.Namespace) -> int:
    from dcgan import folder, picture
    from dcgan.draw import Generator

    generator = Generator.load(folder.require(chosen.checkpoint, chosen.folder))
    picture.write_grid(chosen.out, generator.sample(_count(chosen.count), chosen.seed))
    print(f"{chosen.count} digits of epoch {generator.epoch}, seed {chosen.seed}: {chosen.out}")
    return DONE


def _count(count: int, most: int = 100_000) -> int:
    if not 1 <= count <= most:
        raise Failure(f"--count is {count}: choose a whole number from 1 to {most}")
    return count


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_drawing(parser, 1000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_evaluate)


def _evaluate(chosen: argparse.Namespace) -> int:
    from dcgan import evaluate, folder
    from dcgan.draw import Generator

    path = folder.require(chosen.checkpoint, chosen.folder)
    generator = Generator.load(path)
    score = evaluate.score(generator.sample(_count(chosen.count), chosen.seed))
    if chosen.json:
        print(json.dumps({**score.as_dict(), "epoch": generator.epoch, "seed": chosen.seed, "checkpoint": str(path)}))
        return DONE
    print(f"{path}, after {generator.epoch} epochs:")
    print(f"{score.legible:.1%} of {score.count} digits are read with a confidence of {evaluate.CONFIDENCE} or more")
    print("  ".join(f"{digit}: {count}" for digit, count in enumerate(score.digits)))
    return DONE


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8890)
    parser.set_defaults(run=_serve)


def _serve(chosen: argparse.Namespace) -> int:
    from dcgan.page import serve

    return serve(chosen.folder, chosen.host, chosen.port)


def _add_bench(parser: argparse.ArgumentParser) -> None:
    _add_data(parser)
    parser.add_argument("--folder", type=Path, default=Path(), metavar="DIR", help="where data is searched too")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="steps of one measurement")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="measurements of each, taken in turn")
    parser.add_argument("--batch", type=int, default=256, metavar="N")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="ours; the other uses float32")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_bench)


def _bench(chosen: argparse.Namespace) -> int:
    from dcgan import data, device

    numbers = {"batch": chosen.batch, "precision": chosen.precision, "device": chosen.device}
    settings = Settings(recipe="tutorial", **numbers)  # The same work on both sides.
    mnist = data.load(chosen.folder, chosen.data, chosen.data_sha256)
    devices = device.find(settings)
    from dcgan import bench

    result = bench.compare(settings, devices, mnist.train_images, chosen.steps, chosen.rounds)
    print(json.dumps(result.as_dict()) if chosen.json else result.text())
    return DONE


def _add_classifier(parser: argparse.ArgumentParser) -> None:
    _add_folder(parser)
    _add_data(parser)
    parser.add_argument("--epochs", type=int, default=8, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the npz file to write")
    parser.set_defaults(run=_classifier)


def _classifier(chosen: argparse.Namespace) -> int:
    from dcgan import data, device

    mnist = data.load(chosen.folder, chosen.data, chosen.data_sha256)
    device.framework()
    from dcgan import classify

    weights = classify.train(mnist.train_images, mnist.train_labels, chosen.seed, chosen.epochs)
    classify.write(chosen.out, weights)
    accuracy = classify.accuracy(weights, mnist.test_images, mnist.test_labels)
    print(f"{chosen.out}: {accuracy:.2%} of {len(mnist.test_labels)} test images are read rightly")
    return DONE
