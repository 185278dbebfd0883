"""Perceptual and style loss of distorted versions of a photograph, beside the mean squared error of pixels.

python benchmarks/distortions.py WEIGHTS photo.jpg
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode
from verydeep.embed.perceptual_loss import PerceptualLoss, StyleLoss
from verydeep.weights.load import load

SIZE = 256


def main() -> None:
    """Print one row per distortion."""
    parser = argparse.ArgumentParser(description="Perceptual and style loss of distorted photographs.")
    parser.add_argument("weights", type=Path, help="a VGG16: a run, a checkpoint or a file without a head")
    parser.add_argument("photograph", type=Path)
    arguments = parser.parse_args()
    checkpoint = load(arguments.weights)
    pixels = decode(arguments.photograph, Preprocess(size=SIZE, mean=(0, 0, 0), std=(1, 1, 1)))
    photograph = pixels[None] / 255
    losses = [PerceptualLoss(checkpoint, name) for name in ("relu2_2", "relu3_3", "relu4_3")]
    print(
        "| distortion | pixels, MSE | relu2_2 | relu3_3 | relu4_3 | style |\n|---|---:|---:|---:|---:|---:|"
    )
    for name, distorted in distortions(photograph).items():
        with torch.no_grad():
            values = [float(loss(distorted, photograph)) for loss in (*losses, StyleLoss(checkpoint))]
        error = float(functional.mse_loss(distorted, photograph))
        print(f"| {name} | {error:.5f} | " + " | ".join(f"{value:,.0f}" for value in values) + " |")


def distortions(photograph: Tensor) -> dict[str, Tensor]:
    """Each distortion of ``photograph``, (1, 3, height, width) from 0 to 1, by name."""
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
    noisy = {
        f"noise, standard deviation {level}": photograph + level * noise for level in (0.02, 0.05, 0.1, 0.2)
    }
    blurred = {f"blur, {sigma} px": blur(photograph, sigma) for sigma in (0.5, 1, 2, 4)}
    shifted = {f"shift, {pixels} px": photograph.roll(pixels, 3) for pixels in (1, 2)}
    images = {"brighter by 0.05": photograph + 0.05, **shifted, **blurred, **noisy}
    return {name: distorted.clamp(0, 1) for name, distorted in images.items()}


def blur(images: Tensor, sigma: float) -> Tensor:
    """``images`` after a Gaussian filter of ``sigma`` px, with reflection padding."""
    radius = int(3 * sigma + 1)
    weights = torch.exp(-(torch.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    kernel = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
    padded = functional.pad(images, (radius,) * 4, mode="reflect")
    rows = functional.conv2d(padded, kernel, groups=len(kernel))
    return functional.conv2d(rows, kernel.mT, groups=len(kernel))


if __name__ == "__main__":
    main()
