"""How often the nearest images are of the same class: precision at K over a file of vectors.

verydeep embed WEIGHTS FOLDER --out vectors.npz
python benchmarks/neighbors.py vectors.npz --apart "BloodImage_[0-9]+"

The class of an image is the folder that it lies in.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import torch

from verydeep.embed.vector_file import read_vectors


def main() -> None:
    """Print precision at K for each class, and what chance gives."""
    parser = argparse.ArgumentParser(description="Precision at K of the nearest images by cosine similarity.")
    parser.add_argument("vectors", type=Path, help="what `verydeep embed` wrote, of a folder a class")
    parser.add_argument("--count", type=int, default=5, help="K, the neighbors of each image (5)")
    parser.add_argument("--apart", help="images in whose names this pattern finds the same are no neighbors")
    given = parser.parse_args()
    held = read_vectors(given.vectors)
    classes = [file.parent.name for file in held.files]
    groups = [_group(file, given.apart) for file in held.files]
    vectors = torch.nn.functional.normalize(held.vectors)
    rights, chances = defaultdict(list), defaultdict(list)
    for place, vector in enumerate(vectors):
        others = [i for i, group in enumerate(groups) if i != place and group != groups[place]]
        same = torch.tensor([classes[i] == classes[place] for i in others]).double()
        best = (vectors[others] @ vector).topk(given.count).indices
        for name in (classes[place], "all"):
            rights[name].append(float(same[best].mean()))
            chances[name].append(float(same.mean()))
    print(f"{held.about.network}, {held.about.layer}: precision at {given.count}")
    print("| class | images | precision | by chance |\n|---|---:|---:|---:|")
    for name in sorted(rights, key=lambda name: (name == "all", name)):
        right, chance = (sum(values[name]) / len(values[name]) for values in (rights, chances))
        print(f"| {name} | {len(rights[name])} | {right:.1%} | {chance:.1%} |")


def _group(file: Path, pattern: str | None) -> str:
    found = re.search(pattern, file.name) if pattern else None
    return found[0] if found else str(file)


if __name__ == "__main__":
    main()
