"""A recipe over several seeds: accuracy on the test images, and seconds of training.

python benchmarks/recipe.py fast --seeds 5
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import verydeep as vd


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
    arguments = parser.parse_args()
    accuracies, seconds = [], []
    for seed in range(arguments.seeds):
        recipe = vd.read_recipe(arguments.recipe, {"seed": seed, "weights": arguments.weights})
        with tempfile.TemporaryDirectory() as folder:
            result = vd.train_network(recipe, arguments.data, Path(folder) / "run")
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


if __name__ == "__main__":
    main()
