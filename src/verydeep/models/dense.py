"""A network over a whole image of any size: its fully connected layers as convolutions.

Simonyan and Zisserman 2014, section 3.2, after Sermanet et al. 2013 (OverFeat): fc6 becomes a convolution as
large as the map that it sees, the layers after it become 1x1 convolutions, and a larger image gives a map of
scores, one for every place of the network's window. Its mean is the image's score.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from verydeep.errors import ShapeError
from verydeep.models.blocks import Images
from verydeep.models.classifier import Classifier, check_channels


class DenseClassifier(nn.Module):
    """``model`` as a map of scores. It shares the model's weights, as they are when this is made.

    A head after a global average pool is made for any size already: it sees the mean of the whole map, and
    its map of scores is one place (so are ResNets evaluated, He et al. 2015, section 3.4).
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        window = model.architecture.map_shape[1:]
        self.pools_whole = model.architecture.head.grid == 1
        self.head = nn.Sequential(*_head_modules(model, (1, 1) if self.pools_whole else window))
        self.train(model.training)

    def forward(self, images: Images) -> Float[Tensor, "batch classes rows columns"]:
        """Logits at every place of the window; one place where images are of the network's own size.

        Raises:
            ShapeError: where the images have other channels than the network, or are smaller than its own.
        """
        check_channels(self.model.architecture, images)
        self._check_size(images)
        maps = self.model.features(images)
        scores: Tensor = self.head(maps.mean((2, 3), keepdim=True) if self.pools_whole else maps)
        return scores

    def _check_size(self, images: Images) -> None:
        _, *least = self.model.architecture.input
        height, width = images.shape[2:]
        if height < least[0] or width < least[1]:
            raise ShapeError(
                f"images are {height} x {width}; the window of {self.model.architecture.name} is "
                f"{least[0]} x {least[1]} px. Enlarge them to that at least"
            )


def _head_modules(model: Classifier, window: tuple[int, ...]) -> Iterator[nn.Module]:
    """The head for maps: its first linear layer sees a ``window`` of them, the others one place."""
    grid = model.architecture.head.grid
    for module in model.head_modules():
        if isinstance(module, nn.Linear):
            weight = module.weight.detach().unflatten(1, (-1, grid, grid))
            yield _convolution(_spread(weight, window), module.bias.detach())
            grid, window = 1, (1, 1)
        else:
            yield module


def _spread(
    weight: Float[Tensor, "units maps grid grid"], window: tuple[int, ...]
) -> Float[Tensor, "units maps rows columns"]:
    """Weights that do on a ``window`` of the map what ``weight`` does on the grid that it is pooled to.

    Pooling is linear, so that one convolution does both.
    """
    grid = weight.shape[-1]
    if window == (grid, grid):
        return weight
    places = window[0] * window[1]
    each = torch.eye(places, dtype=weight.dtype, device=weight.device).view(places, 1, *window)
    pooling = functional.adaptive_avg_pool2d(each, grid).flatten(1)  # (places, grid * grid)
    spread: Tensor = (weight.flatten(2) @ pooling.T).unflatten(2, window)
    return spread


def _convolution(
    weight: Float[Tensor, "units maps rows columns"], bias: Float[Tensor, " units"]
) -> nn.Conv2d:
    units, maps, *kernel = weight.shape
    convolution = nn.Conv2d(maps, units, (kernel[0], kernel[1]), device="meta")  # nothing is drawn
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)
    return convolution
