"""The same photographs in every runtime and precision: how far the predictions of each pair are apart.

python benchmarks/parity.py runs/tune-cells cells/ --count 90

Networks are exported to a temporary folder; INT8 is calibrated on a part of the images. A runtime that is not
installed is left out.
"""

import argparse
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Float32

import verydeep as vd
from verydeep.bench.candidates import candidates_of_run
from verydeep.export.check_images import given_images
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.image_source import ImageSource
from verydeep.prediction.network import Network
from verydeep.prediction.predict import predict
from verydeep.runtime.exported_network import RUNTIMES_OF, load_exported
from verydeep.runtime.extras import is_installed

Probabilities = Float32[np.ndarray, "images classes"]


def main() -> None:
    """Print the largest difference of a probability for each pair, and the pairs whose classes differ."""
    arguments = _arguments()
    checkpoint = vd.load(arguments.run)
    found = find_images([arguments.images]).sources
    evenly = np.linspace(0, len(found) - 1, min(arguments.count, len(found))).round().astype(int)
    sources = [found[index] for index in evenly]
    with tempfile.TemporaryDirectory() as folder:
        networks = _networks(checkpoint, arguments.run, arguments.images, Path(folder))
        results = {name: _probabilities(network, sources) for name, network in networks.items()}
    print(f"{len(sources)} images of {len(checkpoint.classes)} classes\n")
    numbers = range(1, len(results))
    print(f"| | {' | '.join(map(str, numbers))} |")
    print(f"|---|{'---:|' * len(numbers)}")
    for row, (name, one) in enumerate(results.items()):
        cells = [f"{np.abs(one - other).max():.0e}" for other in list(results.values())[:row]]
        print(f"| {row + 1} {name} | {' | '.join(cells + [''] * (len(numbers) - row))} |")
    shares = {
        (first, second): (one.argmax(1) == other.argmax(1)).mean()
        for (first, one), (second, other) in combinations(results.items(), 2)
    }
    print(f"\nThe same class in every pair for {min(shares.values()):.1%} or more")
    for (first, second), share in shares.items():
        if share < 1:
            print(f"{first} and {second}: {share:.1%}")


def _networks(checkpoint: vd.Checkpoint, run: Path, images: str, folder: Path) -> dict[str, Network]:
    """The checkpoint, and each bundle of it in each runtime that can load it."""
    given = given_images(images, checkpoint.classes, run, checkpoint.preprocess, calibration=images)
    networks: dict[str, Network] = {"torch fp32": checkpoint}
    runtimes = [runtime for (runtime, *_) in RUNTIMES_OF.values() if is_installed(runtime)]
    for candidate in candidates_of_run(checkpoint, run, folder, runtimes, given):
        for others in RUNTIMES_OF.values():
            for runtime in others if candidate.runtime == others[0] else ():
                if is_installed(runtime):
                    of = "" if runtime == candidate.runtime else ", of the ONNX file"
                    name = f"{runtime} {candidate.precision}{of}"
                    networks[name] = load_exported(candidate.path, runtime)
    return networks


def _probabilities(network: Network, sources: list[ImageSource]) -> Probabilities:
    predictions = [each for batch in predict(network, sources) for each in batch if each.error is None]
    rows = [[dict(each.top_classes)[name] for name in network.classes] for each in predictions]
    return np.array(rows, dtype=np.float32)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run folder or a checkpoint")
    parser.add_argument("images", help="labeled images, such as a folder of one folder per class")
    parser.add_argument("--count", type=int, default=90, help="how many of them are compared (90)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
