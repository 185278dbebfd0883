"""The model zoo: every named network in one table, and the architecture of a name or a string."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError

VGG = "Simonyan and Zisserman 2014, arXiv 1409.1556"
ONE_TOWER = "Krizhevsky 2014, arXiv 1404.5997"
ALEXNET = "Krizhevsky et al. 2012, NIPS"
RESNET = "He et al. 2015, arXiv 1512.03385"
LOCAL_LOSS = "Nokland and Eidnes 2019, arXiv 1901.06656"
VERYDEEP = "verydeep, docs/recipes.md"


@dataclass(frozen=True)
class ZooRow:
    """A network of the zoo: its architecture string, its paper, and the settings the string leaves open."""

    name: str
    architecture_string: str
    paper: str
    table: str
    """Table or section of the paper, and differences from it."""
    aliases: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of ``Architecture``."""

    @property
    def architecture(self) -> Architecture:
        """The architecture as published."""
        return Architecture.from_string(self.architecture_string, self.name, **self.settings)


_BN = {"norm": "batch"}
_RES = {"norm": "batch", "conv_bias": False}
_CIFAR = {**_RES, "classes": 10, "input": (3, 32, 32)}
_GRAY = {**_BN, "classes": 10, "input": (1, 28, 28)}
# A hidden layer this small, trained for so few epochs, does not overfit: dropout only slows training down.
_SMALL_VGG = {**_GRAY, "norm": "batch-after-pool", "conv_bias": False, "dropout": 0.0}

_11 = "64 M 128 M 256x2 M 512x2 M 512x2 M | pool7 4096 4096"
_13 = "64x2 M 128x2 M 256x2 M 512x2 M 512x2 M | pool7 4096 4096"
_16 = "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | pool7 4096 4096"
_19 = "64x2 M 128x2 M 256x4 M 512x4 M 512x4 M | pool7 4096 4096"
_11L = "64 L M 128 M 256x2 M 512x2 M 512x2 M | pool7 4096 4096"
_16C = "64x2 M 128x2 M 256x2 256k1 M 512x2 512k1 M 512x2 512k1 M | pool7 4096 4096"

_ALEX = "64k11s4p2 Mk3s2 192k5 Mk3s2 384 256x2 Mk3s2 | pool6 4096 4096"
_ALEX12 = "96k11s4p2 L Mk3s2 256k5g2 L Mk3s2 384 384g2 256g2 Mk3s2 | pool6 4096 4096"

_P18 = "64k7s2 Mk3s2p1 64x4 128s2 128x3 256s2 256x3 512s2 512x3 | gap"
_P34 = "64k7s2 Mk3s2p1 64x6 128s2 128x7 256s2 256x11 512s2 512x5 | gap"
_R18 = "64k7s2 Mk3s2p1 (64 64)x2 (128s2 128) (128 128) (256s2 256) (256 256) (512s2 512) (512 512) | gap"
_R34 = (
    "64k7s2 Mk3s2p1 (64 64)x3 (128s2 128) (128 128)x3 (256s2 256) (256 256)x5 (512s2 512) (512 512)x2 | gap"
)
_R50 = (
    "64k7s2 Mk3s2p1 (64k1 64 256k1)x3 (128k1 128s2 512k1) (128k1 128 512k1)x3 "
    "(256k1 256s2 1024k1) (256k1 256 1024k1)x5 (512k1 512s2 2048k1) (512k1 512 2048k1)x2 | gap"
)
_R101 = (
    "64k7s2 Mk3s2p1 (64k1 64 256k1)x3 (128k1 128s2 512k1) (128k1 128 512k1)x3 "
    "(256k1 256s2 1024k1) (256k1 256 1024k1)x22 (512k1 512s2 2048k1) (512k1 512 2048k1)x2 | gap"
)
_R152 = (
    "64k7s2 Mk3s2p1 (64k1 64 256k1)x3 (128k1 128s2 512k1) (128k1 128 512k1)x7 "
    "(256k1 256s2 1024k1) (256k1 256 1024k1)x35 (512k1 512s2 2048k1) (512k1 512 2048k1)x2 | gap"
)

_P20 = "16x7 32s2 32x5 64s2 64x5 | gap"
_P32 = "16x11 32s2 32x9 64s2 64x9 | gap"
_P44 = "16x15 32s2 32x13 64s2 64x13 | gap"
_P56 = "16x19 32s2 32x17 64s2 64x17 | gap"
_P110 = "16x37 32s2 32x35 64s2 64x35 | gap"
_R20 = "16 (16 16)x3 (32s2 32) (32 32)x2 (64s2 64) (64 64)x2 | gap"
_R32 = "16 (16 16)x5 (32s2 32) (32 32)x4 (64s2 64) (64 64)x4 | gap"
_R44 = "16 (16 16)x7 (32s2 32) (32 32)x6 (64s2 64) (64 64)x6 | gap"
_R56 = "16 (16 16)x9 (32s2 32) (32 32)x8 (64s2 64) (64 64)x8 | gap"
_R110 = "16 (16 16)x18 (32s2 32) (32 32)x17 (64s2 64) (64 64)x17 | gap"

_TINY = "24 M 64 M 128 M | pool3 256"
_MINI = "16x2 M 64 M 128 M | pool3 192"
_SMALL = "32x2 M 64x2 M 128x2 M 256 | gap"
_MEDIUM = "48x2 M 96x2 M 192x2 M 384 | gap"
_8B = "128 256 M 256 512 M 512 M 512 M | gap 1024"

