"""How much of a heat map lies on the class that was asked for: the grid pointing game.

    python benchmarks/pointing.py RUN FOLDER [--images 18] [--method grad-cam] [--layer relu5_3]

FOLDER has a folder a class, named as the classes of RUN, with images that RUN was not trained on. Four of
them make an image, one of the class that is asked for and three of others; the figure is the part of the heat
in the right quarter, 25 % by chance (Böhle et al. 2021, arXiv 2104.00032).
"""

import argparse
import random
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

import verydeep as vd
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode
from verydeep.data.image_files import image_files

Grid = tuple[Tensor, str, int]
"""Pixels, the class that is asked for, and its quarter, row by row."""


def main() -> None:
    """Print the mean part of the heat that lies in the right quarter."""
    arguments = _arguments()
    random.seed(0)
    network = vd.load(arguments.run)
    seen = network.preprocess
    files = {name: image_files([arguments.folder / name]) for name in network.classes}
    grids = [grid(files, network.classes[i % len(files)], seen) for i in range(arguments.images)]
    large = replace(network, preprocess=replace(seen, size=2 * seen.size, resize=None))
    pixels, classes, quarters = (list(column) for column in zip(*grids, strict=True))
    found = vd.heat_maps(large, torch.stack(pixels), classes, arguments.method, layer=arguments.layer)
    shares = [share(one.heat, quarter) for one, quarter in zip(found, quarters, strict=True)]
    named = f"{arguments.method} {found[0].layer or ''}".strip()
    print(f"{named}: {sum(shares) / len(shares):.1%} of the heat in the right quarter, {len(shares)} images")


def grid(files: dict[str, list[Path]], name: str, seen: Preprocess) -> Grid:
    """Four images as one, of which one is of the class ``name``."""
    quarter = random.randrange(4)
    others = [other for other in files if other != name]
    names = [name if place == quarter else random.choice(others) for place in range(4)]
    tiles = [decode(random.choice(files[one]), seen) for one in names]
    rows = [torch.cat(tiles[start : start + 2], 2) for start in (0, 2)]
    return torch.cat(rows, 1), name, quarter


def share(heat: Tensor, quarter: int) -> float:
    """The part of ``heat`` in that quarter."""
    side, (row, column) = len(heat) // 2, divmod(quarter, 2)
    inside = heat[row * side :, column * side :][:side, :side]
    return float(inside.sum() / heat.sum().clamp_min(1e-9))


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
