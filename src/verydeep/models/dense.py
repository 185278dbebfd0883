"""Dense evaluation: a fully convolutional network, for images of any size.

Simonyan and Zisserman 2014, section 3.2, after Sermanet et al. 2013 (OverFeat): fc6 becomes a convolution
with a kernel as large as its input map, the layers after it become 1x1 convolutions, and a larger image gives
a map of scores, one for every position of the network's window. Its mean is the score of the image.
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
    """``model`` as a fully convolutional network. It shares the weights that the model has at this time.

    A head after a global average pool accepts images of any size already. Its score map has one position,
    for the mean of the whole feature map (as in the evaluation of ResNet, He et al. 2015, section 3.4).
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model
        window = model.architecture.map_shape[1:]
        self.pools_whole = model.architecture.head.grid == 1
        self.head = nn.Sequential(*_head_modules(model, (1, 1) if self.pools_whole else window))
        self.train(model.training)

    def forward(self, images: Images) -> Float[Tensor, "batch classes rows columns"]:
        """Logits at every position of the window; one position for images of the network's input size.

        Raises:
            ShapeError: where the images have other channels than the network, or are smaller than its input.
        """
        check_channels(self.model.architecture, images)
        self._check_size(images)
        maps = self.model.features(images)
        scores: Tensor = self.head(maps.mean((2, 3), keepdim=True) if self.pools_whole else maps)
        return scores

    def _check_size(self, images: Images) -> None:
        _, *window = self.model.architecture.input
        height, width = images.shape[2:]
        if height < window[0] or width < window[1]:
            raise ShapeError(
                f"images are {height} x {width}; the window of {self.model.architecture.name} is "
                f"{window[0]} x {window[1]} px. Resize them to at least this size"
            )


def _head_modules(model: Classifier, window: tuple[int, ...]) -> Iterator[nn.Module]:
    """The head as convolutions: the first linear layer has a kernel of ``window``, the others 1x1."""
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
    """Weights on a ``window`` of the map that are equal to average pooling to the grid, then ``weight``.

    Both are linear, so that one convolution replaces them.
    """
    grid = weight.shape[-1]
    if window == (grid, grid):
        return weight
    positions = window[0] * window[1]
    one_hot = torch.eye(positions, dtype=weight.dtype, device=weight.device).view(positions, 1, *window)
    pooling = functional.adaptive_avg_pool2d(one_hot, grid).flatten(1)  # (positions, grid * grid)
    spread: Tensor = (weight.flatten(2) @ pooling.T).unflatten(2, window)
    return spread


def _convolution(
    weight: Float[Tensor, "units maps rows columns"], bias: Float[Tensor, " units"]
) -> nn.Conv2d:
    units, maps, *kernel = weight.shape
    convolution = nn.Conv2d(maps, units, (kernel[0], kernel[1]), device="meta")  # no random weights
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    convolution.bias = nn.Parameter(bias, requires_grad=False)
    return convolution
