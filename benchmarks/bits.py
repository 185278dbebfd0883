"""How many bits a weight needs: rounded and compensated integers of a network, and their compact file.

python benchmarks/bits.py runs/mine --bits 8 5 4 3
python benchmarks/bits.py runs/seed-0 runs/seed-1 runs/seed-2 --test 4

Batch norms are folded first where that is exact. Accuracies are on the validation images of each run, without
training, less that of the network before; with several runs they are means, with the lowest and the highest.
"""

import argparse
import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import verydeep as vd
from verydeep.compress.calibration import Calibration
from verydeep.compress.image_part import ImagePart
from verydeep.compress.images import read_images
from verydeep.compress.layer_inputs import weight_matrix, weighted_layers
from verydeep.compress.steps.fold import fold
from verydeep.compress.steps.gptq import rounded
from verydeep.compress.steps.quantize import quantize, quantize_layers
from verydeep.errors import CompressionError
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.weight_files.checkpoint_file import compact_bytes
from verydeep.weight_files.compact.file import tensor_sizes

Method = Callable[[vd.Checkpoint, Calibration, int], vd.Checkpoint]


@dataclass(frozen=True)
class Network:
    """A trained network, and the images that it is measured with."""

    folded: vd.Checkpoint
    calibration: Calibration
    val: ImagePart
    test: ImagePart | None

    def score(self, checkpoint: vd.Checkpoint, images: ImagePart) -> float:
        """Accuracy in percent, for a run of `tune` balanced accuracy."""
        assert images.labels is not None
        logits = vd.predict_logits(checkpoint.model, images.pixels, checkpoint.preprocess)
        measure = balanced_accuracy if "strategy" in checkpoint.origin else accuracy
        return 100 * measure(logits.numpy(), images.labels.numpy())


@dataclass(frozen=True)
class Row:
    """What was measured of one network."""

    difference: float
    """In points of accuracy on the validation images."""
    bits: float
    """A weight, after coding, with the scales."""
    entropy: float
    """The least that a code for one integer after another needs."""
    kilobytes: float
    """Of the compact file."""


def main() -> None:
    """Print a row for each number of bits and method, then the test accuracy of one of them."""
    arguments = _arguments()
    networks = [_network(run, arguments.data, arguments.images) for run in arguments.runs]
    scores = [each.score(each.folded, each.val) for each in networks]
    print(f"{_mean(scores, '.2f')} % of {len(networks[0].val):,} validation images before\n")
    print("| bits | method | points | bits a weight | entropy | KB |\n|---:|---|---:|---:|---:|---:|")
    for bits in arguments.bits:
        for name, method in METHODS.items():
            rows = [
                _row(each, before, method(each.folded, each.calibration, bits))
                for each, before in zip(networks, scores, strict=True)
            ]
            print(f"| {bits} | {name} | {_cells(rows)} |", flush=True)
    if arguments.test:
        for run, each in zip(arguments.runs, networks, strict=True):
            print(_test_line(run, each, arguments.test))


def _network(run: Path, data: str | None, count: int) -> Network:
    checkpoint = vd.load(run)
    images = read_images(data, run, checkpoint)
    calibration = Calibration(pixels=images.train.pixels).at_most(count)
    try:
        checkpoint = fold(checkpoint, calibration).checkpoint
    except CompressionError as error:
        print(f"{run}: {error}")
    return Network(checkpoint, calibration, images.val, images.test)


def _row(network: Network, before: float, checkpoint: vd.Checkpoint) -> Row:
    sizes = [each for each in tensor_sizes(checkpoint.model.state_dict()) if each.bits is not None]
    weights = sum(each.values for each in sizes)
    return Row(
        network.score(checkpoint, network.val) - before,
        8 * sum(each.bytes for each in sizes) / weights,
        8 * sum(each.entropy_bytes for each in sizes) / weights,
        compact_bytes(checkpoint) / 1000,
    )


def _rounded(checkpoint: vd.Checkpoint, calibration: Calibration, bits: int) -> vd.Checkpoint:
    model = copy.deepcopy(checkpoint.model)
    for layer in weighted_layers(model).values():
        layer.weight.data = rounded(weight_matrix(layer), bits).weights.view_as(layer.weight)
    return replace(checkpoint, model=model)


def _compensated(checkpoint: vd.Checkpoint, calibration: Calibration, bits: int) -> vd.Checkpoint:
    same = dict.fromkeys(weighted_layers(checkpoint.model), bits)
    return quantize_layers(checkpoint, calibration, same).checkpoint


def _by_size(checkpoint: vd.Checkpoint, calibration: Calibration, bits: int) -> vd.Checkpoint:
    return quantize(checkpoint, calibration, bits).checkpoint


METHODS: dict[str, Method] = {
    "rounded": _rounded,
    "compensated": _compensated,
    "compensated, more bits for smaller layers": _by_size,
}


def _cells(rows: list[Row]) -> str:
    points = _mean([row.difference for row in rows], "+.2f")
    columns = ([row.bits for row in rows], [row.entropy for row in rows], [row.kilobytes for row in rows])
    means = [sum(column) / len(column) for column in columns]
    return f"{points} | {means[0]:.2f} | {means[1]:.2f} | {means[2]:.1f}"


def _mean(values: list[float], form: str) -> str:
    mean = format(sum(values) / len(values), form)
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}} to {max(values):{form}})"


def _test_line(run: Path, network: Network, bits: int) -> str:
    if network.test is None:
        return f"{run} has no test images"
    before = network.score(network.folded, network.test)
    after = network.score(_by_size(network.folded, network.calibration, bits), network.test)
    return f"{run}: {before:.2f} % of {len(network.test):,} test images, {after:.2f} % in {bits} bits"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of train or tune")
    parser.add_argument("--data", help="images to calibrate by; by default those of the run")
    parser.add_argument(
        "--bits", type=int, nargs="+", default=[8, 5, 4, 3], help="of the largest layer (8 5 4 3)"
    )
    parser.add_argument("--images", type=int, default=2_000, help="to calibrate by (2,000)")
    parser.add_argument(
        "--test", type=int, metavar="BITS", help="also read the test images with so many bits"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
