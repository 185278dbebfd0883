"""Time to an accuracy on Fashion-MNIST: `fast`, changed, in turns with the CIFAR-10 speed record's method.

python benchmarks/speedrun.py --seeds 3
python benchmarks/speedrun.py --targets 93 --validation --epochs 5 --widths 32 64 128 --batch 1000
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peers import airbench
from torch import Tensor

import verydeep as vd
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import normalize
from verydeep.train.device import choose_device

VALIDATION = 1 / 6
"""Share of the training images that ``--validation`` holds out."""


@dataclass(frozen=True)
class Race:
    """Settings of both for ``target`` percent."""

    target: float
    ours: Mapping[str, Any]
    """Changes to the recipe `fast`."""
    peer: airbench.Setting


@dataclass
class Runs:
    """Of one method: an entry a seed."""

    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, accuracy: float, seconds: float) -> None:
        """The accuracy in [0, 1] and the seconds of training of one more seed."""
        self.accuracies.append(accuracy)
        self.seconds.append(seconds)


PEER = airbench.Setting((32, 64, 128), epochs=3, batch=1000)
RACES = (
    Race(92.68, {"model": "16x2 M 48 M 96 M | pool3 192", "norm": "batch-after-pool", "dropout": 0.0}, PEER),
    Race(93.0, {}, PEER),
    Race(
        94.0,
        {
            "model": "24x2 M 64x2 M 128x2 M 256 | gap",
            "norm": "batch-after-pool",
            "epochs": 6,
            "hardest": 0.35,
            "optimizer.lr": 0.11,
            "optimizer.sgd_lr": 0.4,
        },
        replace(PEER, epochs=7),
    ),
)
"""Chosen on validation images (docs/log.md). The peer misses 92.68 % with 2.5 epochs."""


@dataclass(frozen=True)
class Images:
    """Normalized training images and those that accuracy is measured on."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def main() -> None:
    """Run each race with each seed, ours and the peer in turns; print one table."""
    arguments = _arguments()
    images = _images(validation=arguments.validation)
    print("| to reach | method | accuracy: mean | lowest | highest | seconds, median | beside ours |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for race in RACES:
        if arguments.targets is None or race.target in arguments.targets:
            race = replace(race, peer=_with_changes(race.peer, arguments))
            ours, peer = _run(race, images, arguments)
            if ours.seconds:
                _print_row(race.target, f"`fast` {dict(race.ours) or ''}".strip(), ours, ours)
            _print_row(race.target, f"the record's method: {race.peer}", peer, ours)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seconds of training to an accuracy on Fashion-MNIST.")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, 2 and so on (3)")
    parser.add_argument("--targets", type=float, nargs="+", help="of 92.68, 93 and 94 (all of them)")
    parser.add_argument(
        "--validation", action="store_true", help="hold out a sixth of the training images, and measure there"
    )
    parser.add_argument("--peer-only", action="store_true", help="leave out ours")
    parser.add_argument("--epochs", type=float, help="of the peer, in place of the chosen ones")
    parser.add_argument("--widths", type=int, nargs=3, help="likewise")
    parser.add_argument("--batch", type=int, help="likewise")
    return parser.parse_args()


def _with_changes(setting: airbench.Setting, arguments: argparse.Namespace) -> airbench.Setting:
    widths = setting.widths if arguments.widths is None else tuple(arguments.widths)
    epochs = arguments.epochs or setting.epochs
    return airbench.Setting(widths, epochs, arguments.batch or setting.batch)


def _run(race: Race, images: Images, arguments: argparse.Namespace) -> tuple[Runs, Runs]:
    """Ours and the peer's runs."""
    ours, peer = Runs(), Runs()
    for seed in range(arguments.seeds):
        if not arguments.peer_only:
            ours.add(*_train_ours(race, seed, validation=arguments.validation))
        network, seconds = airbench.train(images.train, images.train_labels, race.peer, seed)
        peer.add(airbench.accuracy(network, images.test, images.test_labels), seconds)
        print(f"seed {seed}: {ours} {peer}", file=sys.stderr)
    return ours, peer


def _print_row(target: float, method: str, runs: Runs, ours: Runs) -> None:
    mean = statistics.mean(runs.accuracies)
    seconds = statistics.median(runs.seconds)
    ratio = f"{seconds / statistics.median(ours.seconds):.1f}" if ours.seconds else ""
    missed = "" if 100 * mean >= target else " (missed)"
    print(
        f"| {target:g} % | {method} | {mean:.2%}{missed} | {min(runs.accuracies):.2%} "
        f"| {max(runs.accuracies):.2%} | {seconds:.1f} | {ratio} |",
        flush=True,
    )


def _train_ours(race: Race, seed: int, *, validation: bool) -> tuple[float, float]:
    """Accuracy and seconds of a training by the package."""
    changes = {**race.ours, "seed": seed, "validation": VALIDATION if validation else 0.0}
    recipe = vd.read_recipe("fast", changes)
    with tempfile.TemporaryDirectory() as folder:
        result = vd.train_network(recipe, "fashion-mnist", Path(folder) / "run")
    accuracy = result.epochs[-1].val_top1 if validation else result.test.top1
    assert accuracy is not None
    return accuracy, result.seconds


def _images(*, validation: bool) -> Images:
    """On the device that ours trains on too. With ``validation`` the last sixth is held out."""
    dataset = vd.load_dataset("fashion-mnist")
    device = choose_device("auto")
    mean, std = dataset.train.channel_statistics()
    preprocess = Preprocess(size=28, channels=1, mean=mean, std=std)
    train, test = (normalize(part.pixels, preprocess).to(device) for part in (dataset.train, dataset.test))
    train_labels, test_labels = dataset.train.labels.to(device), dataset.test.labels.to(device)
    if validation:
        cut = round(len(train) * (1 - VALIDATION))
        return Images(train[:cut], train_labels[:cut], train[cut:], train_labels[cut:])
    return Images(train, train_labels, test, test_labels)


if __name__ == "__main__":
    main()
