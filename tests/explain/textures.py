"""The training data of the trained network of these tests: textures in noise."""

import torch

SIDE, PATCH = 24, 8
NAMES = ("rows", "columns", "checks")


def textures(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise with a patch of a texture: pixels, labels, and the top row and left column of the patch."""
    images, labels = 0.3 + 0.3 * torch.rand(count, 1, SIDE, SIDE), torch.randint(3, (count,))
    corners = torch.randint(0, SIDE - PATCH + 1, (count, 2))
    row, column = torch.meshgrid(torch.arange(PATCH) // 2 % 2, torch.arange(PATCH) // 2 % 2, indexing="ij")
    patches = torch.stack([row, column, row ^ column]).float()
    for image, label, (top, left) in zip(images, labels, corners.tolist(), strict=True):
        image[:, top : top + PATCH, left : left + PATCH] = patches[label]
    return (255 * images).round().byte().expand(-1, 3, -1, -1), labels, corners
