"""VGG and ResNet as plain torch modules, with torchvision's names and layer order written by hand."""

import torch
from torch import nn


class PlainVgg(nn.Module):
    """``features``, ``avgpool``, ``classifier``, from a list of widths and ``M``."""

    def __init__(self, widths, *, norm=False, grid=2, hidden=6, classes=3, channels=3):
        super().__init__()
        layers = []
        for width in widths:
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.classifier = nn.Sequential(
            nn.Linear(channels * grid * grid, hidden), nn.ReLU(True), nn.Dropout(),
            nn.Linear(hidden, hidden), nn.ReLU(True), nn.Dropout(),
            nn.Linear(hidden, classes),
        )  # fmt: skip

    def forward(self, images):
        return self.classifier(self.avgpool(self.features(images)).flatten(1))


class PlainBlock(nn.Module):
    """A basic block, or a bottleneck block with the stride on the 3x3 convolution."""

    def __init__(self, channels, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        widths = (width, width, outputs) if bottleneck else (width, width)
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        self.count = len(kernels)
        before = channels
        for number, (after, kernel, conv_stride) in enumerate(
            zip(widths, kernels, strides, strict=True), start=1
        ):
            conv = nn.Conv2d(before, after, kernel, conv_stride, kernel // 2, bias=False)
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(after))
            before = after
        self.downsample = None
        if stride != 1 or channels != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps):
        shortcut = maps if self.downsample is None else self.downsample(maps)
        for number in range(1, self.count + 1):
            maps = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(maps))
            maps = torch.relu(maps) if number < self.count else maps
        return torch.relu(maps + shortcut)


class PlainResNet(nn.Module):
    """``conv1``, ``bn1``, ``layer1`` to ``layer4``, ``fc``."""

    def __init__(self, blocks, *, width=8, bottleneck=False, classes=3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.stages = len(blocks)
        channels = width
        for stage, count in enumerate(blocks):
            stage_blocks = []
            for index in range(count):
                stride = 2 if stage and not index else 1
                stage_blocks.append(PlainBlock(channels, width * 2**stage, stride, bottleneck))
                channels = width * 2**stage * (4 if bottleneck else 1)
            self.add_module(f"layer{stage + 1}", nn.Sequential(*stage_blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, images):
        maps = self.maxpool(torch.relu(self.bn1(self.conv1(images))))
        for stage in range(self.stages):
            maps = getattr(self, f"layer{stage + 1}")(maps)
        return self.fc(maps.mean((2, 3)))


def randomized(model, seed=0):
    """``model`` in evaluation mode, with random weights and statistics so that no layer is the identity."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.dim() > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
    return model.eval()
