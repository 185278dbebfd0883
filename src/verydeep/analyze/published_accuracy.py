"""Published accuracies of the networks of the zoo, each with its protocol and its source.

Compare two accuracies only where protocol and source are the same: the paper's top-1 error of 27.0 % for D
and torchvision's 28.4 % are the same network with different training and a different test protocol.
"""

from dataclasses import dataclass

TORCHVISION = "torchvision 0.28, IMAGENET1K_V1"
VGG = "Simonyan and Zisserman 2014, arXiv 1409.1556"
ALEXNET = "Krizhevsky et al. 2012, NIPS"
RESNET = "He et al. 2015, arXiv 1512.03385"

CENTER = "ImageNet validation, one crop of 224 px from the center"
DENSE = "ImageNet validation, the whole image of 256 px and its mirror image"
TEN = "ImageNet validation, ten crops"
CIFAR = "CIFAR-10 test, shortcuts of option A"


@dataclass(frozen=True)
class PublishedAccuracy:
    """An accuracy in percent, as it was published."""

    network: str
    top1: float
    top5: float | None
    protocol: str
    source: str


def published(network: str) -> tuple[PublishedAccuracy, ...]:
    """The published accuracies of ``network``; torchvision's first, which most networks have."""
    return tuple(row for row in PUBLISHED if row.network == network)


PUBLISHED = (
    PublishedAccuracy("alexnet", 56.522, 79.066, CENTER, TORCHVISION),
    PublishedAccuracy("vgg11", 69.020, 88.628, CENTER, TORCHVISION),
    PublishedAccuracy("vgg13", 69.928, 89.246, CENTER, TORCHVISION),
    PublishedAccuracy("vgg16", 71.592, 90.382, CENTER, TORCHVISION),
    PublishedAccuracy("vgg19", 72.376, 90.876, CENTER, TORCHVISION),
    PublishedAccuracy("vgg11_bn", 70.370, 89.810, CENTER, TORCHVISION),
    PublishedAccuracy("vgg13_bn", 71.586, 90.374, CENTER, TORCHVISION),
    PublishedAccuracy("vgg16_bn", 73.360, 91.516, CENTER, TORCHVISION),
    PublishedAccuracy("vgg19_bn", 74.218, 91.842, CENTER, TORCHVISION),
    PublishedAccuracy("resnet18", 69.758, 89.078, CENTER, TORCHVISION),
    PublishedAccuracy("resnet34", 73.314, 91.420, CENTER, TORCHVISION),
    PublishedAccuracy("resnet50", 76.130, 92.862, CENTER, TORCHVISION),
    PublishedAccuracy("resnet101", 77.374, 93.546, CENTER, TORCHVISION),
    PublishedAccuracy("resnet152", 78.312, 94.046, CENTER, TORCHVISION),
    # The papers report errors; here is 100 % minus the error.
    PublishedAccuracy("vgg11", 70.4, 89.6, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("vgg11-lrn", 70.3, 89.5, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("vgg13", 71.3, 90.1, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("vgg16-1x1", 71.9, 90.6, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("vgg16", 73.0, 91.2, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("vgg19", 72.7, 91.0, DENSE, f"{VGG}, Table 3"),
    PublishedAccuracy("alexnet-2012", 59.3, 81.8, TEN, ALEXNET),
    PublishedAccuracy("plain18", 72.06, None, TEN, f"{RESNET}, Table 2"),
    PublishedAccuracy("plain34", 71.46, 89.98, TEN, f"{RESNET}, Table 3"),
    PublishedAccuracy("resnet18", 72.12, None, TEN, f"{RESNET}, Table 2"),
    PublishedAccuracy("resnet34", 75.48, 92.54, TEN, f"{RESNET}, Table 3, option B"),
    PublishedAccuracy("resnet20", 91.25, None, CIFAR, f"{RESNET}, Table 6"),
    PublishedAccuracy("resnet32", 92.49, None, CIFAR, f"{RESNET}, Table 6"),
    PublishedAccuracy("resnet44", 92.83, None, CIFAR, f"{RESNET}, Table 6"),
    PublishedAccuracy("resnet56", 93.03, None, CIFAR, f"{RESNET}, Table 6"),
    PublishedAccuracy("resnet110", 93.57, None, CIFAR, f"{RESNET}, Table 6"),
    PublishedAccuracy(
        "vgg8b", 95.47, None, "Fashion-MNIST test", "Nokland and Eidnes 2019, arXiv 1901.06656"
    ),
)
