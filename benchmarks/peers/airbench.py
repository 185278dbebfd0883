"""The method of the CIFAR-10 speed record, on any device, for gray images too: what `speedrun.py` races with.

Jordan 2024 (arXiv 2404.00498) in the form with Muon, `airbench94_muon.py` of KellerJordan/cifar10-airbench:
network, initialization, optimizers, schedules, augmentation and the six views of the test are as there.
Different are widths and batch size to choose, images of one channel too, bf16 by autocast in place of fp16
weights and `torch.compile`; and Muon, which is ours: the same steps, with fewer multiplications.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.train.optimizer.muon import Muon

BIAS_RATE, HEAD_RATE, MUON_RATE = 0.053, 0.67, 0.24
MOMENTUM, MUON_MOMENTUM = 0.85, 0.6
DECAY_PER_IMAGE = 2e-6
LABEL_SMOOTHING = 0.2
WHITENING_BIAS_EPOCHS = 3
SHIFT = 2


@dataclass(frozen=True)
class Setting:
    """How large the network is, and how long it trains."""

    widths: tuple[int, int, int] = (64, 256, 256)
    epochs: float = 8.0
    batch: int = 2000

    def __str__(self) -> str:
        return f"widths {', '.join(map(str, self.widths))}, {self.epochs:g} epochs, batch {self.batch}"


class BatchNorm(nn.BatchNorm2d):
    """Without a learned scale, and with running statistics of few batches."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


