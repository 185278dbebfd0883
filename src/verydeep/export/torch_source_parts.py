"""The parts of the generated PyTorch module that are the same for every network."""

from verydeep.architecture.preprocess import Fit

START = '''\
"""A trained image classifier in plain PyTorch; the weights are in the .safetensors file beside this one.

It needs torch, safetensors, numpy and Pillow.

    import torch
    from PIL import Image
    from model import CLASSES, TEMPERATURE, load, preprocess

    network = load()
    with torch.inference_mode():
        logits = network(preprocess(Image.open("photo.jpg"))[None])
    probabilities = (logits / TEMPERATURE).softmax(1)[0]
    print(CLASSES[probabilities.argmax()])

Or, as a command: python model.py photo.jpg another.png
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor, nn
'''

BLOCK = '''\
class ResidualBlock(nn.Module):
    """relu(F(x) + x), or relu(F(x) + Wx) where shapes differ (He et al. 2015, eq. 1 and 2)."""

    def __init__(
        self, *convolutions: nn.Conv2d, projection: nn.Conv2d | None = None, batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.depth = len(convolutions)
        for number, conv in enumerate(convolutions, start=1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", _norm(conv, batch_norm))
        self.downsample = (
            nn.Sequential(projection, _norm(projection, batch_norm)) if projection else nn.Identity()
        )

    def forward(self, images: Tensor) -> Tensor:
        """The output of the block."""
        maps = images
        for number in range(1, self.depth + 1):
            maps = getattr(self, f"conv{number}")(maps)
            maps = getattr(self, f"bn{number}")(maps)
            if number < self.depth:
                maps = maps.relu()
        return (maps + self.downsample(images)).relu()


def _norm(conv: nn.Conv2d, batch_norm: bool) -> nn.Module:
    return nn.BatchNorm2d(conv.out_channels) if batch_norm else nn.Identity()
'''

NETWORK = '''\
class Network(nn.Module):
    """The network: from images to logits."""

    def __init__(self) -> None:
        super().__init__()
'''

FORWARD = '''
    def forward(self, images: Tensor) -> Tensor:
        """Logits, for images (batch x channels x height x width) from ``preprocess``."""
        maps = images
        # steps
        return self.HEAD(self.pool(maps).flatten(1))
'''

PIXELS = '''\
def preprocess(image: Image.Image) -> Tensor:
    """The network input for ``image``: channels x SIZE x SIZE.

    The image is turned upright by its EXIF orientation, put on white where it is transparent, and WORDS
    (bilinear, antialiased).
    """
    image = _in_8_bits(ImageOps.exif_transpose(image)).convert(MODE)
    # fit
    return normalize(np.array(image))


def normalize(pixels: np.ndarray) -> Tensor:
    """The network input for ``pixels`` from 0 to 255: height x width for gray, height x width x 3 for RGB."""
    images = torch.from_numpy(pixels).reshape(*pixels.shape[:2], -1).permute(2, 0, 1)
    # order
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    return (images.float() / (255 / SCALE) - mean) / std


def _resized(image: Image.Image, width: int, height: int) -> Image.Image:
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _in_8_bits(image: Image.Image) -> Image.Image:
    """``image`` with 8 bits per channel, on white where it is transparent."""
    if image.mode == "F":
        raise ValueError("the image has float pixels with an unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):  # 16 bits of gray
        values = np.asarray(image).astype(np.float32)
        return Image.fromarray((values * (255 / 65535)).clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
'''

FIT: dict[Fit, str] = {
    "crop": """\
    short = min(image.size)
    image = _resized(image, *(int(RESIZE * side / short) for side in image.size))
    left, top = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
    image = image.crop((left, top, left + SIZE, top + SIZE))
""",
    "pad": """\
    long = max(image.size)
    inner = _resized(image, *(max(1, round(SIZE * side / long)) for side in image.size))
    image = Image.new(MODE, (SIZE, SIZE), PADDING)
    image.paste(inner, ((SIZE - inner.width) // 2, (SIZE - inner.height) // 2))
""",
    "squash": """\
    image = _resized(image, SIZE, SIZE)
""",
}
FIT_IN_WORDS: dict[Fit, str] = {
    "crop": "resized and\n    center-cropped",
    "pad": "resized and\n    padded to a square",
    "squash": "resized to\n    a square",
}

ORDER_BGR = "    images = images.flip(0)  # BGR, as in Caffe\n"

MODULE = '''\
def load(weights: Path = Path(__file__).with_suffix(".safetensors")) -> Network:
    """The trained network, in evaluation mode."""
    network = Network()
    network.load_state_dict(load_file(weights))
    return network.eval()


@torch.inference_mode()
def main(paths: list[str]) -> int:
    """Print the most probable classes of each image; 1 if a file cannot be read, else 0."""
    network, code = load(), 0
    for path in paths:
        try:
            with Image.open(path) as image:
                images = preprocess(image)[None]
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            print(f"{path} is not classified: {error}", file=sys.stderr)
            code = 1
            continue
        probabilities = (network(images) / TEMPERATURE).softmax(1)[0]
        top = probabilities.topk(min(5, len(CLASSES)))
        pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        print(f"{path}: " + ", ".join(f"{CLASSES[index]} {probability:.1%}" for index, probability in pairs))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''
