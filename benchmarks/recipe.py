"""A recipe over several seeds: accuracy on the test images, and seconds of training.

python benchmarks/recipe.py fast --seeds 5
python benchmarks/recipe.py best --seeds 3 --ensemble
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import verydeep as vd
from verydeep.evaluate.metrics import accuracy
from verydeep.evaluate.protocol_logits import protocol_logits
from verydeep.evaluate.protocols import make_protocol
from verydeep.probabilities import softmax


def main() -> None:
    """Train once per seed in a temporary run folder; print one row."""
    parser = argparse.ArgumentParser(
        description="Test accuracy (mean, lowest, highest) and seconds of a recipe."
    )
    parser.add_argument("recipe", nargs="?", default="fast", help="a recipe's name, or a TOML file (fast)")
    parser.add_argument(
        "--data", default="fashion-mnist", help="a built-in data set, or your own images (fashion-mnist)"
    )
    parser.add_argument("--weights", help="pretrained weights, for the recipe fine-tune")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 0, 1, 2 and so on (5)")
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="also with mirrored views, and of the mean of all seeds' probabilities (built-in data)",
    )
    arguments = parser.parse_args()
    accuracies, seconds = [], []
    ensemble = Ensemble(arguments.data) if arguments.ensemble else None
    for seed in range(arguments.seeds):
        recipe = vd.read_recipe(arguments.recipe, {"seed": seed, "weights": arguments.weights})
        with tempfile.TemporaryDirectory() as folder:
            result = vd.train_network(recipe, arguments.data, Path(folder) / "run")
            if ensemble is not None:
                ensemble.add(vd.load(Path(folder) / "run"))
        print(f"seed {seed}: {result.test.top1:.2%}, {result.seconds:.1f} s", file=sys.stderr)
        accuracies.append(result.test.top1)
        seconds.append(result.seconds)
    machine = ", ".join(result.machine[key] for key in ("processor", "cores", "precision"))
    print(
        "| recipe | data | seeds | accuracy: mean | lowest | highest | seconds, median | processor, cores, "
        "precision |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---|")
    print(
        f"| `{arguments.recipe}` | {arguments.data} | {arguments.seeds} | {statistics.mean(accuracies):.2%} "
        f"| {min(accuracies):.2%} | {max(accuracies):.2%} | {statistics.median(seconds):.1f} | {machine} |"
    )
    if ensemble is not None:
        ensemble.show()


class Ensemble:
    """Test accuracy with the mean of the probabilities of an image and its mirror image, and of networks."""

    def __init__(self, data: str) -> None:
        self.test = vd.load_dataset(data).test
        self.probabilities: list[np.ndarray] = []

    def add(self, checkpoint: vd.Checkpoint) -> None:
        """Take one more network into the mean."""
        protocol = make_protocol("dense", checkpoint.preprocess)
        batches = protocol_logits(checkpoint.model, self.test.pixels, checkpoint.preprocess, protocol)
        logits = np.concatenate([batch.logits for batch in batches])
        self.probabilities.append(softmax(logits))

    def show(self) -> None:
        """Print both accuracies."""
        labels = self.test.labels.numpy()
        mirrored = [accuracy(each, labels) for each in self.probabilities]
        print(f"\nwith mirrored views: mean {statistics.mean(mirrored):.2%}")
        mean = np.mean(self.probabilities, axis=0)
        print(f"mean of the probabilities of {len(mirrored)} networks: {accuracy(mean, labels):.2%}")


if __name__ == "__main__":
    main()