ROWS = (
    ZooRow("vgg11", _11, VGG, "Table 1, A", ("A",)),
    ZooRow("vgg11-lrn", _11L, VGG, "Table 1, A-LRN", ("A-LRN",)),
    ZooRow("vgg13", _13, VGG, "Table 1, B", ("B",)),
    ZooRow("vgg16-1x1", _16C, VGG, "Table 1, C", ("C",)),
    ZooRow("vgg16", _16, VGG, "Table 1, D", ("D",)),
    ZooRow("vgg19", _19, VGG, "Table 1, E", ("E",)),
    ZooRow("vgg11_bn", _11, VGG, "Table 1, A, with batch norm", (), _BN),
    ZooRow("vgg13_bn", _13, VGG, "Table 1, B, with batch norm", (), _BN),
    ZooRow("vgg16_bn", _16, VGG, "Table 1, D, with batch norm", (), _BN),
    ZooRow("vgg19_bn", _19, VGG, "Table 1, E, with batch norm", (), _BN),
    ZooRow("alexnet", _ALEX, ONE_TOWER, "one tower, as in torchvision", (), {"dropout_first": True}),
    ZooRow("alexnet-2012", _ALEX12, ALEXNET, "Figure 2, two towers as groups"),
    ZooRow("plain18", _P18, RESNET, "Table 1, 18 layers without shortcuts", (), _RES),
    ZooRow("plain34", _P34, RESNET, "Table 1, 34 layers without shortcuts", (), _RES),
    ZooRow("resnet18", _R18, RESNET, "Table 1, 18 layers", (), _RES),
    ZooRow("resnet34", _R34, RESNET, "Table 1, 34 layers", (), _RES),
    ZooRow("resnet50", _R50, RESNET, "Table 1, 50 layers, stride on the 3x3", (), _RES),
    ZooRow("resnet101", _R101, RESNET, "Table 1, 101 layers, stride on the 3x3", (), _RES),
    ZooRow("resnet152", _R152, RESNET, "Table 1, 152 layers, stride on the 3x3", (), _RES),
    ZooRow("plain20", _P20, RESNET, "section 4.2, n = 3, without shortcuts", (), _CIFAR),
    ZooRow("plain32", _P32, RESNET, "section 4.2, n = 5, without shortcuts", (), _CIFAR),
    ZooRow("plain44", _P44, RESNET, "section 4.2, n = 7, without shortcuts", (), _CIFAR),
    ZooRow("plain56", _P56, RESNET, "section 4.2, n = 9, without shortcuts", (), _CIFAR),
    ZooRow("plain110", _P110, RESNET, "section 4.2, n = 18, without shortcuts", (), _CIFAR),
    ZooRow("resnet20", _R20, RESNET, "section 4.2, n = 3, option B shortcuts", (), _CIFAR),
    ZooRow("resnet32", _R32, RESNET, "section 4.2, n = 5, option B shortcuts", (), _CIFAR),
    ZooRow("resnet44", _R44, RESNET, "section 4.2, n = 7, option B shortcuts", (), _CIFAR),
    ZooRow("resnet56", _R56, RESNET, "section 4.2, n = 9, option B shortcuts", (), _CIFAR),
    ZooRow("resnet110", _R110, RESNET, "section 4.2, n = 18, option B shortcuts", (), _CIFAR),
    ZooRow("vgg-tiny", _TINY, VERYDEEP, "recipe `classic`", (), _SMALL_VGG),
    ZooRow("vgg-mini", _MINI, VERYDEEP, "recipe `fast`", (), _SMALL_VGG),
    ZooRow("vgg-small", _SMALL, VERYDEEP, "recipe `accurate`", (), _SMALL_VGG),
    ZooRow("vgg-medium", _MEDIUM, VERYDEEP, "recipe `best`", (), _SMALL_VGG),
    ZooRow("vgg8b", _8B, LOCAL_LOSS, "VGG8B", (), _GRAY),
)

_BY_NAME = {name.lower(): row for row in ROWS for name in (row.name, *row.aliases)}


def names() -> tuple[str, ...]:
    """The names of all networks of the zoo, in the order of the table."""
    return tuple(row.name for row in ROWS)


def resolve(text: str) -> Architecture:
    """The architecture of a name (``vgg16``), a paper's letter (``D``) or an architecture string.

    ``_bn`` after any name adds batch norm.

    Raises:
        ArchitectureError: with the most similar names, or the token of the string that is not valid.
    """
    if "|" in text or len(text.split()) > 1:
        return Architecture.from_string(text)
    name = text.strip().lower()
    if row := _BY_NAME.get(name):
        return row.architecture
    if row := _BY_NAME.get(name.removesuffix("_bn").removesuffix("-bn")):
        return row.architecture.with_batch_norm()
    raise ArchitectureError(_unknown(text))


def _unknown(text: str) -> str:
    near = difflib.get_close_matches(text.lower(), _BY_NAME, n=3)
    hint = f"Did you mean {' or '.join(_BY_NAME[name].name for name in near)}? " if near else ""
    return (
        f"there is no network named {text!r}. {hint}`verydeep list` lists all networks; "
        "an architecture string such as `64x2 M 128x2 M | gap` works too"
    )
