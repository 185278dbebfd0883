"""Image retrieval: precision at K of the nearest neighbors, from a file of vectors.

verydeep embed WEIGHTS FOLDER --out vectors.npz
python benchmarks/neighbors.py vectors.npz --apart "BloodImage_[0-9]+"

The class of an image is the name of its folder.
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

import torch

from verydeep.embed.vector_file import read_vectors


def main() -> None:
    """Print precision at K for each class, and the chance level."""
    parser = argparse.ArgumentParser(
        description="Precision at K of the nearest neighbors by cosine similarity."
    )
    parser.add_argument("vectors", type=Path, help="a file from `verydeep embed`, of one folder per class")
    parser.add_argument("--count", type=int, default=5, help="K, the neighbors of each image (5)")
    parser.add_argument(
        "--apart", help="a pattern for image names: images with the same match are not neighbors"
    )
    arguments = parser.parse_args()
    stored = read_vectors(arguments.vectors)
    files = list(map(Path, stored.files))
    classes = [file.parent.name for file in files]
    groups = [_group(file, arguments.apart) for file in files]
    vectors = torch.nn.functional.normalize(torch.from_numpy(stored.vectors))
    precisions, chances = defaultdict(list), defaultdict(list)
    for index, vector in enumerate(vectors):
        others = [i for i, group in enumerate(groups) if i != index and group != groups[index]]
        same = torch.tensor([classes[i] == classes[index] for i in others]).double()
        best = (vectors[others] @ vector).topk(arguments.count).indices
        for name in (classes[index], "all"):
            precisions[name].append(float(same[best].mean()))
            chances[name].append(float(same.mean()))
    print(f"{stored.metadata.network}, {stored.metadata.layer}: precision at {arguments.count}")
    print("| class | images | precision | by chance |\n|---|---:|---:|---:|")
    for name in sorted(precisions, key=lambda name: (name == "all", name)):
        precision, chance = (sum(values[name]) / len(values[name]) for values in (precisions, chances))
        print(f"| {name} | {len(precisions[name])} | {precision:.1%} | {chance:.1%} |")


def _group(file: Path, pattern: str | None) -> str:
    match = re.search(pattern, file.name) if pattern else None
    return match[0] if match else str(file)


if __name__ == "__main__":
    main()
