"""What a recipe reaches over several seeds: accuracy on the test images, and seconds of training.

python benchmarks/recipe.py fast --seeds 5
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import verydeep as vd


def main() -> None:
    """Train once a seed into a folder that is thrown away; print one row."""
    parser = argparse.ArgumentParser(description="Accuracy (mean, least, most) and seconds of a recipe.")
    parser.add_argument("recipe", nargs="?", default="fast", help="a recipe's name, or a TOML file (fast)")
    parser.add_argument("--data", default="fashion-mnist", help="the name of a data set (fashion-mnist)")
    parser.add_argument("--seeds", type=int, default=5, help="how many: 0, 1, 2 and so on (5)")
    wanted = parser.parse_args()
    dataset = vd.load_dataset(wanted.data)
    accuracies, seconds = [], []
    for seed in range(wanted.seeds):
        with tempfile.TemporaryDirectory() as folder:
            recipe = vd.read_recipe(wanted.recipe, {"seed": seed})
            result = vd.start(recipe, dataset, Path(folder) / "run")
        print(f"seed {seed}: {result.test.top1:.2%}, {result.seconds:.1f} s", file=sys.stderr)
        accuracies.append(result.test.top1)
        seconds.append(result.seconds)
    machine = ", ".join(result.machine[key] for key in ("processor", "cores", "precision"))
    print("| recipe | data | seeds | mean | least | most | seconds, median | processor, cores, precision |")
    print("|---|---|---:|---:|---:|---:|---:|---|")
    print(
        f"| `{wanted.recipe}` | {wanted.data} | {wanted.seeds} | {statistics.mean(accuracies):.2%} "
        f"| {min(accuracies):.2%} | {max(accuracies):.2%} | {statistics.median(seconds):.1f} | {machine} |"
    )


if __name__ == "__main__":
    main()
