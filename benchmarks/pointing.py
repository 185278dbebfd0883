"""The grid pointing game: the share of a heat map in the part of the image that shows the explained class.

    python benchmarks/pointing.py RUN FOLDER [--images 18] [--method grad-cam] [--layer relu5_3]

FOLDER has one folder per class, named as the classes of RUN, with images that RUN was not trained on. Each
test image is a grid of four of them, one of the explained class and three of others. The score is the share
of the heat in the quarter of the explained class, 25 % by chance (Böhle et al. 2021, arXiv 2104.00032).
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

import verydeep as vd
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode
from verydeep.image_sources.image_files import find_files

Grid = tuple[Tensor, str, int]
"""Pixels, the explained class, and the index of its quarter, row by row."""


def main() -> None:
    """Print the mean share of the heat in the quarter of the explained class."""
    arguments = _arguments()
    random.seed(0)
    checkpoint = vd.load(arguments.run)
    preprocess = checkpoint.preprocess
    files = {name: find_files(arguments.folder / name).files for name in checkpoint.classes}
    grids = [grid(files, checkpoint.classes[i % len(files)], preprocess) for i in range(arguments.images)]
    large = replace(checkpoint, preprocess=replace(preprocess, size=2 * preprocess.size, resize=None))
    pixels, classes, quarters = (list(column) for column in zip(*grids, strict=True))
    heat_maps = vd.heat_maps(large, torch.stack(pixels), classes, arguments.method, layer=arguments.layer)
    shares = [share(each.heat, quarter) for each, quarter in zip(heat_maps, quarters, strict=True)]
    name = f"{arguments.method} {heat_maps[0].layer or ''}".strip()
    mean = sum(shares) / len(shares)
    print(f"{name}: {mean:.1%} of the heat in the quarter of the class, {len(shares)} images")


def grid(files: dict[str, Sequence[Path]], name: str, preprocess: Preprocess) -> Grid:
    """Four images as one; one of them is of the class ``name``."""
    quarter = random.randrange(4)
    others = [other for other in files if other != name]
    names = [name if index == quarter else random.choice(others) for index in range(4)]
    tiles = [decode(random.choice(files[each]), preprocess) for each in names]
    rows = [torch.cat(tiles[start : start + 2], 2) for start in (0, 2)]
    return torch.cat(rows, 1), name, quarter


def share(heat: Float32[np.ndarray, "size size"], quarter: int) -> float:
    """The share of ``heat`` in that quarter."""
    side, (row, column) = len(heat) // 2, divmod(quarter, 2)
    inside = heat[row * side :, column * side :][:side, :side]
    return float(inside.sum() / max(float(heat.sum()), 1e-9))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=18)
    parser.add_argument("--method", default="grad-cam")
    parser.add_argument("--layer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
