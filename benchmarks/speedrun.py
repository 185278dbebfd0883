"""Time to an accuracy: a recipe, changed, in turns with the method of the CIFAR-10 speed record.

python benchmarks/speedrun.py --seeds 3
python benchmarks/speedrun.py --targets 95
python benchmarks/speedrun.py --data cifar10
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
    changes: Mapping[str, Any]
    """To the recipe."""
    peer: airbench.Setting
    recipe: str = "fast"
    is_long: bool = False
    """More than half an hour on a laptop: by default for a GPU only."""

    @property
    def ours(self) -> str:
        """The recipe and its changes, for the table."""
        return f"`{self.recipe}` {dict(self.changes) or ''}".strip()


@dataclass
class Runs:
    """Of one method: an entry a seed."""

    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, accuracy: float, seconds: float) -> None:
        """The accuracy in [0, 1] and the seconds of training of one more seed."""
        self.accuracies.append(accuracy)
        self.seconds.append(seconds)


SMALL, RECORD = airbench.Setting((32, 64, 128), epochs=3, batch=1000), airbench.Setting()
RACES = {
    "fashion-mnist": (
        Race(
            92.68,
            {"model": "16x2 M 48 M 96 M | pool3 192", "norm": "batch-after-pool", "dropout": 0.0},
            SMALL,
        ),
        Race(93.0, {}, SMALL),
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
            replace(SMALL, epochs=7),
        ),
        Race(95.0, {}, replace(RECORD, epochs=30), recipe="best", is_long=True),
    ),
    "cifar10": (Race(94.0, {}, RECORD, recipe="best"),),
}
"""The first three were chosen on validation images (docs/log.md); the peer misses 92.68 % with 2.5 epochs.
The other two were not: they are `best` as it is, and the setting of the record on CIFAR-10."""


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
    images = _images(arguments.data, validation=arguments.validation)
    print("| to reach | method | accuracy: mean | lowest | highest | seconds, median | beside ours |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for race in _chosen(arguments):
        race = replace(race, peer=_with_changes(race.peer, arguments))
        ours, peer = _run(race, images, arguments)
        if ours.seconds:
            _print_row(race.target, race.ours, ours, ours)
        _print_row(race.target, f"the record's method: {race.peer}", peer, ours)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Seconds of training to an accuracy.")
    parser.add_argument("--data", choices=list(RACES), default="fashion-mnist", help="(fashion-mnist)")
    parser.add_argument("--seeds", type=int, default=3, help="how many: 0, 1, 2 and so on (3)")
    parser.add_argument(
        "--targets",
        type=float,
        nargs="+",
        help="of 92.68, 93, 94 and 95, which is for a GPU; of 94 on cifar10 (those that this machine is for)",
    )
    parser.add_argument(
        "--validation", action="store_true", help="hold out a sixth of the training images, and measure there"
    )
    parser.add_argument("--peer-only", action="store_true", help="leave out ours")
    parser.add_argument("--epochs", type=float, help="of the peer, in place of the chosen ones")
    parser.add_argument("--widths", type=int, nargs=3, help="likewise")
    parser.add_argument("--batch", type=int, help="likewise")
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Race]:
    """Those with the given targets, or those that this machine is for."""
    races = RACES[arguments.data]
    if arguments.targets is None:
        has_gpu = choose_device("auto").type != "cpu"
        return [race for race in races if has_gpu or not race.is_long]
    return [race for race in races if race.target in arguments.targets]


def _with_changes(setting: airbench.Setting, arguments: argparse.Namespace) -> airbench.Setting:
    widths = setting.widths if arguments.widths is None else tuple(arguments.widths)
    epochs = arguments.epochs or setting.epochs
    return airbench.Setting(widths, epochs, arguments.batch or setting.batch)


def _run(race: Race, images: Images, arguments: argparse.Namespace) -> tuple[Runs, Runs]:
    """Ours and the peer's runs."""
    ours, peer = Runs(), Runs()
    for seed in range(arguments.seeds):
        if not arguments.peer_only:
            ours.add(*_train_ours(race, seed, arguments.data, validation=arguments.validation))
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


def _train_ours(race: Race, seed: int, data: str, *, validation: bool) -> tuple[float, float]:
    """Accuracy and seconds of a training by the package."""
    changes = {**race.changes, "seed": seed, "validation": VALIDATION if validation else 0.0}
    recipe = vd.read_recipe(race.recipe, changes)
    with tempfile.TemporaryDirectory() as folder:
        result = vd.train_network(recipe, data, Path(folder) / "run")
    accuracy = result.epochs[-1].val_top1 if validation else result.test.top1
    assert accuracy is not None
    return accuracy, result.seconds


def _images(data: str, *, validation: bool) -> Images:
    """On the device that ours trains on too. With ``validation`` the last sixth is held out."""
    dataset = vd.load_dataset(data)
    device = choose_device("auto")
    mean, std = dataset.train.channel_statistics()
    channels, side = dataset.train.pixels.shape[1:3]
    preprocess = Preprocess(size=side, channels=channels, mean=mean, std=std)
    train, test = (normalize(part.pixels, preprocess).to(device) for part in (dataset.train, dataset.test))
    train_labels, test_labels = dataset.train.labels.to(device), dataset.test.labels.to(device)
    if validation:
        cut = round(len(train) * (1 - VALIDATION))
        return Images(train[:cut], train_labels[:cut], train[cut:], train_labels[cut:])
    return Images(train, train_labels, test, test_labels)


if __name__ == "__main__":
    main()
