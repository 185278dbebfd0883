"""The keys of networks in ONNX files whose batch norms were folded into the convolutions, by the exporter.

Such a network has no norms, and a bias in each convolution. read_onnx.py names its tensors by the
convolutions of the network with norms, or, where the exporter dropped these names, by their number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import IMAGENET
from verydeep.models.build import build_empty
from verydeep.models.classifier import Classifier
from verydeep.weights.key_maps import KeyMapRow, Layout, fully_connected


def folded(architecture: Architecture) -> Architecture:
    """The network of ``architecture`` after its batch norms were folded into the convolutions before them."""
    return replace(architecture, norm="none", conv_bias=True, name=f"{architecture.name}-folded")


def _named(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``features.4.weight`` where the network with norms has its second convolution, and ``.bias``."""
    with_norms = build_empty(replace(model.architecture, norm="batch"))
    return tuple(_rows(model, _convolutions(with_norms)))


def _numbered(model: Classifier) -> tuple[KeyMapRow, ...]:
    """``conv.0.weight``, ``conv.0.bias`` and so on, in the order of the state dict."""
    return tuple(_rows(model, [f"conv.{number}" for number in range(len(_convolutions(model)))]))


def _rows(model: Classifier, file_names: Sequence[str]) -> Iterator[KeyMapRow]:
    if model.architecture.norm != "none":
        return
    layers = [
        *zip(_convolutions(model), file_names, strict=True),
        *((fc, fc) for fc in fully_connected(model)),
    ]
    for name, file_name in layers:
        for tensor in ("weight", "bias"):
            yield KeyMapRow(f"{name}.{tensor}", f"{file_name}.{tensor}")


def _convolutions(model: Classifier) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]


ONNX_LAYOUTS = (
    Layout("ONNX, folded batch norms", _named, IMAGENET),
    Layout("ONNX, folded batch norms, no names", _numbered, IMAGENET),
)