class Group(nn.Sequential):
    """Two convolutions, the first followed by max pooling."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(
            _convolution(channels, width),
            nn.MaxPool2d(2),
            BatchNorm(width),
            nn.GELU(),
            _convolution(width, width),
            BatchNorm(width),
            nn.GELU(),
        )


def _convolution(channels: int, width: int) -> nn.Conv2d:
    """3x3; its first filters pass their channels on unchanged."""
    convolution = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    nn.init.dirac_(convolution.weight.data[:channels])
    return convolution


class Network(nn.Module):
    """A frozen whitening layer, three groups of convolutions, and a linear classifier."""

    def __init__(self, images: Tensor, widths: tuple[int, int, int], classes: int = 10) -> None:
        super().__init__()
        filters = _whitening_filters(images)
        self.whitening = nn.Parameter(filters, requires_grad=False)
        bound = filters[0].numel() ** -0.5  # as of an ordinary convolution of this size
        self.bias = nn.Parameter(torch.zeros(len(filters)).uniform_(-bound, bound))
        first, second, third = widths
        self.layers = nn.Sequential(
            nn.GELU(),
            Group(len(filters), first),
            Group(first, second),
            Group(second, third),
            nn.MaxPool2d(3),
            nn.Flatten(),
        )
        self.head = nn.Linear(third, classes, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def forward(self, images: Tensor, *, learns_bias: bool = True) -> Tensor:
        """Logits of (batch, channels, side, side) normalized images; ``side`` is 28 to 32."""
        bias = self.bias if learns_bias else self.bias.detach()
        features = self.layers(functional.conv2d(images, self.whitening, bias))
        logits: Tensor = self.head(features) / features.shape[-1]
        return logits


def _whitening_filters(images: Tensor, size: int = 2, epsilon: float = 5e-4) -> Tensor:
    """The principal components of patches, scaled to variance 1, and their negatives."""
    patches = functional.unfold(images, size).transpose(1, 2).flatten(0, 1)
    values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    filters = (vectors / (values + epsilon).sqrt()).T.unflatten(1, (-1, size, size))
    return torch.cat([filters, -filters])


class Shuffled:
    """Batches of training images: each epoch shifts them by other distances, every other one mirrors all."""

    def __init__(self, images: Tensor, labels: Tensor, batch: int) -> None:
        mirrored = torch.rand(len(images), device=images.device) < 0.5
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
        self.padded = functional.pad(images, (SHIFT,) * 4, "reflect")
        self.labels, self.batch, self.side = labels, batch, images.shape[-1]

    def __len__(self) -> int:
        return len(self.labels) // self.batch

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """All whole batches, in a random order."""
        images = self._shifted()
        if epoch % 2:
            images = images.flip(-1)
        for indices in torch.randperm(len(images), device=images.device).split(self.batch)[: len(self)]:
            yield images[indices], self.labels[indices]

    def _shifted(self) -> Tensor:
        (count, channels), side = self.padded.shape[:2], self.side
        images = self.padded.new_empty(count, channels, side, side)
        shifts = torch.randint(0, 2 * SHIFT + 1, (count, 2), device=images.device)
        for down in range(2 * SHIFT + 1):
            for right in range(2 * SHIFT + 1):
                chosen = (shifts == torch.tensor([down, right], device=images.device)).all(1)
                images[chosen] = self.padded[chosen, :, down : down + side, right : right + side]
        return images


def train(images: Tensor, labels: Tensor, setting: Setting, seed: int) -> tuple[Network, float]:
    """The trained network, and the seconds that training it took.

    Args:
        images: float32 (count, channels, side, side), normalized, on the device to train on.
        labels: int64 (count,).
        setting: widths, epochs, batch size.
        seed: of everything that is random.
    """
    torch.manual_seed(seed)
    began = time.perf_counter()
    network = Network(images[:5000], setting.widths).to(images.device)
    convert_conv2d_weight_memory_format(network, torch.channels_last)
    batches = Shuffled(images, labels, setting.batch)
    steps, bias_steps = ceil(setting.epochs * len(batches)), WHITENING_BIAS_EPOCHS * len(batches)
    sgd, muon = _optimizers(network, setting.batch)
    network.train()
    step = 0
    for epoch in range(ceil(setting.epochs)):
        for inputs, targets in batches.epoch(epoch):
            if step == steps:
                break
            with torch.autocast(images.device.type, torch.bfloat16):
                logits = network(to_channels_last(inputs), learns_bias=step < bias_steps)
            loss = functional.cross_entropy(
                logits.float(), targets, label_smoothing=LABEL_SMOOTHING, reduction="sum"
            )
            loss.backward()
            for group in sgd.param_groups[1:] + muon.param_groups:
                group["lr"] = group["peak"] * (1 - step / steps)
            sgd.param_groups[0]["lr"] = sgd.param_groups[0]["peak"] * max(0, 1 - step / bias_steps)
            sgd.step()
            muon.step()
            network.zero_grad()
            step += 1
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return network, time.perf_counter() - began


def _optimizers(network: Network, batch: int) -> tuple[torch.optim.SGD, Muon]:
    decay = DECAY_PER_IMAGE * batch
    norms = [module.bias for module in network.modules() if isinstance(module, BatchNorm)]
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
    sgd = torch.optim.SGD(
        [
            {"params": [network.bias], "lr": BIAS_RATE, "weight_decay": decay / BIAS_RATE},
            {"params": norms, "lr": BIAS_RATE, "weight_decay": decay / BIAS_RATE},
            {"params": [network.head.weight], "lr": HEAD_RATE, "weight_decay": decay / HEAD_RATE},
        ],
        momentum=MOMENTUM,
        nesterov=True,
        fused=True,
    )
    muon = Muon(weights, lr=MUON_RATE, momentum=MUON_MOMENTUM, weight_decay=0.0, dtype=torch.bfloat16)
    for group in sgd.param_groups + muon.param_groups:
        group["peak"] = group["lr"]
    return sgd, muon


def accuracy(network: Network, images: Tensor, labels: Tensor) -> float:
    """Of the mean of six views: mirrored or not, as it is (half of the weight) and moved by a pixel."""
    network.eval()
    right = 0
    with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16):
        for inputs, targets in zip(images.split(1000), labels.split(1000), strict=True):
            right += int((_logits_of_views(network, inputs).argmax(1) == targets).sum())
    return right / len(labels)


def _logits_of_views(network: Network, images: Tensor) -> Tensor:
    side = images.shape[-1]
    padded = functional.pad(images, (1,) * 4, "reflect")
    views = [(images, 0.5), (padded[..., :side, :side], 0.25), (padded[..., 2:, 2:], 0.25)]
    total = 0
    for view, weight in views:
        for mirrored in (view, view.flip(-1)):
            total = total + weight / 2 * network(to_channels_last(mirrored)).float()
    assert isinstance(total, Tensor)
    return total
